"""`latentlab project`, and `latentlab edit --photo`: the job on photos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab import perceptual
from latentlab.cli import options
from latentlab.cli.errors import one_line
from latentlab.directions.shipped import find
from latentlab.errors import UserError
from latentlab.faces import load as load_detector
from latentlab.faces.identity import FaceDescriptor
from latentlab.photos import (
    Lab,
    PhotoSettings,
    Portrait,
    edit_portrait,
    embed,
    write_edits,
    write_portrait,
)
from latentlab.projection import DEFAULTS, TuningSettings, report
from latentlab.scorers import load as load_scorer


class SpaceName(str, Enum):
    """Where a photo's code is searched for."""

    w = "w"
    w_plus = "w+"
    s = "s"


class StartName(str, Enum):
    """Where the search starts."""

    auto = "auto"
    average = "average"
    best = "best"
    encoder = "encoder"


class MaskName(str, Enum):
    """What is put back into the photo."""

    feather = "feather"
    hull = "hull"


SpaceOption = Annotated[SpaceName, typer.Option(help="Space of the code: w, w+ or s.")]
StartOption = Annotated[StartName, typer.Option(help="Where the search starts; auto: the encoder's guess if any.")]
Steps = Annotated[int | None, typer.Option(help="Steps of the projection; by default those of the space's recipe.")]
Tune = Annotated[bool, typer.Option("--tune/--no-tune", help="Tune the generator on each photo after it.")]


def project(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO…", help="Pictures with a face in them.")],
    out: Annotated[Path, typer.Option(help="Folder of the results; also where a stopped run goes on.")] = Path(
        "latentlab-projections"
    ),
    space: SpaceOption = SpaceName.w_plus,
    steps: Steps = None,
    start: StartOption = StartName.auto,
    tune: Tune = True,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    batch: options.Batch = 4,
) -> None:
    """Find the codes of photos: align, check, project, tune the generator, check again.

    Each photo gets a folder of its name with aligned.png, projected.png, the code, the tuned weights and
    report.json. A photo that fails is named at the end, after all others are done, and makes the exit code 2.
    """
    _, portraits, failures = _embedded(photos, out, space, steps, start, tune, network, device, batch)
    for portrait in portraits:
        own = write_portrait(portrait, out)
        print(f"\n{portrait.path}\n{report([*portrait.before, *portrait.after])}\nwritten to {own}")
    _end(failures)


def edit_photos(
    photos: Sequence[Path],
    direction: str,
    strengths: Sequence[float],
    scorer: str,
    attribute: str,
    mask: MaskName,
    force: bool,
    out: Path,
    network: str,
    device: str,
    batch: int,
) -> None:
    """The whole job: `project`, then edits along a direction, put back into the photos."""
    found = find(direction)
    found_scorer = load_scorer(scorer, device=options.find_device(device))
    if attribute not in found_scorer.names:
        raise UserError(f"no score is called {attribute!r}; there are {', '.join(found_scorer.names)}")
    generator = options.load_generator(network, options.find_device(device))
    found.check(generator, force)
    lab, portraits, failures = _embedded(
        photos, out, SpaceName.w_plus, None, StartName.auto, True, network, device, batch
    )
    for portrait in portraits:
        own = write_portrait(portrait, out)
        edits = []
        with options.bar(f"editing {portrait.path.name}") as step:
            for one in edit_portrait(portrait, found, strengths, found_scorer, attribute, lab.descriptor, mask.value):
                edits.append(one)
                step(len(edits), len(strengths))
        write_edits(portrait, edits, found, own, options.this_command())
        print(f"\n{portrait.path}\n{report([*portrait.before, *portrait.after])}")
        for one in edits:
            print(f"{found.attribute} {one.strength:+g}: {attribute} {one.score:.2f}, identity {one.identity:.2f}")
        print(f"written to {own}: comparison.png shows it, report.md has it all")
    _end(failures)


def _embedded(
    photos: Sequence[Path],
    out: Path,
    space: SpaceName,
    steps: int | None,
    start: StartName,
    tune: bool,
    network: str,
    device: str,
    batch: int,
) -> tuple[Lab, list[Portrait], list[UserError]]:
    """Portraits of the photos, with all that the options say."""
    out = options.check_folder(out)
    options.check_stems(photos)
    recipe = DEFAULTS[space.value]
    recipe = recipe if steps is None else recipe.shortened(steps)
    settings = PhotoSettings(recipe, TuningSettings() if tune and space is not SpaceName.s else None, start.value)
    place = options.find_device(device)
    lab = Lab(
        options.load_generator(network, place),
        load_detector("dlib68"),
        FaceDescriptor(),
        perceptual.load("vgg", place),
        perceptual.load("vgg", place, perceptual.fast_dtype(place)),
    )
    return lab, *embed(photos, lab, settings, out, options.bar, batch)


def _end(failures: Sequence[UserError]) -> None:
    """Name the photos that failed, and end with exit code 2 if there are any."""
    for failure in failures:
        print(f"latentlab: {one_line(str(failure))}", file=sys.stderr)
    if failures:
        raise typer.Exit(2)
