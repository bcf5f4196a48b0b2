"""Valid files of every format that the library reads, made by its own code or by hand; the same bytes in every run.

Each function gives a list of inputs; an input is a dictionary from the file's name to its bytes.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import tempfile
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tiny
import torch
from PIL import Image
from torch import Tensor

import stylegan2
from latentlab.directions import Direction
from latentlab.projection.deltas import WeightDelta
from latentlab.projection.result import Projection
from latentlab.projection.settings import DEFAULTS
from latentlab.samples import SampleTable
from latentlab.samples.edits import EditTable
from latentlab.samples.store import SampleSettings, SampleStore
from latentlab.scorers import xception
from latentlab.scorers.attributes.network import AttributeNet
from latentlab.scorers.attributes.scorer import AttributeScorer
from latentlab.translation import Translator
from latentlab.translation.networks import ResNetConfig, UNetConfig
from latentlab.translation.published import to_published

Files = dict[str, bytes]


def _written(name: str, write: Callable[[Path], object]) -> bytes:
    """The bytes that `write` leaves under a name."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, name)
        write(path)
        return path.read_bytes()


def with_sorted_header(data: bytes) -> bytes:
    """A safetensors file with its header in the order of the names, which else differs from run to run."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _safetensors(write: Callable[[Path], object]) -> Files:
    return {"input.safetensors": with_sorted_header(_written("input.safetensors", write))}


# Checkpoints


class _Call:
    """Pickles as a call, as objects of code that is not here do."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


class _Pickler(pickle.Pickler):
    """Pickles storages apart, as torch does, but under numbers in place of addresses, which differ from run to run."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, 2)
        self.storages: dict[int, Tensor] = {}

    def persistent_id(self, value: Any) -> Any:
        """Return what stands for a storage."""
        if not isinstance(value, torch.storage.TypedStorage):
            return None
        self.storages.setdefault(value._cdata, torch.tensor([], dtype=value.dtype).set_(value._untyped_storage))
        key = str(list(self.storages).index(value._cdata))
        kind = getattr(torch, value._pickle_storage_type())
        return "storage", kind, key, "cpu", value._size(), None


def _stream(value: Any) -> bytes:
    """torch's older container."""
    file = io.BytesIO()
    for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
        pickle.dump(head, file, 2)
    pickler = _Pickler(file)
    pickler.dump(value)
    pickle.dump([str(key) for key in range(len(pickler.storages))], file, 2)
    for tensor in pickler.storages.values():
        file.write(struct.pack("<q", tensor.numel()) + tensor.numpy().tobytes())
    return file.getvalue()


def _nested(value: Tensor | None, parameter: bool) -> Any:
    """A tensor within a plain pickle, which holds a torch file of its own."""
    if value is None:
        return None
    storage = _Call(torch.storage._load_from_bytes, _stream(value.contiguous()._typed_storage()))
    call = _Call(torch._utils._rebuild_tensor_v2, storage, 0, tuple(value.shape), value.stride(), False, OrderedDict())
    return _Call(torch._utils._rebuild_parameter, call, False, OrderedDict()) if parameter else call


def _released(module: torch.nn.Module, make: Any) -> _Call:
    """A module of ours as the PyTorch release pickles it."""
    state: dict[str, Any] = {
        "_parameters": {name: _nested(value, True) for name, value in module._parameters.items()},
        "_buffers": {name: _nested(value, False) for name, value in module._buffers.items()},
        "_modules": {name: _released(child, make) for name, child in module._modules.items() if child is not None},
    }
    linear = hasattr(module, "lrelu") and not module.lrelu
    state.update(activation="linear" if linear else "lrelu", w_avg_beta=0.99, bias_gain=0.01, conv_clamp=256)
    state["up"] = getattr(module, "up", 1)
    return _Call(make, {"class_name": type(module).__name__, "module_src": "1/0", "type": "class", "state": state})


def nvidia_pickles() -> list[Files]:
    """A release's pickle, of a generator and a discriminator."""
    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
    exec("def _reconstruct_persistent_obj(meta): raise AssertionError", module.__dict__)
    make = module._reconstruct_persistent_obj
    make.__module__ = module.__name__
    sys.modules.update({package.__name__: package, module.__name__: module})
    try:
        networks = {"G_ema": _released(tiny.generator(), make), "D": _released(tiny.discriminator(), make)}
        return [{"input.pkl": pickle.dumps(networks, protocol)} for protocol in (2, 4)]
    finally:
        del sys.modules[module.__name__], sys.modules[package.__name__]


class _Network:
    """Pickles as a network of the TensorFlow release."""

    def __init__(self, variables: dict[str, Tensor], components: dict[str, Any]) -> None:
        settings = {"resolution": 8, "label_size": 0, "resample_kernel": [1, 3, 3, 1], "dlatent_avg_beta": 0.995}
        self.state = {
            "version": 4, "name": "G", "module_src": "1/0", "static_kwargs": settings, "components": components,
            "variables": [(name, value.numpy()) for name, value in variables.items()],
        }  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return _tensorflow_class, (), self.state


def _tensorflow_class() -> None:
    """Stand in for `dnnlib.tflib.network.Network`, while pickling."""


def _tensorflow_variables(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The variables of synthesis and mapping, by TensorFlow's names."""
    synthesis: dict[str, Tensor] = {}
    mapping: dict[str, Tensor] = {}
    layers = {"conv1": "Conv1", "conv0": "Conv0_up", "torgb": "ToRGB"}
    for name, value in state.items():
        part, *path = name.split(".")
        if part == "mapping" and path[0].startswith("fc"):
            mapping[f"Dense{path[0][2:]}/{path[1]}"] = value.t() if value.ndim == 2 else value
        elif part == "synthesis" and name.endswith("noise_const"):
            side = int(path[0][1:])
            index = 2 * (side.bit_length() - 3) - (path[1] == "conv0")
            synthesis[f"noise{index}"] = value[None, None]
        elif part == "synthesis" and not name.endswith("resample_filter"):
            side = path[0][1:]
            if path[1] == "const":
                synthesis[f"{side}x{side}/Const/const"] = value[None]
                continue
            layer = "Conv" if path[:2] == ["b4", "conv1"] else layers[path[1]]
            leaf = "_".join(path[2:]).replace("affine", "mod")
            value = value - 1 if leaf == "mod_bias" else value
            value = value.permute(2, 3, 1, 0) if value.ndim == 4 else value.t() if value.ndim == 2 else value
            value = value.flip(0, 1) if layer.endswith("_up") and leaf == "weight" else value
            synthesis[f"{side}x{side}/{layer}/{leaf}"] = value
    return synthesis, mapping


def tensorflow_pickles() -> list[Files]:
    """A pickle of the TensorFlow release, whose three networks are a generator."""
    network = tiny.generator()
    synthesis, mapping = _tensorflow_variables(dict(network.state_dict()))
    whole = _Network(
        {"dlatent_avg": network.w_avg}, {"synthesis": _Network(synthesis, {}), "mapping": _Network(mapping, {})}
    )
    found = []
    for protocol in (2, 4):
        data = pickle.dumps((whole, whole, whole), protocol)
        old = f"c{_tensorflow_class.__module__}\n_tensorflow_class\n".encode()
        found.append(data.replace(old, b"cdnnlib.tflib.network\nNetwork\n") if protocol == 2 else _renamed(data))
    return [{"input.pkl": data} for data in found]


def _renamed(data: bytes) -> bytes:
    """Write a pickle of protocol 4 with the name of the release's class, which has other lengths."""
    module = _tensorflow_class.__module__.encode()
    old = b"\x8c" + bytes([len(module)]) + module + b"\x94\x8c\x11_tensorflow_class\x94\x93"
    name = b"\x8c\x14dnnlib.tflib.network\x94\x8c\x07Network\x94\x93"
    return _without_frames(data).replace(old, name)


def _without_frames(data: bytes) -> bytes:
    """The pickle without its frames, whose lengths a change would make wrong."""
    import pickletools

    starts = [(code.name, position) for code, _, position in pickletools.genops(data)]
    ends = [position for _, position in starts[1:]] + [len(data)]
    return b"".join(data[p:e] for (name, p), e in zip(starts, ends, strict=True) if name != "FRAME")


def _zipped(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _torch_contents() -> list[Any]:
    network = tiny.generator()
    state = OrderedDict(network.state_dict())
    return [{"g_ema": state, "iteration": 7}, network, {"state_dict": {f"module.{k}": v for k, v in state.items()}}]


def torch_zips() -> list[Files]:
    """Archives of torch.save: state dicts and a whole module."""
    return [{"input.pt": _zipped(content)} for content in _torch_contents()]


def torch_streams() -> list[Files]:
    """The same as older versions of torch wrote them."""
    return [{"input.pt": _stream(content)} for content in _torch_contents()]


def own_generators() -> list[Files]:
    """Networks that `stylegan2.save` wrote."""
    networks = tiny.generator(), tiny.discriminator()
    return [_safetensors(lambda path, network=network: stylegan2.save(network, path)) for network in networks]


_XML = """<?xml version="1.0"?>
<net name="any" version="10"><layers>
<layer id="0" name="m.input.input" type="Const"><data element_type="f32" shape="2, 2" offset="0" size="16"/></layer>
<layer id="1" name="x" type="MatMul"/><layer id="2" name="add" type="Add"/>
<layer id="3" name="b" type="Const"><data element_type="f32" shape="1, 2" offset="16" size="8"/></layer>
<layer id="4" name="conv" type="Convolution"/>
</layers><edges>
<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
<edge from-layer="1" from-port="0" to-layer="2" to-port="0"/>
<edge from-layer="3" from-port="0" to-layer="2" to-port="1"/>
<edge from-layer="0" from-port="0" to-layer="4" to-port="0"/>
</edges></net>
"""


def openvino_folders() -> list[Files]:
    """A folder of two graphs, too small for the mobile generator, which has one size only."""
    blob = np.arange(6, dtype="<f4").tobytes()
    return [{f"{name}Network.{kind}": content for name in ("Mapping", "Synthesis")
             for kind, content in (("xml", _XML.encode()), ("bin", blob))}]  # fmt: skip


def published_translators() -> list[Files]:
    """A small network by the names of published ones."""
    torch.manual_seed(0)
    states = [to_published(config.build()) for config in (ResNetConfig(ngf=2, blocks=1), UNetConfig(size=32, ngf=2))]
    return [{"input.pth": write(OrderedDict(state))} for write in (_zipped, _stream) for state in states]


# Files of tensors with a card


def directions() -> list[Files]:
    """Directions of spaces w and w+."""
    rng = np.random.default_rng(0)
    found = []
    for shape, space in (((8,), "w"), ((4, 8), "w+")):
        vector = rng.normal(size=shape).astype(np.float32)
        vector /= np.linalg.norm(np.atleast_2d(vector), axis=1).max()
        direction = Direction(vector, "smile", "mean", space, statistics={"auc": 0.9}, generator="abc")
        found.append(_safetensors(direction.save))
    return found


def translators() -> list[Files]:
    """Translators of two architectures."""
    configs = ResNetConfig(ngf=2, blocks=1), UNetConfig(size=32, ngf=2)
    found = []
    for config in configs:
        torch.manual_seed(0)
        translator = Translator({"a2b": config.build()}, {"method": "pix2pix", "steps": 3})
        found.append(_safetensors(translator.save))
    return found


def attribute_scorers() -> list[Files]:
    """A classifier of two attributes."""
    torch.manual_seed(0)
    scorer = AttributeScorer(AttributeNet(2, 2), ("young", "male"), torch.ones(2), torch.zeros(2), {"note": "tiny"})
    return [_safetensors(scorer.save)]


def projections() -> list[Files]:
    """The result of a projection of two images."""
    result = Projection(
        {"ws": torch.ones(2, 4, 8)}, DEFAULTS["w+"], torch.ones(2, dtype=torch.int64), torch.ones(2), "abc"
    )
    return [_safetensors(result.save)]


def weight_deltas() -> list[Files]:
    """What tuning has changed."""
    delta = WeightDelta({"b4.conv1.weight": torch.ones(4, 4)}, "abc", {"steps": 1}, {"lpips": 0.1})
    return [_safetensors(delta.save)]


# Arrays


def latents() -> list[Files]:
    """Latent codes as NumPy, torch and safetensors keep them."""
    import safetensors.torch

    codes = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    bare, several = io.BytesIO(), io.BytesIO()
    np.save(bare, codes)
    np.savez(several, w=codes)
    tensors = {"w": torch.from_numpy(codes)}
    return [
        {"input.npy": bare.getvalue()}, {"input.npz": several.getvalue()}, {"input.pt": _zipped(tensors)},
        {"input.safetensors": with_sorted_header(safetensors.torch.save(tensors))},
    ]  # fmt: skip


def published_directions() -> list[Files]:
    """Directions as publications give them."""
    direction = np.linspace(-1, 1, 8, dtype=np.float32)
    layers = {"b4.conv1": torch.ones(8), "b8.conv0": torch.zeros(1, 8)}
    bare, several = io.BytesIO(), io.BytesIO()
    np.save(bare, np.tile(direction, (4, 1)))
    np.savez(several, direction=direction)
    return [{"input.npy": bare.getvalue()}, {"input.npz": several.getvalue()}, {"input.pt": _zipped(layers)}]


# Tables


def sample_tables() -> list[Files]:
    """A sample table in two shards, with its manifest."""
    settings = SampleSettings("abc", "def", ("happy", "sad"), 0.7, 0, 6, 64, shard_size=4)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        store = SampleStore.open(scratch, settings)
        for index, seeds in enumerate((range(4), range(4, 6))):
            n = len(seeds)
            w, scores = rng.normal(size=(n, 8)).astype(np.float32), rng.random((n, 2)).astype(np.float32)
            psi = np.full(n, 0.7, np.float32)
            table = SampleTable(np.array(seeds), psi, w, scores, ("happy", "sad"), "abc", "def")
            store.write(index, table)
        return [
            {path.name: path.read_bytes() for path in sorted(Path(scratch).iterdir()) if not path.name.startswith(".")}
        ]


def edit_tables() -> list[Files]:
    """A table of edits."""
    strengths, scores = np.array([-1.0, 0.0, 1.0]), np.random.default_rng(0).random((2, 3, 1)).astype(np.float32)
    table = EditTable(np.arange(2), strengths, scores, ("happy",), None)
    return [{"input.parquet": _written("input.parquet", table.save)}]


def parquet(columns: dict[str, Any]) -> bytes:
    """A Parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, write_page_checksum=True)
    return file.getvalue()


@cache
def _keras() -> bytes:
    network = xception.MiniXception()
    file = io.BytesIO()
    with h5py.File(file, "w") as target:
        layers = [
            {"config": {"name": name, "epsilon": 0.001}} for name in sorted(set(xception._keras_names().values()))
        ]
        target.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
        for name, keras in xception._keras_names().items():
            module = network.get_submodule(name)
            for key, shape in _keras_arrays(module):
                array = np.full(shape, 0.01, np.float32)
                target.create_dataset(f"model_weights/{keras}/{keras}_1/{key}", data=array, compression="gzip")
    return file.getvalue()


def _keras_arrays(module: torch.nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a layer's arrays in Keras's file."""
    if isinstance(module, torch.nn.BatchNorm2d):
        return [(name, (module.num_features,)) for name in ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0")]
    if isinstance(module, xception.SeparableConv):
        deep, point = module.depthwise.weight.shape, module.pointwise.weight.shape
        return [("depthwise_kernel:0", (deep[2], deep[3], deep[0], deep[1])),
                ("pointwise_kernel:0", (point[2], point[3], point[1], point[0]))]  # fmt: skip
    if isinstance(module, torch.nn.Conv2d):
        shape = module.weight.shape
        bias = [("bias:0", (shape[0],))] if module.bias is not None else []
        return [("kernel:0", (shape[2], shape[3], shape[1], shape[0])), *bias]
    return []


def expression_weights() -> list[Files]:
    """The HDF5 file of the network of expressions, with other weights."""
    return [{"input.hdf5": _keras()}]


# Text


def _csv(*lines: str) -> Files:
    return {"input.csv": ("\n".join(lines) + "\n").encode()}


def labels() -> list[Files]:
    """Labels of faces, for the training of a scorer."""
    return [_csv("image,identity,young,male", *(f"{k}.png,p{k // 2},{k % 2},{k // 3 % 2}" for k in range(12)))]


def given_faces_csv() -> list[Files]:
    """Boxes and landmarks as CSV."""
    return [_csv("photo,left,top,right,bottom", "a.jpg,1,2,30,40", "b.jpg,5,6,7,8"),
            _csv("a.jpg,10,10,30,10,20,20,12,30,28,30")]  # fmt: skip


def given_faces_json() -> list[Files]:
    """Boxes and landmarks as JSON."""
    points = [[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]]
    faces = {"a.jpg": points, "b.jpg": {"box": [1, 2, 30, 40]}, "c.jpg": [{"landmarks": points}, {"box": [1, 2, 3, 4]}]}
    return [{"input.json": json.dumps(faces).encode()}]


def outlines() -> list[Files]:
    """Polygons of labelme and COCO, with the image that they belong to."""
    shape = {"label": "x", "points": [[1, 1], [10, 1], [10, 10]], "shape_type": "polygon", "group_id": None}
    circle = {"label": "y", "points": [[8, 8], [10, 10]], "shape_type": "circle", "group_id": 1}
    labelme = {"shapes": [shape, circle], "imageHeight": 16, "imageWidth": 16, "version": "5"}
    annotations = [{"id": 1, "image_id": 1, "segmentation": [[1, 1, 10, 1, 10, 10]], "iscrowd": 0}]
    coco = {"images": [{"id": 1, "file_name": "input.png", "height": 16, "width": 16}], "annotations": annotations}
    return [{"input.json": json.dumps(one).encode()} for one in (labelme, coco)]


def related() -> list[Files]:
    """Lists of related attributes."""
    return [{"input.json": json.dumps({"smile": ["age"], "age": ["smile", "beard"], "beard": []}).encode()}]


def set_labels() -> list[Files]:
    """Labels of two images of a generator's training set: classes, and numbers."""
    both = ([["a.png", 0], ["b.png", 3]], [["a.png", [0.5, 1.0]], ["b.png", [-1.0, 2.0]]])
    return [{"input.json": json.dumps({"labels": one}).encode()} for one in both]


def measurements() -> list[Files]:
    """Figures of a direction, as `latentlab directions measure` keeps them."""
    interval = {"mean": 0.8, "low": 0.7, "high": 0.9, "n": 10, "missing": 0}
    facts = {
        "name": "svm", "attribute": "smile", "method": "svm", "space": "w", "reversed": False, "sigma": 1.0,
        "auc": {"smile": interval}, "strengths": [0.0, 1.0], "shares": {"smile": [0.1, 0.9]}, "identities": [1.0, None],
        "rank_correlation": {"smile": 0.9}, "learning_seconds": None, "edit_seconds": 0.1,
    }  # fmt: skip
    row = {
        "direction": "svm", "way": "one", "strengths": [1.0, 2.0], "succeeded": [True, False], "reached": True,
        "values": {"lpips": [0.1, 0.2]}, "changes": [[0.1], [0.2]], "gained": [1], "lost": [0],
    }  # fmt: skip
    role = {"teacher": "fer", "judge": "attributes", "attributes": ["smile"], "related": ["age"], "rows": [row]}
    whole = {
        "format_version": 1, "attribute": "smile", "region": None, "seeds": [1, 2], "facts": [facts], "roles": [role],
        "cosines": [[1.0]], "settings": {"faces": 2},
    }  # fmt: skip
    return [{"input.json": json.dumps(whole).encode()}]


# Images


def _image(mode: str) -> Image.Image:
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65535, (16, 16), dtype=np.uint16))
    return rgb.convert(mode)


_KINDS = (
    ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "I;16"), ("PNG", "1"), ("PNG", "LA"),
    ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WEBP", "RGB"), ("WEBP", "RGBA"), ("TIFF", "RGB"),
    ("TIFF", "CMYK"), ("TIFF", "I;16"), ("TIFF", "F"), ("BMP", "RGB"), ("BMP", "P"), ("GIF", "P"), ("PPM", "RGB"),
    ("EPS", "RGB"), ("TGA", "RGB"), ("ICO", "RGBA"), ("PCX", "RGB"), ("SGI", "RGB"),
)  # fmt: skip
SUFFIXES = {"JPEG": "jpg", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp", "PPM": "ppm"}  # others are called .png


def images() -> list[Files]:
    """Images in the formats and modes that Pillow writes; those that are no usual ones pretend to be PNG."""
    found = []
    for kind, mode in _KINDS:
        file = io.BytesIO()
        options = {"compression": "tiff_deflate"} if kind == "TIFF" and mode == "RGB" else {}
        _image(mode).save(file, kind, **options)
        found.append({f"input.{SUFFIXES.get(kind, 'png')}": file.getvalue()})
    frames, moving = [_image("RGB"), _image("L").convert("RGB")], io.BytesIO()
    frames[0].save(moving, "PNG", save_all=True, append_images=frames[1:])
    return [*found, {"input.png": moving.getvalue()}]


def masks() -> list[Files]:
    """Masks of instances: black and white, of several values, and in alpha."""
    values = np.zeros((16, 16), np.uint8)
    values[2:6, 2:6], values[8:12, 8:12] = 1, 2
    found = []
    for picture in (Image.fromarray(255 * (values == 1).astype(np.uint8)), Image.fromarray(values)):
        file = io.BytesIO()
        picture.save(file, "PNG")
        found.append({"input.png": file.getvalue()})
    return found


def image_archives() -> list[Files]:
    """Zip archives of images and the JSON beside them."""
    png = images()[0]["input.png"]
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in (("set/a.png", png), ("set/b.png", png), ("set/a.json", b"{}"), ("notes.txt", b"x")):
                archive.writestr(zipfile.ZipInfo(name), content, method)
        found.append({"input.zip": file.getvalue()})
    return found
