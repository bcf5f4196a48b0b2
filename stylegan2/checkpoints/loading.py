"""Load checkpoints of any format by path or name, and convert them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, overload

import torch
from torch import Tensor

from stylegan2.checkpoints import (
    genforce,
    genforce_growing,
    native,
    nvidia,
    openvino,
    rosinality,
    rosinality_growing,
    tensorflow,
    tensorflow_growing,
)
from stylegan2.checkpoints.build import build
from stylegan2.checkpoints.format import Content, Format, Networks
from stylegan2.checkpoints.kinds import AnyDiscriminator, AnyGenerator, Network
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.describing import describe, printable
from stylegan2.devices import find_device
from stylegan2.errors import CheckpointError, ForbiddenGlobalError
from stylegan2.precision import DType, compute_dtype
from stylegan2.protocol import image_size
from stylegan2.safe_pickle import Module, read_pickled
from stylegan2.sampling import z_from_seeds

# Tried in this order. See `format` for what a format is and how to add one.
FORMATS: tuple[Format, ...] = (
    native,
    openvino,
    nvidia,
    tensorflow_growing,
    tensorflow,
    rosinality_growing,
    rosinality,
    genforce_growing,
    genforce,
)
_NAMES = ("G_ema", "G", "D")
_LONGEST = 1000  # characters of an error about a file


@overload
def load(
    path_or_name: str | Path,
    network: Literal["G_ema", "G"] | None = None,
    device: str | torch.device = "cpu",
    dtype: DType = "float32",
) -> AnyGenerator: ...


@overload
def load(
    path_or_name: str | Path, network: Literal["D"], device: str | torch.device = "cpu", dtype: DType = "float32"
) -> AnyDiscriminator: ...


@overload
def load(
    path_or_name: str | Path, network: str | None, device: str | torch.device = "cpu", dtype: DType = "float32"
) -> Network: ...


@plain_defaults()
def load(
    path_or_name: str | Path,
    network: str | None = None,
    device: str | torch.device = "cpu",
    dtype: DType = "float32",
) -> Network:
    """Load a network from a file, a folder or a name.

    No code in a file ever runs. The format is recognised from the content, the architecture from names and
    shapes.

    Besides the files that a code base writes, its modules (`torch.save(G)`) and state dicts can be loaded: alone, or
    under a usual key such as 'state_dict', 'params_ema' or 'generator', with or without the prefix 'module.'. A state
    dict has no settings: it is read without the clamp of half precision.

    Parameters
    ----------
    path_or_name
        A checkpoint: of stylegan2-ada-pytorch, of stylegan3 with StyleGAN2 networks, of TensorFlow
        StyleGAN2, StyleGAN or Progressive GAN, of rosinality, pSp or e4e, of genforce, or of `stylegan2.save`; a folder
        with a mobile generator's OpenVINO files; or a name that an installed package knows (entry points of the group
        `stylegan2.weights`). Names come before files: give a file that has such a name as ./NAME, or as a Path.
    network
        'G_ema', the generator for images (Gs in TensorFlow's words); 'G', the one in training; 'D', the
        discriminator. None: 'G_ema', or 'G' with a warning where a file has no other generator.
    device
        Device of the network.
    dtype
        Type that a generator computes its features in: 'float32', as trained (on a GPU the high resolutions in float16
        where the checkpoint says so); 'bfloat16', 1.5 to 3 times as fast on CPUs that are quick at it, at about
        40 dB (StyleGAN2, random weights) or 50 dB (mobile) from float32; 'float16', for GPUs. Weights, w and styles
        stay float32. See `compute_dtype` of the synthesis networks, which can be set at any time.

    Returns
    -------
    Generator, MobileGenerator, StyleGANGenerator or ProgressiveGenerator; Discriminator or GrowingDiscriminator
        In eval mode, parameters without gradients. Where a file lacks the mean of w (rosinality's
        training), it is the mean over 10,000 z's drawn with seed 0.

    Raises
    ------
    CheckpointError
        No such file, name or network; damaged, truncated or unsupported contents.
    DeviceError
        The device is not available.
    ValueError
        The dtype is unknown, not for this device, or asked of a discriminator.
    """
    place = find_device(device)
    features = compute_dtype(dtype, place)
    if network == "D" and features is not None:
        raise ValueError(f"dtype {dtype!r} is for generators: a discriminator computes in float32")
    if network is not None and network not in _NAMES:
        raise CheckpointError(f"no network is called {network!r}; there are {', '.join(_NAMES)}")
    path = resolve(path_or_name)
    with errors_name(path), own_draws():
        _, found = recognise(Content(path))
        name = _choose(found, network, path)
        result = build(found[name]())
    if isinstance(result, AnyDiscriminator) != (name == "D"):
        raise CheckpointError(f"{path}: its {name} is a {type(result).__name__}")
    if not isinstance(result, AnyDiscriminator):
        result.synthesis.compute_dtype = features
    return result.to(place)


def _choose(found: Networks, wanted: str | None, path: Path) -> str:
    """Return the name of the network to load."""
    has = ", ".join(name for name in _NAMES if name in found)
    if wanted is not None and wanted not in found:
        raise CheckpointError(f"it has no network {wanted!r}; it has {has}")
    if wanted is not None or "G_ema" in found:
        return wanted or "G_ema"
    if "G" not in found:
        raise CheckpointError(f"it has no generator; it has {has}, which `stylegan2.load(path, {has!r})` loads")
    warnings.warn(
        f"{path}: it has no G_ema, the average of a training that gives the better images; loaded its G, the generator "
        "in training",
        stacklevel=4,  # past `load` and its decorator
    )
    return "G"


@plain_defaults()
def convert(
    source: str | Path, target: str | Path, seeds: Iterable[int] = (0, 1, 2), network: str | None = None
) -> float:
    """Convert a checkpoint to the project's own format, and compare both.

    Parameters
    ----------
    source
        As for `load`.
    target
        The safetensors file; an existing one is replaced.
    seeds
        Seeds of the images to compare; a conditional generator makes those of its first class.
    network
        Network to convert, as for `load`.

    Returns
    -------
    float
        Largest absolute difference of a pixel, images being in about [-1, 1]; for 'D', of the logits of
        images of noise.
    """
    seeds = list(seeds)
    if not seeds:
        raise ValueError("seeds must name at least one image to compare")
    before = load(source, network)
    native.save(before, target)
    after = load(target, network)
    return max(float((_output(before, seed) - _output(after, seed)).abs().max()) for seed in seeds)


def _output(network: Network, seed: int) -> Tensor:
    """Return the output for a seed: an image, or the logit of an image of noise."""
    c = torch.eye(network.c_dim)[:1] if network.c_dim else None
    with torch.no_grad():
        if not isinstance(network, AnyDiscriminator):
            return network(z_from_seeds([seed], network.z_dim), c)
        shape = network.config.img_channels, *image_size(network)
        return network(z_from_seeds([seed], math.prod(shape)).reshape(1, *shape), c)


def resolve(path_or_name: str | Path) -> Path:
    """Return the path that a name of known weights stands for, or the path itself.

    Raises
    ------
    CheckpointError
        There is neither.
    """
    hints: list[str] = []
    # Known names come first: a file or folder that happens to be called so is given as ./NAME, or as a Path.
    if isinstance(path_or_name, str):
        for entry in entry_points(group="stylegan2.weights"):
            try:
                located = entry.load()(path_or_name)
            except LookupError as error:  # it knows a name that is nearly this one
                hints.append(str(error))
                continue
            if located is not None:
                return Path(located)
    path = Path(path_or_name)
    try:
        if path.exists():
            return path
    except (OSError, ValueError):  # no file can be called so
        pass
    hint = " or ".join(hints) or "check the path, or see `latentlab weights list` for the names"
    name = printable(str(path_or_name)[:500])
    raise CheckpointError(f"{name}: neither a file, nor a folder, nor the name of known weights; {hint}")


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """Put the file's name before errors, and turn those of malformed contents into a CheckpointError.

    Raises
    ------
    CheckpointError
        The block raised anything.
    """
    name = printable(str(path))
    try:
        yield
    except CheckpointError as error:
        told = str(error)  # which may quote names of the file
        told = told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
        raise type(error)(f"{name}: {told}") from error.__cause__
    except OSError as error:
        raise CheckpointError(f"{name}: it cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{name}: it does not fit into the memory of this machine") from error
    # A file may make any library on the way fail in any way. What went wrong is the error's cause.
    except Exception as error:
        raise CheckpointError(f"{name}: it is damaged or of an unknown format; {_supported()}") from error


def _supported() -> str:
    return f"supported are files of {'; of '.join(form.READS for form in FORMATS)}"


def recognise(content: Content) -> tuple[Format, Networks]:
    """Return the format of a file or folder, and its networks by name.

    Raises
    ------
    CheckpointError
        It is damaged, or of no supported format: the message says what it is.
    """
    for form in FORMATS:
        found = form.networks(content)
        if found is not None:
            return form, found
    raise CheckpointError(_why_none(content))


def _why_none(content: Content) -> str:
    """Say what the content is, which no format reads."""
    if content.path.is_dir():
        return "it is a folder without OpenVINO files (SynthesisNetwork.xml); name the file within it"
    if not content.data:
        return "it is empty; download or copy it again"
    if content.plain is not None:
        return f"unsupported: {_describe(content.plain)}; {_supported()}"
    head = bytes(content.data[:200]).lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")):
        return (
            "it is a web page, not weights: the download failed, as it does when a quota is used up or a "
            "licence has to be accepted in the browser; download it again"
        )
    if head.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS, not the weights; fetch them with `git lfs pull`"
    try:
        read_pickled(content.data)  # pickles of old protocols have no magic number; say so if they are hostile
    except ForbiddenGlobalError:
        raise
    except CheckpointError:
        pass
    return f"its contents are of an unknown format; {_supported()}"


def _describe(raw: Any) -> str:
    """Describe contents that have none of the formats."""
    if isinstance(raw, Module):
        return f"it is a pickled module of class {printable(raw.name[:100])}, not a StyleGAN2 network"
    if not isinstance(raw, dict):
        return f"it is a pickled {type(raw).__name__}, not a StyleGAN2 checkpoint"
    if {"GAN", "version"} <= raw.keys():
        return "it is of lucidrains' stylegan2-pytorch, which is another architecture, for which there is no converter"
    keys = ", ".join(printable(key[:40]) if isinstance(key, str) else describe(key) for key in list(raw)[:5])
    return f"it is a dictionary with the keys {keys or '(none)'}, not a StyleGAN2 checkpoint"
