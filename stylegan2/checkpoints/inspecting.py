"""Say what a checkpoint holds, without making a network from it."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from stylegan2.checkpoints.format import Content, Loaded
from stylegan2.checkpoints.loading import errors_name, recognise, resolve
from stylegan2.defaults import plain_defaults
from stylegan2.describing import describe, printable
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle import Array, Record, TensorView, survey

# Of a pickled dictionary, which may hold the history of a training.
_MOST_ENTRIES, _LONGEST_NAME = 50, 200


@dataclass(frozen=True)
class Held:
    """The tensors of a file.

    Attributes
    ----------
    count, values
        How many there are, and how many values they have in total.
    dtypes
        How many there are of each type.
    """

    count: int
    values: int
    dtypes: dict[str, int]


@dataclass(frozen=True)
class Inspected:
    """What a checkpoint holds, as it says itself: none of it is trusted, and all text is printable.

    Attributes
    ----------
    path
        The file or folder.
    size
        Its bytes.
    sha256
        Hash of the file; None for a folder.
    format
        Whose format it is; "pickle", "torch file" or "safetensors" if it is none that `stylegan2.load` reads.
    networks
        Configurations of the networks that can be read, by 'G_ema', 'G' and 'D'; a network that is alone may answer to
        two names.
    globals
        The Python names that it asks for, each with whether reading allows it: one that is not allowed could run code.
    tensors
        Its tensors, including those that are not the networks'.
    metadata
        What else it says: the metadata of a safetensors file, or the texts and numbers of a pickled dictionary.
    problem
        Why `stylegan2.load` would refuse one of its networks, or all of it; None if no reason is seen before names,
        shapes and values of tensors are checked.
    """

    path: str
    size: int
    sha256: str | None
    format: str
    networks: dict[str, dict[str, Any]]
    globals: dict[str, bool]
    tensors: Held
    metadata: dict[str, str]
    problem: str | None


@plain_defaults()
def inspect(path_or_name: str | Path) -> Inspected:
    """Say what a checkpoint holds, without making a network from it or running any of its code.

    Parameters
    ----------
    path_or_name
        As for `stylegan2.load`; any file of safetensors, and any pickle or torch file, hostile ones too.

    Returns
    -------
    Inspected
        Format, networks and their configurations, tensors, metadata, and the Python names that it asks for.

    Raises
    ------
    CheckpointError
        There is no such file or name, or the file is neither a checkpoint, nor a pickle, nor safetensors.
    """
    path = resolve(path_or_name)
    with errors_name(path):
        return _inspect(path)


def _inspect(path: Path) -> Inspected:
    content = Content(path)
    form, networks, problem = _networks(path)
    asked, raw = _names_and_content(content)
    kind = form or _container(content, asked)
    if kind is None:
        raise CheckpointError(problem)
    return Inspected(
        path=printable(str(path)),
        size=sum(file.lstat().st_size for file in path.iterdir()) if path.is_dir() else len(content.data),
        sha256=None if path.is_dir() else hashlib.sha256(content.data).hexdigest(),
        format=kind,
        networks={name: asdict(loaded.config) for name, loaded in networks.items()},
        globals={printable(name): allowed for name, allowed in sorted(asked.items())},
        tensors=_held([loaded.state for loaded in networks.values()] if path.is_dir() else raw),
        metadata=_metadata(content, raw),
        problem=problem,
    )


def _networks(path: Path) -> tuple[str | None, dict[str, Loaded], str | None]:
    """Return the format, the networks that can be read, and the first reason why one cannot be."""
    form, networks, problem = None, {}, None
    try:
        with errors_name(path):
            form, found = recognise(Content(path))
    except CheckpointError as error:
        return None, {}, _without(path, error)
    for name in found:
        try:
            with errors_name(path):
                # A content of its own: each network may read as much as the file can hold.
                networks[name] = _without_values(recognise(Content(path))[1][name](), keep=path.is_dir())
        except CheckpointError as error:
            problem = problem or _without(path, error)
    return form.READS, networks, problem


def _without_values(loaded: Loaded, keep: bool) -> Loaded:
    return loaded if keep else Loaded(loaded.config, {})


def _without(path: Path, error: CheckpointError) -> str:
    """Return the message without the path, which stands in it for `load`."""
    return str(error).removeprefix(f"{printable(str(path))}: ")


def _names_and_content(content: Content) -> tuple[dict[str, bool], Any]:
    """Return the globals that the file asks for, and what it holds, as far as either can be read."""
    if content.path.is_dir():
        return {}, None
    try:
        plain = content.plain
    except CheckpointError:
        plain = None
    if content.is_safetensors:
        return {}, plain
    asked, raw = survey(content.data)
    # Of a file that can be read, names that are not in the table are classes of modules, whose objects are data.
    return (asked, raw) if plain is None else (dict.fromkeys(asked, True), plain)


def _container(content: Content, asked: dict[str, bool]) -> str | None:
    """Name what a file is that has none of the formats; None if it is nothing that could be a checkpoint."""
    if content.is_safetensors:
        return "safetensors"
    if bytes(content.data[:4]) == b"PK\x03\x04":
        return "torch file" if asked else None
    return "pickle" if asked or bytes(content.data[:1]) == b"\x80" else None


def _held(raw: Any) -> Held:
    """Count the tensors in what a file holds, each once, however often and deep it is nested."""
    dtypes: Counter[str] = Counter()
    values = 0
    for tensor in _tensors(raw):
        if isinstance(tensor, TensorView):
            dtype, shape = str(tensor.storage.dtype), tensor.shape
        elif isinstance(tensor, Array):
            dtype, shape = str(tensor.state.dtype), tensor.state.shape
        else:
            dtype, shape = str(tensor.dtype), tuple(tensor.shape)
        dtypes[dtype.removeprefix("torch.")] += 1
        values += math.prod(shape)
    return Held(dtypes.total(), values, dict(dtypes))


def _tensors(raw: Any) -> Iterator[Any]:
    seen: set[int] = set()
    left = [raw]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, (Tensor, TensorView)) or (isinstance(value, Array) and value.state is not None):
            yield value
        elif isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, (list, tuple)):
            left.extend(value)
        elif isinstance(value, Record):
            left.append(value.state)


def _metadata(content: Content, raw: Any) -> dict[str, str]:
    if content.is_safetensors:
        try:
            entries = content.header.metadata
        except CheckpointError:
            return {}
        return {printable(name): printable(value) for name, value in entries.items()}
    plain = raw.items() if isinstance(raw, dict) else ()
    texts = [(name, value) for name, value in plain if isinstance(name, str) and isinstance(value, (str, int, float))]
    return {printable(name[:_LONGEST_NAME]): describe(value) for name, value in texts[:_MOST_ENTRIES]}
