"""Short representations of results, which otherwise would print the tensors and arrays that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

_MOST = 4  # entries of a sequence that are shown
_LONGEST = 120  # characters of any other value


class ShortRepr:
    """Gives a dataclass (with `repr=False`) a representation of one line: tensors and arrays by their shapes."""

    def __repr__(self) -> str:
        shown = (one.name for one in fields(self) if one.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={short(getattr(self, name))}' for name in shown)})"


def short(value: Any) -> str:
    """Represent a value in one short line."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):  # a tensor or an array; neither library is imported here
        return f"<{'×'.join(map(str, value.shape)) or 'scalar'} {str(value.dtype).removeprefix('torch.')}>"
    if isinstance(value, Mapping | list | tuple) and len(value) > _MOST:
        return f"<{len(value)} entries>"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {short(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        entries = ", ".join(map(short, value))
        return f"({entries},)" if len(value) == 1 else f"({entries})"
    if hasattr(value, "state_dict"):  # a network, whose layers take a page
        return f"<{type(value).__name__}>"
    text = repr(value)
    return text if isinstance(value, ShortRepr) or len(text) <= _LONGEST else f"<{type(value).__name__}>"
