"""Packages whose names are imported on first use (PEP 562): importing the package itself costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package.

    A package assigns them where type checkers do not look, as these would otherwise accept any attribute::

        if not TYPE_CHECKING:
            __getattr__, __dir__ = lazy_names(__name__, {"finders": ("LinearSVM", "MeanDifference")})

    Parameters
    ----------
    package
        The package's `__name__`.
    modules
        Names to offer, by the module of the package that defines them.
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *module_of})

    return get, names
