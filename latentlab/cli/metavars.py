"""Names of the values of options and arguments in the help, instead of the Python types that typer would show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand
from typer.models import ArgumentInfo, ParameterInfo

_BY_TYPE = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def metavar_of(kind: Any) -> str | None:
    """Return the name of a value of some type; None for flags and choices, which need none."""
    own = [one for one in get_args(kind) if one is not NoneType]
    return metavar_of(own[0]) if get_origin(kind) is not None and own else _BY_TYPE.get(kind)


def name_values(app: typer.Typer) -> typer.Typer:
    """Name the values of all options and arguments that have no name yet, and return the app."""
    for command in app.registered_commands:
        command.cls = _Command
        if command.callback is not None:
            _name_values_of(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            name_values(group.typer_instance)
    return app


def _name_values_of(function: Callable[..., Any]) -> None:
    hints = get_type_hints(function, include_extras=True)
    function.__annotations__.update(hints)  # as text, typer would evaluate them again
    for name, hint in hints.items():
        kind, *others = get_args(hint) or [hint]
        for info in others:
            if isinstance(info, ParameterInfo) and info.metavar is None:
                info.metavar = name.upper() if isinstance(info, ArgumentInfo) else metavar_of(kind)


class _Command(TyperCommand):
    """A command whose arguments appear in the help by name alone; newer versions of typer add their types."""

    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)
        for param in params:
            if isinstance(param, TyperArgument):
                setattr(param, "display_type_rich", lambda ctx: None)  # noqa: B010 (older versions have none)
        return params
