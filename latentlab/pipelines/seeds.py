"""Seeds, or latent codes of a file, to images: as they are, edited, or as a walk along a direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.background import in_background
from latentlab.batching import Batches, BatchSize, parts_of
from latentlab.directions import Direction
from latentlab.directions.edits import Edits, as_edits
from latentlab.editing import default_strengths
from latentlab.errors import UserError
from latentlab.files import strength_names
from latentlab.latents import check_latents_path, save_latents
from latentlab.mapping import check_class, check_truncation, latents_of_seeds, ws_of_seeds
from latentlab.pipelines.components import Components
from latentlab.pipelines.edits import (
    EDITED,
    Faces,
    check_edits_alone,
    check_leaves_codes,
    checked_codes,
    edit_table,
    edited_codes,
    render_edits,
)
from latentlab.pipelines.scoring import scored_by
from latentlab.pipelines.strengths import StrengthSettings, checked_target, strength_for
from latentlab.pipelines.targets import ScoreTarget
from latentlab.pipelines.walks import COLUMNS, Walk, render_walk, walk_renderer
from latentlab.precision import Precision, check_precision
from latentlab.progress import Stage, stage_of
from latentlab.rendering import Renderer, rows_of
from latentlab.samples import EditTable, check_distinct_seeds, check_psi
from latentlab.scorers import Scorer, threshold_of
from latentlab.work import Lost, in_order, run

_THUMBNAIL = 256
GRID = 100
"""Images that `grid.png` shows at most."""


@dataclass(frozen=True)
class SeedSettings:
    """How images are made from seeds.

    Attributes
    ----------
    psi
        Truncation, above 0 up to 2.
    resolution
        Resolution of the images; None for the generator's own, and for 256 pixels in walks.
    batch_size
        Images rendered at once.
    force
        Whether to apply a direction to a generator that it was not learnt on.
    class_label
        Class of a conditional generator, from 0; None for an unconditional one.
    attribute
        Score that a target refers to; None for the one that taught the direction, see
        `latentlab.pipelines.scoring.scored_by`.
    target
        Score to bring each face to, at a strength of its own, instead of a series of strengths that all share; None
        for such a series.
    search
        How these strengths are searched for.
    latents
        File for the latents of all edited images, see `latentlab.save_latents`: face by face, each at every strength.
        None for no file.
    precision
        Type that images are rendered in, see `latentlab.precision`.
    cutoff
        Rows of ws that are truncated, from the first; None for all.
    """

    psi: float = 0.7
    resolution: int | None = None
    batch_size: BatchSize = "auto"
    force: bool = False
    class_label: int | None = None
    attribute: str | None = None
    target: float | ScoreTarget | None = None
    search: StrengthSettings = StrengthSettings()
    latents: Path | None = None
    precision: Precision = "float32"
    cutoff: int | None = None

    def __post_init__(self) -> None:
        check_psi(self.psi)
        check_precision(self.precision)


@torch.inference_mode()
def generate_images(
    seeds: Sequence[int],
    components: Components,
    settings: SeedSettings,
    folder: str | Path,
    progress: bool | Stage = True,
) -> list[Path]:
    """Write a PNG per seed, `seed000600.png`, and `grid.png` of the first 100; grey ones if the generator's images are.

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
    check_class(components.generator, settings.class_label)
    check_truncation(components.generator, settings.psi, settings.cutoff)
    components.check_images()
    renderer = components.renderer(settings.resolution, settings.precision)
    thumbnails, paths = list[torch.Tensor](), [Path(folder) / f"seed{seed:06d}.png" for seed in seeds]

    def rendered(rows: range) -> torch.Tensor:
        return renderer(_ws(seeds[rows.start : rows.stop], components, settings)).cpu()

    with stage_of(progress)("generating") as step, in_background() as later:
        done = 0
        for some in Batches.of(settings.batch_size, renderer)(range(len(seeds)), rendered):
            for image in torch.split(some, 1):
                later(images.save_image, image, paths[done])
                if done < GRID:  # memory does not grow with the seeds
                    thumbnails.append(images.reduce(image, _THUMBNAIL))
                done += 1
                step(done, len(seeds))
    columns = int(np.ceil(np.sqrt(len(thumbnails))))
    images.save_image(images.grid(torch.cat(thumbnails), columns), Path(folder) / "grid.png")
    return paths


def edit_seeds(
    seeds: Sequence[int],
    direction: Direction | Edits,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings,
    folder: str | Path,
    progress: bool | Stage = True,
) -> EditTable:
    """Write the image of each seed at each strength, `seed000600_+2.png`, and their scores, `edits.parquet`.

    Where the settings have a target, each face has strengths of its own: 0, and the one that brings it to the target
    (see `strength_for`), `seed000600_target0.9.png`.

    Parameters
    ----------
    seeds
        Seeds of the faces.
    direction, strengths
        Direction of the edits, and their strengths in the direction's units, which must differ; None for both ends of
        its range and 0 (see `latentlab.editing.strength_range`), or with a target. Or edits along several directions
        at once, such as `4 * smile - age`, which have strengths of their own: then None, and one image per seed,
        `seed000600_edited.png`, which stands in the table at strength 1.
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
        The scores of all images; with a target also which faces reached it.

    Raises
    ------
    UserError
        If the direction does not fit the generator, a setting is out of range, a seed or a strength is given twice,
        strengths are given with a target, the scorer does not know its attribute, or the folder cannot be written to.
    """
    components, _ = scored_by(components, direction, settings.attribute)
    faces = _faces_of_seeds(seeds, direction, components, settings)
    return _edit(faces, direction, strengths, components, settings, folder, progress)


def edit_latents(
    ws: Tensor,
    direction: Direction | Edits,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings,
    folder: str | Path,
    progress: bool | Stage = True,
) -> EditTable:
    """Write the image of each latent code at each strength, `latent000000_+2.png`, and their scores, `edits.parquet`.

    Parameters
    ----------
    ws
        `(n, num_ws, w_dim)`, or `(n, 1, w_dim)` in W, as `latentlab.load_latents` reads them.
    direction, strengths, components, settings, folder, progress
        See `edit_seeds`; psi is not used.

    Returns
    -------
    EditTable
        The scores of all images; its seeds are the numbers of the codes, from 0.

    Raises
    ------
    UserError
        If the codes do not fit the generator, or as `edit_seeds` says.
    """
    components, _ = scored_by(components, direction, settings.attribute)
    faces = _faces_of_codes(ws, direction, components, settings)
    return _edit(faces, direction, strengths, components, settings, folder, progress)


def _edit(
    faces: Faces,
    direction: Direction | Edits,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings,
    folder: str | Path,
    progress: bool | Stage,
) -> EditTable:
    renderer, scorer = components.renderer(settings.resolution, settings.precision), components.scorer
    if settings.latents is not None:
        check_leaves_codes(direction)
        check_latents_path(settings.latents)
    plan = _plan(faces, direction, strengths, components, settings, progress)
    editor = _Editor(faces, direction, plan, renderer, scorer, Batches.of(settings.batch_size, renderer), Path(folder))
    scores = _edited(editor, stage_of(progress))
    table = edit_table(scores, faces.numbers, plan.strengths, scorer.names, threshold_of(scorer), plan.reached)
    table.save(Path(folder) / "edits.parquet")
    if settings.latents is not None:
        save_latents(edited_codes(faces.latents, direction, plan.strengths, components.generator), settings.latents)
    return table


@dataclass(frozen=True, eq=False)
class _Plan:
    """Strengths of edits: those that all faces share, or `(faces, 2)`, and what their files are called by."""

    strengths: Sequence[float] | NDArray[np.float64]
    names: Sequence[str]
    reached: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class _Editor:
    """Edits some of the faces, writes their images, and returns the scores."""

    faces: Faces
    direction: Direction | Edits
    plan: _Plan
    renderer: Renderer
    scorer: Scorer
    batches: Batches
    folder: Path

    def parts(self) -> list[range]:
        """Numbers of the faces, in parts that are full batches of images."""
        at_once, steps = self.batches.size, len(self.plan.names)
        return parts_of(len(self.faces), at_once // math.gcd(at_once, steps))

    def __call__(self, rows: range) -> list[NDArray[np.float32]]:
        latents = rows_of(self.faces.latents, torch.tensor(rows))
        own = np.asarray(self.plan.strengths)
        strengths = own[rows.start : rows.stop] if own.ndim == 2 else self.plan.strengths
        scores = []
        with in_background() as later:
            for one in render_edits(latents, self.direction, strengths, self.renderer, self.scorer, self.batches):
                name = f"{self.faces.stems[rows[one.face]]}_{self.plan.names[one.step]}.png"
                later(images.save_image, one.image, self.folder / name)
                scores.append(one.scores)
        return scores


def _edited(editor: _Editor, stage: Stage) -> list[NDArray[np.float32]]:
    """Edit all faces, here or on workers; UserError, at the end, for those that end the workers."""
    parts, scores, lost = editor.parts(), list[NDArray[np.float32]](), list[str]()
    titles, total = editor.faces.titles, len(editor.faces) * len(editor.plan.names)
    with stage("editing") as step:
        for number, found in in_order(run(partial(_editing, editor), parts, None)):
            if isinstance(found, Lost):
                lost += [f"{titles[face]} could not be edited: {found.reason}" for face in parts[number]]
            else:
                scores += found
                step(len(scores), total)
    if lost:
        raise UserError("; ".join(lost))
    return scores


def _editing(editor: _Editor, here: None) -> _Editor:
    return editor


def _plan(
    faces: Faces,
    direction: Direction | Edits,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings,
    progress: bool | Stage,
) -> _Plan:
    if isinstance(direction, Edits):
        check_edits_alone(strengths, settings.target)
        return _Plan((1.0,), (EDITED,))
    if settings.target is None:
        series = default_strengths(direction) if strengths is None else strengths
        return _Plan(series, strength_names(series))
    if strengths is not None:
        raise UserError("faces are edited at strengths or to a target; give one of the two")
    components, attribute = scored_by(components, direction, settings.attribute)
    components.check_attribute(attribute)
    renderer = components.renderer(settings.resolution, settings.precision)
    checked_target(settings.target, renderer, components.scorer, attribute)
    found = strength_for(
        faces.latents,
        direction,
        settings.target,
        renderer,
        components.scorer,
        attribute,
        replace(settings.search, batch_size=settings.batch_size),
        progress,
    )
    own = np.stack([np.zeros(len(faces)), found.strengths], axis=1)
    return _Plan(own, ("+0", f"target{found.target}"), found.reached)


def walk_seeds(
    seeds: Sequence[int],
    direction: Direction,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings | None = None,
    scored: bool = True,
    progress: bool | Stage = True,
) -> Walk:
    """Render the walk of some seeds along a direction.

    Parameters
    ----------
    seeds, direction, components, progress
        See `edit_seeds`.
    strengths
        Strengths in the direction's units; None for seven between the ends of the direction's range. For an animation
        see `latentlab.pipelines.walks.sweep`.
    settings
        How the images are made; None for the defaults. The resolution is that of each face in the walk.
    scored
        Whether to score the images; a figure shows the scores, and an animation does not.

    Returns
    -------
    Walk
        Images and scores; it draws itself as a figure, and saves itself as a figure or an animation.

    Raises
    ------
    UserError
        As `edit_seeds` says.
    """
    settings = SeedSettings() if settings is None else settings
    faces = _faces_of_seeds(seeds, direction, components, settings, scored)
    return _walk(faces, direction, strengths, components, settings, scored, progress)


def walk_latents(
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings | None = None,
    scored: bool = True,
    progress: bool | Stage = True,
) -> Walk:
    """Render the walk of latent codes along a direction: to `walk_seeds` what `edit_latents` is to `edit_seeds`."""
    settings = SeedSettings() if settings is None else settings
    faces = _faces_of_codes(ws, direction, components, settings, scored)
    return _walk(faces, direction, strengths, components, settings, scored, progress)


def _walk(
    faces: Faces,
    direction: Direction,
    strengths: Sequence[float] | None,
    components: Components,
    settings: SeedSettings,
    scored: bool,
    progress: bool | Stage,
) -> Walk:
    renderer, size = walk_renderer(components, settings.resolution, settings.precision)
    scorer = components.scorer if scored else None
    strengths = default_strengths(direction, COLUMNS) if strengths is None else strengths
    return render_walk(faces, direction, strengths, renderer, scorer, size, settings.batch_size, progress)


def _faces_of_seeds(
    seeds: Sequence[int],
    direction: Direction | Edits,
    components: Components,
    settings: SeedSettings,
    scored: bool = True,
) -> Faces:
    """The faces of seeds; UserError, before any work, if they, the direction or the networks do not go together."""
    check_distinct_seeds(seeds)
    check_class(components.generator, settings.class_label)
    check_truncation(components.generator, settings.psi, settings.cutoff)
    components.check_images(scored)
    edits = as_edits(direction)
    edits.check(components.generator, settings.force)
    if any(one.space == "z" for one, _ in edits):
        latents = latents_of_seeds(components.generator, seeds, settings.psi, settings.class_label, settings.cutoff)
        return Faces(latents, tuple(seeds))
    return Faces({"ws": _ws(seeds, components, settings)}, tuple(seeds))


def _faces_of_codes(
    ws: Tensor, direction: Direction | Edits, components: Components, settings: SeedSettings, scored: bool = True
) -> Faces:
    """The faces of latent codes; UserError, before any work, as `_faces_of_seeds` says."""
    components.check_images(scored)
    edits = as_edits(direction)
    edits.check(components.generator, settings.force)
    codes = checked_codes(ws, components.generator)
    for one, _ in edits:
        if one.space == "z":
            raise UserError(f"the {one.attribute} direction moves z, and latent codes are of w; edit seeds along it")
    return Faces({"ws": codes}, tuple(range(len(codes))), "latent")


@torch.inference_mode()
def _ws(seeds: Sequence[int], components: Components, settings: SeedSettings) -> Tensor:
    """Latents `(b, num_ws, w_dim)` of seeds, on the generator's device."""
    return ws_of_seeds(components.generator, seeds, settings.psi, settings.class_label, settings.cutoff)
