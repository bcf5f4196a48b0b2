"""Drag points of one generated image, and write the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentlab.dragging import DragResult, DragSettings, drag
from latentlab.images import save_image
from latentlab.latents import save_latents
from latentlab.pipelines.components import Components
from latentlab.plots.moves import moves_strip
from latentlab.progress import Stage


@dataclass(frozen=True)
class DragFiles:
    """The files that a drag writes, beside the image.

    Attributes
    ----------
    image
        The dragged image, a PNG.
    """

    image: Path

    @property
    def latents(self) -> Path:
        """Its latent code."""
        return self.image.with_suffix(".safetensors")

    @property
    def comparison(self) -> Path:
        """The image before and after, with the points."""
        return self.image.with_name(f"{self.image.stem}-comparison.png")

    @property
    def all(self) -> tuple[Path, ...]:
        """All of them."""
        return self.image, self.latents, self.comparison


def drag_image(
    ws: Tensor,
    points: Tensor,
    targets: Tensor,
    components: Components,
    files: DragFiles,
    settings: DragSettings | None = None,
    mask: Tensor | None = None,
    progress: bool | Stage = True,
) -> DragResult:
    """Drag points of an image, and write the new image, its latent and the comparison.

    Parameters
    ----------
    ws, points, targets, settings, mask, progress
        See `latentlab.drag`.
    components
        Networks, of which the generator is used.
    files
        Where to write.

    Raises
    ------
    UserError
        As `latentlab.drag` says, or if a file cannot be written.
    """
    components.check_images()
    result = drag(ws, points, targets, components.generator, settings, mask, progress)
    renderer = components.renderer()
    with torch.no_grad():
        before, after = renderer(ws.to(result.ws)), renderer(result.ws)
    save_latents(result.ws, files.latents)
    save_image(moves_strip(before, after, points, result.points, targets), files.comparison)
    save_image(after, files.image)
    return result
