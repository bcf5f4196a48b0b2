"""Trained models that are given to a comparison, in place of trainings of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.comparison.protocol import Method

__all__ = ["find_models", "methods_with_models", "plain_name"]

_SUFFIX, _FILE = ".safetensors", "translator.safetensors"
_AGAIN = re.compile(r"(.+)\.(\d+)")


def _number(name: str) -> int:
    found = _AGAIN.fullmatch(name)
    return int(found[2]) if found else 1


def plain_name(name: str) -> str:
    """Return the name of a method without the number of its training: 'pix2pix' for 'pix2pix.2'."""
    found = _AGAIN.fullmatch(name)
    return found[1] if found else name


def find_models(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Find trained models by the names of the methods: NAME.safetensors, or NAME/translator.safetensors.

    Further trainings of the same method, with other seeds, are NAME.2, NAME.3 and so on.

    Raises
    ------
    UserError
        If the folder holds none, or two of the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        model = path / _FILE if path.is_dir() else path
        name = path.name if path.is_dir() else path.name.removesuffix(_SUFFIX)
        if model.suffix != _SUFFIX or not model.is_file():
            continue
        if name in found:
            raise UserError(f"{found[name]} and {model} are both a model of {name}: keep one")
        found[name] = model
    if not found:
        raise UserError(
            f"{folder} holds no models: no NAME{_SUFFIX} and no NAME/{_FILE}, as `latentlab translate train NAME DATA "
            f"--out {folder / 'NAME'}` writes it"
        )
    names = dict.fromkeys(map(plain_name, sorted(found)))
    ordered = sorted(found, key=_number)
    return {name: tuple(found[own] for own in ordered if plain_name(own) == name) for name in names}


def methods_with_models(
    build: Callable[[Sequence[str]], list[Method]], names: Sequence[str], models: Mapping[str, Sequence[Path]]
) -> list[Method]:
    """Build methods, with the models that are given for them; further trainings become methods NAME.2, NAME.3, ….

    Parameters
    ----------
    build
        Builds the methods with given names.
    names
        Names of the methods.
    models
        Files by the names of methods, as `find_models` returns them.

    Raises
    ------
    UserError
        If a method takes no model.
    """
    methods: list[Method] = []
    for method in build(names):
        first, *others = models.get(method.name, ()) or (None,)
        if first is not None:
            method.use_model(first)
        methods.append(method)
        for number, path in enumerate(others, start=2):
            again = next(one for one in build([method.name]) if one.name == method.name)
            again.use_model(path)
            again.name = f"{method.name}.{number}"
            methods.append(again)
    return methods
