"""Networks in the layouts of other code bases, as torch writes dictionaries of tensors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from stylegan2.checkpoints import genforce_growing, nvidia, rosinality, rosinality_growing
from stylegan2.checkpoints.format import WritableFormat
from stylegan2.checkpoints.kinds import AnyDiscriminator
from stylegan2.defaults import plain_defaults
from stylegan2.describing import describe, printable
from stylegan2.discriminator import Discriminator
from stylegan2.errors import CheckpointError
from stylegan2.growing import GrowingDiscriminator
from stylegan2.networks import Generator
from stylegan2.progressive import ProgressiveGenerator
from stylegan2.stylegan1 import StyleGANGenerator
from stylegan2.writing import temporary_beside

Layout = Literal["rosinality", "release", "genforce"]
Exported = Generator | StyleGANGenerator | ProgressiveGenerator

# By the family of the networks. See `format` for how to add one.
LAYOUTS: dict[Layout, dict[str, WritableFormat]] = {
    "rosinality": {"StyleGAN2": rosinality, "StyleGAN": rosinality_growing},
    "release": {"StyleGAN2": nvidia},
    "genforce": {"StyleGAN": genforce_growing, "Progressive GAN": genforce_growing},
}
_FAMILIES: dict[type, str] = {
    Generator: "StyleGAN2",
    StyleGANGenerator: "StyleGAN",
    ProgressiveGenerator: "Progressive GAN",
}


@plain_defaults()
def export(
    path: str | Path, generator: Exported, discriminator: AnyDiscriminator | None = None, layout: Layout = "rosinality"
) -> None:
    """Write networks for other code; the file appears complete or not at all.

    Parameters
    ----------
    path
        The file, usually called .pt, .pth (genforce) or .model (rosinality's StyleGAN); an existing one is replaced.
    generator, discriminator
        Networks of StyleGAN2, StyleGAN or Progressive GAN.
    layout
        'rosinality': for StyleGAN2 `{"g_ema", "g", "d", "latent_avg"}` with the names of rosinality's PyTorch port,
        for generators of the paper's architecture; for StyleGAN `{"generator", "g_running", "discriminator"}` as
        style-based-gan-pytorch has them, without noise maps and the mean of w. 'release': for StyleGAN2
        `{"G_ema", "D"}`, state dicts with the names of NVIDIA's PyTorch release. 'genforce': for StyleGAN and
        Progressive GAN `{"generator", "discriminator", "generator_smooth"}` as its model zoo has them.

    Raises
    ------
    CheckpointError
        The networks are of another family or of two, or of a kind that the layout has no place for; the message says
        which layout has one. Or the file cannot be written.
    """
    if layout not in get_args(Layout):
        raise CheckpointError(f"the layout is {' or '.join(get_args(Layout))}, not {describe(layout)}")
    family = _family(generator, discriminator)
    obstacle = _obstacle(layout, family, generator, discriminator)
    if obstacle is not None:
        others = [other for other in LAYOUTS if _obstacle(other, family, generator, discriminator) is None]
        hint = f"choose the layout {' or '.join(others)}" if others else "keep them as `stylegan2.save` writes them"
        raise CheckpointError(f"the layout {layout} has no place for these networks: {obstacle}; {hint}")
    content = LAYOUTS[layout][family].content_of(generator, discriminator)
    try:
        with temporary_beside(Path(path)) as temporary:
            with temporary.open("wb") as file:  # given a path, torch asks for a suffix
                torch.save(content, file)
            os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{printable(str(path))}: it cannot be written: {error}") from error


def _family(generator: Any, discriminator: Any) -> str:
    """Name the family that both are of; CheckpointError if there is none."""
    family = next((name for kind, name in _FAMILIES.items() if isinstance(generator, kind)), None)
    if family is None:
        known = ", ".join(_FAMILIES.values())
        raise CheckpointError(
            f"generators of {known} are exported, not {type(generator).__name__}: keep it as `stylegan2.save` writes it"
        )
    if discriminator is not None and family != _judged_family(discriminator):
        raise CheckpointError(f"the generator is of {family}, and the discriminator is not: export it with its own")
    return family


def _judged_family(discriminator: Any) -> str | None:
    if isinstance(discriminator, GrowingDiscriminator):
        return "StyleGAN" if discriminator.config.blur else "Progressive GAN"
    return "StyleGAN2" if isinstance(discriminator, Discriminator) else None


def _obstacle(layout: Layout, family: str, generator: Any, discriminator: Any) -> str | None:
    """Say why a layout does not take networks of a family; None if it does."""
    if family not in LAYOUTS[layout]:
        return f"it is written of {' and '.join(LAYOUTS[layout])} alone, and these are of {family}"
    return LAYOUTS[layout][family].obstacle(generator, discriminator)
