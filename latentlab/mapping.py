"""Seeds to latents, with any generator; a conditional one takes a class as well, a number from 0 to c_dim − 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.errors import UserError
from stylegan2.protocol import Generator, NoiseMode, image_size
from stylegan2.sampling import z_from_seeds

# Rows that go through a mapping network at a time. Matrix products of another number of rows round differently. Tables
# of samples have shards of as many rows, so those of earlier versions hold the same bits.
_BLOCK = 64


def check_class(generator: Generator, class_label: int | None) -> None:
    """Refuse a class that the generator does not have, or a missing class where it needs one.

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


def check_has_w(generator: Generator, what: str) -> None:
    """Refuse a generator without W, whose codes are z, since `what` works in W; UserError."""
    if not generator.num_ws:
        raise UserError(f"{what} works in W, and this generator, like every Progressive GAN, has none: its codes are z")


def check_square(generator: Generator, what: str) -> None:
    """Refuse a generator whose images are not `resolution` pixels high and wide, which `what` needs; UserError."""
    height, width = image_size(generator)
    if not height == width == generator.resolution:
        raise UserError(
            f"this generator makes images of {height}×{width} pixels (height × width); {what} takes one of square "
            "images whose side is a power of two"
        )


def check_truncation(generator: Generator, psi: float, cutoff: int | None = None) -> None:
    """Refuse truncation for a generator without W, or of no rows or more than it has; UserError."""
    if psi != 1:
        check_has_w(generator, f"truncation (psi {psi:g}; 1 is none: --psi 1)")
    if cutoff is not None:
        check_has_w(generator, "truncation (a cutoff: leave --cutoff out)")
        if not 1 <= cutoff <= generator.num_ws:
            raise UserError(
                f"the cutoff is from 1 to {generator.num_ws}, the rows of ws of this generator, not {cutoff}"
            )


class OneClass:
    """A conditional generator as an unconditional one for a single class; meets the protocol.

    What is drawn from it, such as the mean of w, is of that class. Its ws and images are the original's, and so is its
    fingerprint: a latent of the one is a latent of the other.

    Parameters
    ----------
    original
        The conditional generator.
    class_label
        Its class, from 0.

    Raises
    ------
    UserError
        As `check_class` says.
    """

    c_dim = 0

    def __init__(self, original: Generator, class_label: int):
        check_class(original, class_label)
        self.original, self.class_label = original, class_label
        self.z_dim, self.w_dim, self.num_ws = original.z_dim, original.w_dim, original.num_ws
        self.resolution, self.synthesis = original.resolution, original.synthesis
        self.img_channels: int = getattr(original, "img_channels", 3)
        self.image_size = image_size(original)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions of the images."""
        return self.original.resolutions

    @property
    def w_avg(self) -> Tensor:
        """Mean of w over all classes, `(w_dim,)`, towards which truncation pulls in the original."""
        return self.original.w_avg

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the original."""
        return self.original.fingerprint

    def mapping(self, z: Tensor, c: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Map `z (b, z_dim)` to ws `(b, num_ws, w_dim)` of the class; it takes no other condition `c`."""
        labels = torch.full((len(z),), self.class_label, device=z.device)
        return self.original.mapping(z, _one_hot(labels, self.original), psi=psi, cutoff=cutoff)

    def __call__(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise_mode: NoiseMode = "const",
        rng: torch.Generator | int | None = None,
    ) -> Tensor:
        """Render `z (b, z_dim)` as images of the class."""
        return self.synthesis(self.mapping(z, c, psi, cutoff), noise_mode, rng)


def ws_of_seeds(
    generator: Generator, seeds: Sequence[int], psi: float, class_label: int | None = None, cutoff: int | None = None
) -> Tensor:
    """Map seeds to ws `(len(seeds), num_ws, w_dim)`, on the generator's device; without W, to z, see `map_z`.

    Raises
    ------
    UserError
        As `check_class` and `check_truncation` say.
    """
    z = z_from_seeds(seeds, generator.z_dim).to(generator.w_avg.device)
    return map_z(generator, z, psi, class_label, cutoff)


def map_z(
    generator: Generator,
    z: Tensor,
    psi: float = 1.0,
    class_label: int | None = None,
    cutoff: int | None = None,
) -> Tensor:
    """Map `z (b, z_dim)` to ws `(b, num_ws, w_dim)`, all of one class; without W, to z, with any class after it.

    The first `cutoff` rows are truncated, or all if it is None. On one machine, the ws of a z are the same bits in
    whatever batch: the network always sees the same number of rows.

    Raises
    ------
    UserError
        As `check_class` and `check_truncation` say.
    """
    check_class(generator, class_label)
    check_truncation(generator, psi, cutoff)
    conditions = None
    if class_label is not None:
        conditions = _one_hot(torch.full((_BLOCK,), class_label, device=z.device), generator)
    mapped = []
    for some in torch.split(z, _BLOCK):
        filled = F.pad(some, (0, 0, 0, _BLOCK - len(some)))
        mapped.append(generator.mapping(filled, conditions, psi=psi, cutoff=cutoff)[: len(some)])
    return torch.cat(mapped)


def latents_of_seeds(
    generator: Generator, seeds: Sequence[int], psi: float, class_label: int | None = None, cutoff: int | None = None
) -> dict[str, Tensor]:
    """Latents of seeds in Z, "z", "psi" and "c", as `latentlab.rendering.Latents` has them, on the generator's device.

    Raises
    ------
    UserError
        As `check_class` and `check_truncation` say.
    """
    check_class(generator, class_label)
    check_truncation(generator, psi, cutoff)
    z = z_from_seeds(seeds, generator.z_dim).to(generator.w_avg)
    rows = z.new_full((len(z),) if cutoff is None else (len(z), generator.num_ws), psi)
    if cutoff is not None:
        rows[:, cutoff:] = 1
    latents = {"z": z, "psi": rows}
    if class_label is not None:
        latents["c"] = _one_hot(torch.full((len(z),), class_label, device=z.device), generator)
    return latents


def map_any_class(generator: Generator, z: Tensor, psi: float = 1.0, first: int = 0) -> Tensor:
    """Map `z (b, z_dim)` to ws where no class is meant: if there are classes, row i takes (first + i) mod c_dim.

    Raises
    ------
    UserError
        The generator has no W.
    """
    check_has_w(generator, "what maps z")
    if not generator.c_dim:
        return generator.mapping(z, psi=psi)
    labels = torch.arange(first, first + len(z), device=z.device) % generator.c_dim
    return generator.mapping(z, _one_hot(labels, generator), psi=psi)


def latents_of_codes(codes: Tensor, generator: Generator) -> dict[str, Tensor]:
    """Latents by name of what `map_z` returns: "ws"; or, without W, "z", with "c" if there are classes."""
    if generator.num_ws:
        return {"ws": codes}
    z, c = codes[:, : generator.z_dim], codes[:, generator.z_dim :]
    return {"z": z, "psi": codes.new_ones(len(codes)), **({"c": c} if c.shape[1] else {})}


def typical_latents(generator: Generator) -> dict[str, Tensor]:
    """Latents of one typical image: the mean w or, without W, the z of seed 0, since the mean of z is not typical.

    Where a generator without W is conditional, it is an image of the first class.
    """
    if generator.num_ws:
        return {"w": generator.w_avg[None]}
    return latents_of_seeds(generator, [0], 1.0, 0 if generator.c_dim else None)


def _one_hot(labels: Tensor, generator: Generator) -> Tensor:
    """Conditions `(b, c_dim)` of classes `(b,)`: 1 in the class's place."""
    return F.one_hot(labels.long(), generator.c_dim).to(generator.w_avg.dtype)
