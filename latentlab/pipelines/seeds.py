"""Seeds to images: as they are, edited, or as a walk along a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentlab import images
from latentlab.directions import Direction
from latentlab.files import strength_names
from latentlab.pipelines.components import Components
from latentlab.pipelines.edits import edit_table, render_edits
from latentlab.pipelines.walks import Walk, render_walk
from latentlab.progress import Stage, stage_of
from latentlab.samples import EditTable, check_distinct_seeds, check_psi
from latentlab.scorers import threshold_of
from stylegan2 import z_from_seeds

_THUMBNAIL = 256


@dataclass(frozen=True)
class SeedSettings:
    """How images are made from seeds.

    Attributes
    ----------
    psi
        Truncation, above 0 up to 2.
    resolution
        Resolution of the images; None for the generator's own.
    batch_size
        Images rendered at once when they are edited.
    force
        Whether to apply a direction to a generator that it was not learnt on.
    """

    psi: float = 0.7
    resolution: int | None = None
    batch_size: int = 4
    force: bool = False

    def __post_init__(self) -> None:
        check_psi(self.psi)


@torch.inference_mode()
def generate_images(
    seeds: Sequence[int],
    components: Components,
    settings: SeedSettings,
    folder: str | Path,
    progress: bool | Stage = True,
) -> list[Path]:
    """Write a PNG per seed, `seed000600.png`, and `grid.png` of them all.

    Returns
    -------
    list of Path
        The files of the seeds, in their order.

    Raises
    ------
    UserError
        If a setting is out of range, a seed is given twice, or the folder cannot be written to.
    """
    check_distinct_seeds(seeds)
    renderer = components.renderer(settings.resolution)
    thumbnails, paths = [], []
    with stage_of(progress)("generating") as step:
        for seed in seeds:
            image = renderer(_ws([seed], components, settings))
            paths.append(Path(folder) / f"seed{seed:06d}.png")
            images.save_image(image, paths[-1])
            thumbnails.append(images.reduce(image, _THUMBNAIL).cpu())
            step(len(paths), len(seeds))
    columns = int(np.ceil(np.sqrt(len(seeds))))
    images.save_image(images.grid(torch.cat(thumbnails), columns), Path(folder) / "grid.png")
    return paths


def edit_seeds(
    seeds: Sequence[int],
    direction: Direction,
    strengths: Sequence[float],
    components: Components,
    settings: SeedSettings,
    folder: str | Path,
    progress: bool | Stage = True,
) -> EditTable:
    """Write the image of each seed at each strength, `seed000600_+2.png`, and their scores, `edits.parquet`.

    Parameters
    ----------
    seeds
        Seeds of the faces.
    direction, strengths
        Direction of the edits, and their strengths in units of w, which must differ.
    components
        Networks; the generator and the scorer are used.
    settings
        How the images are made.
    folder
        Folder of the results.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    EditTable
        The scores of all images.

    Raises
    ------
    UserError
        If the direction does not fit the generator, a setting is out of range, a seed or a strength is given twice, or
        the folder cannot be written to.
    """
    check_distinct_seeds(seeds)
    direction.check(components.generator, settings.force)
    renderer, scorer = components.renderer(settings.resolution), components.scorer
    ws = _ws(seeds, components, settings)
    scores, names = [], strength_names(strengths)
    with stage_of(progress)("editing") as step:
        for one in render_edits(ws, direction, strengths, renderer, scorer, settings.batch_size):
            images.save_image(one.image, Path(folder) / f"seed{seeds[one.face]:06d}_{names[one.step]}.png")
            scores.append(one.scores)
            step(len(scores), len(seeds) * len(strengths))
    table = edit_table(scores, seeds, strengths, scorer.names, threshold_of(scorer))
    table.save(Path(folder) / "edits.parquet")
    return table


def walk_seeds(
    seeds: Sequence[int],
    direction: Direction,
    strengths: Sequence[float],
    components: Components,
    settings: SeedSettings | None = None,
    progress: bool | Stage = True,
) -> Walk:
    """Render the walk of some seeds along a direction; its parameters and errors are those of `edit_seeds`.

    Returns
    -------
    Walk
        Images and scores; it draws itself as a figure, and saves itself as a figure or an animation.
    """
    settings = SeedSettings() if settings is None else settings
    check_distinct_seeds(seeds)
    direction.check(components.generator, settings.force)
    renderer, scorer = components.renderer(settings.resolution), components.scorer
    ws = _ws(seeds, components, settings)
    return render_walk(seeds, ws, direction, strengths, renderer, scorer, settings.batch_size, progress)


@torch.inference_mode()
def _ws(seeds: Sequence[int], components: Components, settings: SeedSettings) -> Tensor:
    """Latents `(b, num_ws, w_dim)` of seeds, on the generator's device."""
    generator = components.generator
    z = z_from_seeds(seeds, generator.z_dim).to(generator.w_avg.device)
    return generator.mapping(z, psi=settings.psi)
