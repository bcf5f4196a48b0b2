"""The interface of checkpoint formats.

To add one, write a module of this package that meets `Format`, and name it in `FORMATS` of `loading`:

- `READS`, the origin of the files it reads, for messages: "genforce (.pth)";
- `networks(content)`, which returns None at once for files of other formats, and otherwise a function for each network
  in the file, by the names 'G_ema', 'G' and 'D'. The one that is asked for is called, and returns a configuration and
  the tensors by the names that `stylegan2.networks`, `discriminator` and `mobile` give them. `content.networks` has the
  state dicts of a file, under whatever keys and prefixes; `by_names` picks those whose tensors have the format's names,
  and `content.read` reads them.

A format that is also written meets `WritableFormat`, and is named in `LAYOUTS` of `exporting`.

`layout` infers configurations from names and shapes; names and shapes are checked against the configuration afterwards
(`build`). A file that is damaged or unsupported is a `CheckpointError` whose message says what is wrong; `load` puts
the file's name in front, and turns whatever else malformed contents raise into such an error, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import msgspec
import safetensors.torch
from torch import Tensor

from stylegan2.checkpoints.found import Tensors, find_networks
from stylegan2.checkpoints.kinds import Config
from stylegan2.describing import describe, printable
from stylegan2.errors import CheckpointError
from stylegan2.regular import irregular
from stylegan2.safe_pickle import Module, floats, looks_pickled, read_pickled

# Bytes that the tensors of a network may take for each byte of the file, which has at least half of them, and those
# that tensors of small files take besides their values.
_PER_BYTE, _FREE, _OBJECT = 3, 32 << 20, 1000
# The longest header of a safetensors file: those of networks have some thousand bytes.
_LONGEST_HEADER = 4 << 20

State = dict[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """A network as it was read: its configuration, and its tensors by the project's names for them."""

    config: Config
    state: State


Networks = dict[str, Callable[[], Loaded]]


class Header(msgspec.Struct):
    """What is of interest in the header of a safetensors file: the metadata."""

    metadata: dict[str, str] = msgspec.field(name="__metadata__", default_factory=dict)


class Content:
    """The content of a file or a folder, read when it is first needed.

    Parameters
    ----------
    path
        An existing file or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._taken = 0

    @cached_property
    def data(self) -> memoryview:
        """The bytes of the file; empty for a folder."""
        return memoryview(b"" if self.path.is_dir() else read_regular(self.path))

    @cached_property
    def pickled(self) -> Any:
        """What the pickle or torch file holds, as plain data (see `stylegan2.safe_pickle`); None for other files."""
        return read_pickled(self.data) if looks_pickled(self.data) else None

    @property
    def is_safetensors(self) -> bool:
        """Whether the file looks like a safetensors file."""
        return len(self.data) > 8 and bytes(self.data[8:9]) == b"{"

    @cached_property
    def header(self) -> Header:
        """The header of a safetensors file.

        Raises
        ------
        CheckpointError
            It is truncated, damaged or too long.
        """
        length = int.from_bytes(self.data[:8], "little")
        if length > len(self.data) - 8:
            raise CheckpointError("it is truncated: a safetensors file whose header ends beyond its end")
        if length > _LONGEST_HEADER:
            raise CheckpointError(f"unsupported: a safetensors file with a header of {length} bytes")
        try:
            return msgspec.json.decode(self.data[8 : 8 + length], type=Header)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise CheckpointError("it is damaged: a safetensors file with an unreadable header") from error

    @cached_property
    def plain(self) -> Any:
        """What the pickle, torch file or safetensors file holds; None for other files."""
        return self.safetensors() if self.is_safetensors else self.pickled

    def safetensors(self) -> State:
        """Read the tensors of a safetensors file.

        Raises
        ------
        CheckpointError
            It is truncated or damaged.
        """
        _ = self.header  # of a bounded length
        try:
            return safetensors.torch.load(bytes(self.data))
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"it is truncated or damaged: {printable(str(error)[:200])}") from error

    def read(self, tensors: Mapping[str, Any]) -> State:
        """Read tensors that `networks` or `plain` hold; see `safe_pickle.floats`.

        Raises
        ------
        CheckpointError
            One of them is not a tensor, or they share their values so often that they are far larger than the file.
        """
        state = {}
        for name, value in tensors.items():
            if not isinstance(name, str):
                raise CheckpointError(f"it is damaged: a tensor is called {describe(name)}")
            state[name] = floats(value, name)
            self._taken += state[name].nbytes + _OBJECT
            if self._taken > _PER_BYTE * len(self.data) + _FREE:
                raise CheckpointError("refused: its tensors share their values, and are far larger than the file")
        return state

    @cached_property
    def networks(self) -> dict[str, Module | Tensors]:
        """Modules or tensors of the file by network, whatever their code base (see `found`)."""
        return find_networks(self.plain)


def read_regular(path: Path) -> bytes:
    """Return the bytes of a file, unless reading it might not end.

    Raises
    ------
    CheckpointError
        It is a pipe, a device or the like.
    """
    kind = irregular(path)
    if kind is not None:
        raise CheckpointError(f"it is {kind}, not a file; copy what it gives into a file")
    return path.read_bytes()


class Format(Protocol):
    """A checkpoint format: a module of this package.

    Attributes
    ----------
    READS
        Origin of the files that it reads, with their suffixes.
    """

    READS: str

    def networks(self, content: Content) -> Networks | None:
        """Return the networks of `content` by name, each read when called; None if it is of another format."""


class WritableFormat(Protocol):
    """A format in which networks of some family are written: a module of this package, which reads them, too."""

    def obstacle(self, generator: Any, discriminator: Any) -> str | None:
        """Say what the layout has no place for in a generator of the family, and in a discriminator or None.

        The answer says what networks of the layout are like, such as "it has no labels"; None if it can hold these.
        """

    def content_of(self, generator: Any, discriminator: Any) -> dict[str, Any]:
        """Return the dictionary that `torch.save` writes for networks without an obstacle."""
