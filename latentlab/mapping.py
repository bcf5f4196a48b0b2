"""Seeds to latents, by any generator; a conditional one takes a class as well, a number from 0 to c_dim − 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latentlab.errors import UserError
from stylegan2.protocol import Generator
from stylegan2.sampling import z_from_seeds


def check_class(generator: Generator, class_label: int | None) -> None:
    """Refuse a class that the generator does not have, or the lack of one that it needs.

    Raises
    ------
    UserError
        The generator is conditional and `class_label` is None or out of range (names the range), or it is not and a
        class is given.
    """
    if not generator.c_dim:
        if class_label is not None:
            raise UserError(f"this generator is not conditional: it has no class {class_label}; leave the class out")
    elif class_label is None:
        raise UserError(
            f"this generator is conditional: choose one of its classes 0 … {generator.c_dim - 1}, with --class N or, "
            "in Python, class_label=N"
        )
    elif not 0 <= class_label < generator.c_dim:
        raise UserError(f"the classes of this generator are 0 … {generator.c_dim - 1}, not {class_label}")


def ws_of_seeds(generator: Generator, seeds: Sequence[int], psi: float, class_label: int | None = None) -> Tensor:
    """Map seeds to ws `(len(seeds), num_ws, w_dim)`, on the generator's device.

    Raises
    ------
    UserError
        As `check_class` says.
    """
    return map_z(generator, z_from_seeds(seeds, generator.z_dim).to(generator.w_avg.device), psi, class_label)


def map_z(generator: Generator, z: Tensor, psi: float = 1.0, class_label: int | None = None) -> Tensor:
    """Map `z (b, z_dim)` to ws `(b, num_ws, w_dim)`, all of one class.

    Raises
    ------
    UserError
        As `check_class` says.
    """
    check_class(generator, class_label)
    if class_label is None:
        return generator.mapping(z, psi=psi)
    return generator.mapping(z, _one_hot(torch.full((len(z),), class_label, device=z.device), generator), psi=psi)


def latents_of_seeds(
    generator: Generator, seeds: Sequence[int], psi: float, class_label: int | None = None
) -> dict[str, Tensor]:
    """Latents of seeds in Z, "z", "psi" and "c", as `latentlab.rendering.Latents` has them, on the generator's device.

    Raises
    ------
    UserError
        As `check_class` says.
    """
    check_class(generator, class_label)
    z = z_from_seeds(seeds, generator.z_dim).to(generator.w_avg)
    latents = {"z": z, "psi": torch.full((len(z),), psi, dtype=z.dtype, device=z.device)}
    if class_label is not None:
        latents["c"] = _one_hot(torch.full((len(z),), class_label, device=z.device), generator)
    return latents


def map_any_class(generator: Generator, z: Tensor, psi: float = 1.0, first: int = 0) -> Tensor:
    """Map `z (b, z_dim)` to ws where no class is meant: of those there are, row i takes (first + i) mod c_dim."""
    if not generator.c_dim:
        return generator.mapping(z, psi=psi)
    labels = torch.arange(first, first + len(z), device=z.device) % generator.c_dim
    return generator.mapping(z, _one_hot(labels, generator), psi=psi)


def _one_hot(labels: Tensor, generator: Generator) -> Tensor:
    """Conditions `(b, c_dim)` of classes `(b,)`: 1 in the class's place."""
    return torch.nn.functional.one_hot(labels.long(), generator.c_dim).to(generator.w_avg.dtype)
