"""MobileStyleGAN in OpenVINO's intermediate representation: a graph in XML, and its arrays in a .bin file.

Read as data: the graph is not run, only searched for its constants. Most of them keep their parameters'
names; 1×1 kernels and noise maps were folded into unnamed ones, found by their place in the graph.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor

from stylegan2.checkpoints.format import Content, Loaded, Networks, State, read_regular
from stylegan2.describing import describe, printable
from stylegan2.errors import CheckpointError
from stylegan2.fingerprint import fingerprint
from stylegan2.mobile import MobileConfig, haar_matrix
from stylegan2.networks import MappingNetwork

READS = "MobileStyleGAN as OpenVINO's .xml and .bin (a folder)"
PREVIEW_RESOLUTION = 256

Array = NDArray[Any]

_DTYPES = {"f32": "<f4", "i64": "<i8", "i32": "<i4"}
# The published files have 0.4 MB of XML and 32 MB of arrays. What is larger could fill the memory.
_MAX_XML, _MAX_ARRAYS, _MAX_CONSTANT = 2 << 20, 64 << 20, 10 << 20
_MOST_AXES, _MOST_INPUTS = 8, 64


@dataclass(frozen=True)
class Graph:
    """The layers of one file: id to (type, name), the constants by id, and the edges both ways."""

    path: Path
    layers: dict[str, tuple[str, str]]
    constants: dict[str, Array]
    sources: dict[str, list[str]]
    targets: dict[str, list[str]]

    def of_type(self, kind: str) -> list[str]:
        """List the ids of the layers of a type, in graph order."""
        return [i for i, (k, _) in self.layers.items() if k == kind]

    def constant_of(self, layer: str) -> Array:
        """Return the constant that feeds `layer`, directly or through a change of shape."""
        sources = self.sources.get(layer, [])
        reshaped = [s for s in sources if self.layers[s][0] == "Reshape"]
        found = [s for s in sources + [t for s in reshaped for t in self.sources[s]] if s in self.constants]
        if len(found) != 1:
            raise CheckpointError(
                f"{self.path.name}: layer {describe(layer)} has {len(found)} constants, one was expected"
            )
        return self.constants[found[0]]

    def named(self, name: str) -> Array:
        """Return the constant called `name`."""
        for i, (_, own) in self.layers.items():
            if own == name and i in self.constants:
                return self.constants[i]
        raise CheckpointError(f"{self.path.name}: no array {name!r}; this is not MobileStyleGAN's graph")


def _read_file(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise CheckpointError(f"over {most >> 20} MiB; no supported OpenVINO graph is so large")
        return read_regular(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.name} is missing: a mobile generator is a folder of two .xml and two .bin files"
        ) from None
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from None


def _parse_xml(path: Path) -> ET.Element:
    text = _read_file(path, _MAX_XML)
    # Entities are the way an XML file grows without bound or reaches for other files; IR has none. In another
    # encoding they would go unseen.
    if b"\0" in text or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise CheckpointError(f"{path.name}: not in UTF-8, or declares entities: no OpenVINO graph does")
    try:
        return ET.fromstring(text.decode("utf-8"))
    except (ET.ParseError, ValueError) as error:
        why = printable(str(error)[:100])
        raise CheckpointError(f"{path.name}: not XML in UTF-8 ({why}); fetch the file again") from None


def _read_constant(path: Path, data: ET.Element, blob: bytes) -> Array:
    try:
        dtype = np.dtype(_DTYPES[data.attrib["element_type"]])
        shape = tuple(int(n) for n in data.attrib["shape"].split(",") if n.strip())
        offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
    except (KeyError, ValueError) as error:
        what = printable(str(error)[:100])
        raise CheckpointError(f"{path.name}: a constant without a readable {what}") from None
    if len(shape) > _MOST_AXES or size > _MAX_CONSTANT:
        raise CheckpointError(f"{path.name}: a constant of {len(shape)} axes and {describe(size)} bytes, too many")
    if min((*shape, offset, size)) < 0 or math.prod(shape) * dtype.itemsize != size or offset + size > len(blob):
        raise CheckpointError(
            f"{path.name}: a constant of shape ({', '.join(map(describe, shape))}) wants {describe(size)} bytes at "
            f"{describe(offset)}, the .bin beside it has {len(blob)}: truncated, or it belongs to another file"
        )
    count = size // dtype.itemsize
    return np.frombuffer(blob, dtype, count, offset).reshape(shape)


def read_graph(path: Path) -> Graph:
    """Read `path` (XML) and the .bin beside it.

    Raises
    ------
    CheckpointError
        A file is missing or broken, or its arrays reach beyond the .bin.
    """
    weights = path.with_suffix(".bin")
    root, blob = _parse_xml(path), _read_file(weights, _MAX_ARRAYS)
    graph = Graph(path, {}, {}, {}, {})
    for layer in root.iterfind("layers/layer"):
        i, kind = layer.get("id", ""), layer.get("type", "")
        graph.layers[i] = (kind, layer.get("name", ""))
        data = layer.find("data")
        if kind == "Const" and data is not None:
            graph.constants[i] = _read_constant(path, data, blob)
    for edge in root.iterfind("edges/edge"):
        source, target = edge.get("from-layer", ""), edge.get("to-layer", "")
        graph.sources.setdefault(target, []).append(source)
        graph.targets.setdefault(source, []).append(target)
    if any(len(sources) > _MOST_INPUTS for sources in graph.sources.values()):
        raise CheckpointError(
            f"{path.name}: a layer with over {_MOST_INPUTS} inputs; this is not MobileStyleGAN's graph"
        )
    return graph


def _mapping_state(graph: Graph, config: MobileConfig) -> State:
    """Read weights and biases in graph order; the learning-rate scale that was folded in is taken out."""
    products, lr_multiplier = graph.of_type("MatMul"), config.mapping_lr_multiplier
    if len(products) > config.mapping_layers:
        raise CheckpointError(f"{graph.path.name}: {len(products)} layers, {config.mapping_layers} were expected")
    state = {}
    for k, product in enumerate(products):
        weight = graph.constant_of(product)
        bias = next((t for t in graph.targets.get(product, []) if graph.layers[t][0] == "Add"), None)
        if bias is None:
            raise CheckpointError(f"{graph.path.name}: fully connected layer {k} has no bias")
        gain = lr_multiplier / np.sqrt(weight.shape[1])
        state[f"mapping.fc{k}.weight"] = _tensor(weight / gain)
        state[f"mapping.fc{k}.bias"] = _tensor(graph.constant_of(bias) / lr_multiplier)
    return state


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32).copy())


def _bands_first(channels: int) -> Tensor:
    """Return the positions in the file of the channels of the bands LL, LH, HL, HH in turn.

    The file has all of LL first, and then for each channel its three others together.
    """
    low, rest = torch.arange(channels // 4), channels // 4 + 3 * torch.arange(channels // 4)
    return torch.cat([low, rest, rest + 1, rest + 2])


def _conv_state(graph: Graph, ours: str, theirs: str, convolution: str) -> State:
    """Read the parameters of a modulated convolution, whose kernel is the constant of `convolution`."""
    noise_layer = next((t for t in graph.targets.get(convolution, []) if graph.layers[t][0] == "Add"), None)
    if noise_layer is None:
        raise CheckpointError(f"{graph.path.name}: {theirs} has no noise")
    noise = _tensor(graph.constant_of(noise_layer))[0, 0]
    # Folded into the map; taken out again it makes fresh noise possible. In double precision here and below,
    # so that the result, and with it the fingerprint, is the same on every processor.
    strength = noise.double().std().float()
    state = {
        f"{ours}.weight": _tensor(graph.constant_of(convolution)),
        f"{ours}.bias": _tensor(graph.named(f"{theirs}.bias")).flatten(),
        f"{ours}.noise_strength": strength,
        f"{ours}.noise_const": noise / strength,
        **_affine_state(graph, f"{ours}.affine", f"{theirs}.conv"),
    }
    if theirs != "m.conv1":
        state[f"{ours}.depthwise"] = _tensor(graph.named(f"{theirs}.conv.weight_dw"))[:, 0]
    return state


def _affine_state(graph: Graph, ours: str, theirs: str) -> State:
    return {
        f"{ours}.weight": _tensor(graph.named(f"{theirs}.modulation.weight")),
        f"{ours}.bias": _tensor(graph.named(f"{theirs}.modulation.bias")).flatten(),
    }


def _synthesis_state(graph: Graph, config: MobileConfig) -> State:
    convolutions = graph.of_type("Convolution")
    expected = 2 * len(config.block_resolutions) + 2
    if len(convolutions) != expected:
        raise CheckpointError(f"{graph.path.name}: {len(convolutions)} convolutions, {expected} were expected")
    state = {"synthesis.const": _tensor(graph.named("m.input.input"))[0]}
    state |= _conv_state(graph, "synthesis.b4", "m.conv1", convolutions[0])
    for k, r in enumerate(config.block_resolutions):
        state |= _affine_state(graph, f"synthesis.b{r}.up", f"m.layers.{k}.up")
        for n in (0, 1):
            theirs = f"m.layers.{k}.conv{n + 1}"
            state |= _conv_state(graph, f"synthesis.b{r}.conv{n}", theirs, convolutions[1 + 2 * k + n])
    last = f"m.layers.{k}.to_img"
    state |= _affine_state(graph, "synthesis.toimg.affine", f"{last}.conv")
    state["synthesis.toimg.weight"] = _tensor(graph.named(f"{last}.conv.weight"))
    state["synthesis.toimg.bias"] = _tensor(graph.named(f"{last}.bias")).flatten()
    return _reorder_bands(state, config)


def _reorder_bands(state: State, config: MobileConfig) -> State:
    """Sort the channels that feed a wavelet transform by band, and fold the image's own transform into its weights."""
    producers = ["synthesis.b4"] + [f"synthesis.b{r}.conv1" for r in config.block_resolutions[:-1]]
    for producer, r in zip(producers, config.block_resolutions, strict=True):
        order = _bands_first(len(state[f"{producer}.bias"]))
        for name in (f"{producer}.weight", f"{producer}.bias"):
            state[name] = state[name][order]
        for name in (f"synthesis.b{r}.up.weight", f"synthesis.b{r}.up.bias"):
            state[name] = state[name][order]
    for name in ("synthesis.toimg.weight", "synthesis.toimg.bias"):
        bands = state[name][_bands_first(12)].reshape(4, -1).double()  # (band, colour and the rest)
        pixels = (haar_matrix(torch.float64) @ bands).reshape(4, 3, -1).transpose(0, 1)  # (colour, pixel, rest)
        state[name] = pixels.reshape(state[name].shape).float()  # in pixel_shuffle's order
    return state


@dataclass(frozen=True)
class Published:
    """A mobile generator as its files have it, without w_avg and preview head; `weights` is the hash of its state."""

    config: MobileConfig
    state: State
    weights: str

    def with_mean(self, samples: int = 10_000) -> Loaded:
        """Add w_avg, which the files lack: the mean of w over z's of a fixed seed."""
        config = self.config
        mapping = MappingNetwork(
            config.z_dim, 0, config.w_dim, config.num_ws, config.mapping_layers, config.mapping_lr_multiplier
        )
        own = {n.removeprefix("mapping."): v for n, v in self.state.items() if n.startswith("mapping.")}
        mapping.load_state_dict(own | {"w_avg": torch.zeros(config.w_dim)})
        z = torch.from_numpy(np.random.RandomState(0).randn(samples, config.z_dim).astype(np.float32))
        with torch.no_grad():
            mean = mapping(z)[:, 0].mean(dim=0)
        return Loaded(config, self.state | {"mapping.w_avg": mean})


def networks(content: Content) -> Networks | None:
    """Return the generator of a folder; see `format.Format`."""
    if not (content.path / "SynthesisNetwork.xml").exists():
        return None
    return {"G_ema": partial(_read, content.path)}


def _read(folder: Path) -> Loaded:
    """Read a mobile generator; for the published weights, add w_avg and preview head, which the package has."""
    published = read_published(folder)
    extras = _shipped_extras(published.weights)
    if not extras:
        return published.with_mean()
    return Loaded(replace(published.config, preview_resolution=PREVIEW_RESOLUTION), published.state | extras)


def read_published(folder: Path) -> Published:
    """Read a mobile generator as its files have it.

    Parameters
    ----------
    folder
        Holds `MappingNetwork.xml`, `SynthesisNetwork.xml` and their .bin files, as `random-face` has them.

    Raises
    ------
    CheckpointError
        A file is missing, truncated or holds another network.
    """
    mapping, synthesis = (read_graph(folder / f"{name}Network.xml") for name in ("Mapping", "Synthesis"))
    config = MobileConfig(resolution=1024)
    state = _mapping_state(mapping, config) | _synthesis_state(synthesis, config)
    return Published(config, state, fingerprint({}, state))


def _shipped_extras(weights: str) -> State:
    """Load the w_avg and preview head that the package has for the weights of that hash; empty for others."""
    path = Path(__file__).parents[1] / "data" / "mobile-ffhq.safetensors"
    with safe_open(path, framework="pt") as file:
        if file.metadata()["weights"] != weights:
            return {}
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
