"""The figures of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from latentlab import plots
from latentlab.images import load_image
from latentlab.pipelines.measuring.results import WAYS, Measurement, Role, Way
from latentlab.pipelines.measuring.settings import source_of

UNEDITED = "unedited"


def figure_names(measurement: Measurement) -> dict[str, list[str]]:
    """File names of the figures by kind, in the order of the roles."""
    sources = [source_of(role.judge) for role in measurement.roles]
    return {
        "success": [f"success-{source}.png" for source in sources],
        "identity": [f"identity-{source}.png" for source in sources],
        "leakage": [f"leakage-{source}.png" for source in sources],
        "images": [f"images-{way}-{source}.png" for source in sources for way in WAYS],
        "cosines": ["cosines.png"],
    }


def draw_figures(
    measurement: Measurement, images: dict[tuple[str, Way, str], Path], unedited: Tensor, folder: Path
) -> None:
    """Draw all figures into the folder.

    Parameters
    ----------
    measurement
        What is drawn.
    images
        Files of the edited images, side by side, by direction, way and judging score.
    unedited
        The faces that are shown, `(n, 3, r, r)`.
    folder
        Folder of the figures.
    """
    names = figure_names(measurement)
    for k, role in enumerate(measurement.roles):
        plots.save_figure(_success(measurement, role), folder / names["success"][k])
        plots.save_figure(_identity(measurement, role), folder / names["identity"][k])
        plots.save_figure(_leakage(role), folder / names["leakage"][k])
        for j, way in enumerate(WAYS):
            path = folder / names["images"][k * len(WAYS) + j]
            _draw_images(measurement, [images[one.name, way, role.judge] for one in measurement.facts], unedited, path)
    titles = [one.name for one in measurement.facts]
    cosines = plots.heat_figure(measurement.cosines, titles, titles, "cosine of the angle, in standardised styles")
    plots.save_figure(cosines, folder / names["cosines"][0])


def _success(measurement: Measurement, role: Role) -> Figure:
    curves = {one.name: (np.array(one.strengths) / one.sigma, one.shares[role.judge]) for one in measurement.facts}
    return plots.success_figure(curves, float(measurement.settings["success"]), role.judge)


def _identity(measurement: Measurement, role: Role) -> Figure:
    curves = {one.name: (one.shares[role.judge], one.identities) for one in measurement.facts}
    points = {}
    for one in measurement.facts:
        row = role.row(one.name, "each")
        points[one.name] = ([float(row.succeeded.mean())], [row.mean("identity")])
    return plots.identity_figure(curves, points, role.judge)


def _leakage(role: Role) -> Figure:
    names, values = role.matrix("one")
    order = [*role.others, *(k for k in range(len(role.attributes)) if k not in role.others)]
    columns = [role.attributes[k] + ("" if k in role.others else " (rel.)") for k in order]
    title = "mean |change of the logit| in standard deviations of the population, one strength; (rel.): related"
    return plots.heat_figure(values[:, order], names, columns, title)


def _draw_images(measurement: Measurement, strips: Sequence[Path], unedited: Tensor, path: Path) -> None:
    """A row for each direction and a column for each face, each image at its own size in pixels."""
    side = unedited.shape[3]
    rows = [unedited, *(torch.stack(torch.split(load_image(strip)[0], side, dim=2)) for strip in strips)]
    seeds = [f"seed {seed}" for seed in measurement.seeds[: len(unedited)].tolist()]
    titles = [UNEDITED, *(one.name for one in measurement.facts)]
    plots.save_figure(plots.grid_figure(torch.stack(rows), seeds, titles, dpi=round(side / 1.1)), path)
