"""The interface of checkpoint formats.

To add one, write a module of this package that meets `Format`, and name it in `FORMATS` of `loading`:

- `READS`, the origin of the files it reads, for messages: "genforce (.pth)";
- `networks(content)`, which returns None at once for files of other formats, and otherwise a function for each network
  in the file, by the names 'G_ema', 'G' and 'D'. The one that is asked for is called, and returns a configuration and
  the tensors by the names that `stylegan2.networks`, `discriminator` and `mobile` give them. `content.networks` has the
  state dicts of a file, under whatever keys and prefixes; `by_names` picks those whose tensors have the format's names.

`layout` infers configurations from names and shapes; names and shapes are checked against the configuration afterwards
(`build`). A file that is damaged or unsupported is a `CheckpointError` whose message says what is wrong; `load` puts
the file's name in front, and turns whatever else malformed contents raise into such an error, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import safetensors.torch
from torch import Tensor

from stylegan2.checkpoints.found import Tensors, find_networks
from stylegan2.checkpoints.kinds import Config
from stylegan2.errors import CheckpointError
from stylegan2.safe_pickle import Module, looks_pickled, read_pickled

State = dict[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """A network as it was read: its configuration, and its tensors by the project's names for them."""

    config: Config
    state: State


Networks = dict[str, Callable[[], Loaded]]


class Content:
    """The content of a file or a folder, read when it is first needed.

    Parameters
    ----------
    path
        An existing file or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def data(self) -> memoryview:
        """The bytes of the file; empty for a folder."""
        return memoryview(b"" if self.path.is_dir() else self.path.read_bytes())

    @cached_property
    def pickled(self) -> Any:
        """What the pickle or torch file holds, as plain data (see `stylegan2.safe_pickle`); None for other files."""
        return read_pickled(self.data) if looks_pickled(self.data) else None

    @property
    def is_safetensors(self) -> bool:
        """Whether the file looks like one of safetensors."""
        return len(self.data) > 8 and bytes(self.data[8:9]) == b"{"

    @cached_property
    def plain(self) -> Any:
        """What the pickle, torch file or safetensors file holds; None for other files."""
        if not self.is_safetensors:
            return self.pickled
        try:
            return safetensors.torch.load(bytes(self.data))
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"it is truncated or damaged: {error}") from error

    @cached_property
    def networks(self) -> dict[str, Module | Tensors]:
        """Modules or tensors of the file by network, whatever their code base (see `found`)."""
        return find_networks(self.plain)


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
