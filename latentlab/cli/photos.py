"""`latentlab project`, and `latentlab edit --photo`: the job on photos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab import perceptual
from latentlab.cli import options
from latentlab.cli.errors import one_line
from latentlab.directions.shipped import load_direction
from latentlab.errors import UserError
from latentlab.faces import load_detector
from latentlab.faces.identity import FaceDescriptor
from latentlab.pipelines.checks import format_checks
from latentlab.pipelines.photos import (
    Lab,
    PhotoSettings,
    Portrait,
    edit_portrait,
    embed,
    write_edits,
    write_portrait,
)
from latentlab.projection import DEFAULTS, PUBLISHED, TuningSettings
from latentlab.scorers import load_scorer
from stylegan2.protocol import Generator


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
Steps = Annotated[
    int | None, typer.Option(help="Steps of the projection; by default its recipe's.", rich_help_panel="Photos")
]
Tune = Annotated[
    bool,
    typer.Option(
        "--tune/--no-tune",
        help="Tune the generator on each photo after it; never in space s.",
        rich_help_panel="Photos",
    ),
]


@dataclass(frozen=True)
class EmbedTask:
    """What photos are projected and how, as the options of a command say."""

    photos: Sequence[Path]
    out: Path
    space: SpaceName = SpaceName.w_plus
    steps: int | None = None
    start: StartName = StartName.auto
    published: bool = False
    tune: bool = True
    network: str = "mobile-ffhq"
    device: str = "auto"
    batch: int = 4

    def settings(self) -> PhotoSettings:
        """How, as the library takes it; space s has no code to tune around. UserError for what cannot be."""
        options.check_folder(self.out)
        options.check_stems(self.photos)
        recipes = PUBLISHED if self.published else DEFAULTS
        if self.space.value not in recipes:
            raise UserError(f"there is no published recipe for space {self.space.value}; take w or w+")
        recipe = recipes[self.space.value]
        recipe = recipe if self.steps is None else recipe.shortened(self.steps)
        tuning = TuningSettings() if self.tune and self.space is not SpaceName.s else None
        return PhotoSettings(recipe, tuning, "average" if self.published else self.start.value)


@dataclass(frozen=True)
class EditTask:
    """What is done to photos then."""

    direction: str
    strengths: list[float]
    scorer: str
    attribute: str
    mask: MaskName
    force: bool


def project(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO…", help="Pictures with a face in them.")],
    out: Annotated[Path, typer.Option(help="Folder of the results; also where a stopped run goes on.")] = Path(
        "latentlab-projections"
    ),
    space: SpaceOption = SpaceName.w_plus,
    steps: Steps = None,
    start: StartOption = StartName.auto,
    published: Annotated[
        bool, typer.Option("--published", help="The published recipe, from the average: 1000 steps in w, 5000 in w+.")
    ] = False,
    tune: Tune = True,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    batch: options.Batch = 1,
) -> None:
    """Find the codes of photos: align, check, project, tune the generator, check again.

    Each photo gets a folder of its name with aligned.png, projected.png, the code, the tuned weights and
    report.json. A photo that fails is named at the end, after all others are done, and makes the exit code 2.
    """
    task = EmbedTask(photos, out, space, steps, start, published, tune, network, device, batch)
    settings = task.settings()
    _, portraits, failures = _embedded(task, settings, options.load_generator(network, options.find_device(device)))
    for portrait in portraits:
        own = write_portrait(portrait, out)
        print(f"\n{portrait.path}\n{format_checks([*portrait.before, *portrait.after])}\nwritten to {own}")
    _end(failures)


def edit_photos(task: EditTask, embedding: EmbedTask) -> None:
    """The whole job: `project`, then edits along a direction, put back into the photos."""
    settings = embedding.settings()
    place = options.find_device(embedding.device)
    direction, scorer = load_direction(task.direction), load_scorer(task.scorer, device=place)
    if task.attribute not in scorer.names:
        raise UserError(f"no score is called {task.attribute!r}; there are {', '.join(scorer.names)}")
    generator = options.load_generator(embedding.network, place)
    direction.check(generator, task.force)
    lab, portraits, failures = _embedded(embedding, settings, generator)
    for portrait in portraits:
        own = write_portrait(portrait, embedding.out)
        edits = []
        with options.bar(f"editing {portrait.path.name}") as step:
            for one in edit_portrait(
                portrait, direction, task.strengths, scorer, task.attribute, lab.descriptor, task.mask.value
            ):
                edits.append(one)
                step(len(edits), len(task.strengths))
        write_edits(portrait, edits, direction, own, options.this_command())
        print(f"\n{portrait.path}\n{format_checks([*portrait.before, *portrait.after])}")
        for one in edits:
            print(
                f"{direction.attribute} {one.strength:+g}: {task.attribute} {one.score:.2f}, "
                f"identity {one.identity:.2f}"
            )
        print(f"written to {own}: comparison.png shows it, report.md has it all")
    _end(failures)


def _embedded(
    task: EmbedTask, settings: PhotoSettings, generator: Generator
) -> tuple[Lab, list[Portrait], list[UserError]]:
    """Portraits of the photos, and what they were made with."""
    place = generator.w_avg.device
    lab = Lab(
        generator,
        load_detector("dlib68"),
        FaceDescriptor(),
        perceptual.load_perceptual("vgg", place),
        perceptual.load_perceptual("vgg", place, perceptual.fast_dtype(place)),
    )
    return lab, *embed(task.photos, lab, settings, task.out, options.bar, task.batch)


def _end(failures: Sequence[UserError]) -> None:
    """Name the photos that failed, and end with exit code 2 if there are any."""
    for failure in failures:
        print(f"latentlab: {one_line(str(failure))}", file=sys.stderr)
    if failures:
        raise typer.Exit(2)
