"""`latentlab project`, and `latentlab edit --photo`: the job on photos."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentlab.cli import options
from latentlab.cli.errors import end_with
from latentlab.errors import UserError
from latentlab.files import list_images
from latentlab.progress import bar

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.directions import Direction
    from latentlab.pipelines import Components, PhotoEditSettings, QualityCheck
    from latentlab.pipelines.photos import OnChecks, Pasting


class SpaceName(str, Enum):
    """Space of a photo's latent."""

    w = "w"
    w_plus = "w+"
    s = "s"


class StartName(str, Enum):
    """Start of the projection."""

    auto = "auto"
    average = "average"
    best = "best"
    encoder = "encoder"


class MaskName(str, Enum):
    """Part of the crop that is pasted back into the photo."""

    feather = "feather"
    hull = "hull"


SpaceOption = Annotated[SpaceName, typer.Option(help="Space of the latent: w, w+ or s.")]
StartOption = Annotated[
    StartName, typer.Option(help="Start of the projection; auto: the encoder's guess where there is an encoder.")
]
Steps = Annotated[int | None, typer.Option(help="Steps of the projection; by default its recipe's.")]
Tune = Annotated[
    bool,
    typer.Option(
        "--tune/--no-tune",
        help="Tune the generator on each photo after its projection; never in space s.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Leave out photos with a poor quality check, before any is projected.",
    ),
]
Aligned = Annotated[
    bool,
    typer.Option("--aligned", help="The photos are faces in FFHQ's framing already: squares that are not cropped."),
]
Landmarks = Annotated[
    Path | None,
    typer.Option(help="File of the faces instead of a detector: by photo 5 or 68 points, or a box (.json, .csv)."),
]
Face = Annotated[int, typer.Option(min=1, help="Face of each photo: 1 is the largest, 2 the next.")]


@dataclass(frozen=True)
class ChosenFaces:
    """Which faces of photos are meant, and where they are known from, as the options of a command say."""

    aligned: bool = False
    landmarks: Path | None = None
    number: int = 1

    def __post_init__(self) -> None:
        if self.aligned and (self.landmarks is not None or self.number != 1):
            raise UserError("aligned photos show one face each, in its place: give neither --landmarks nor --face")

    @property
    def detector(self) -> str:
        """Name of the detector of faces in photos, or of one that takes them to be aligned."""
        return "dlib68-aligned" if self.aligned else "dlib68"


@dataclass(frozen=True)
class Recipe:
    """How photos are projected, as the options of a command say."""

    space: SpaceName = SpaceName.w_plus
    steps: int | None = None
    start: StartName = StartName.auto
    published: bool = False
    tune: bool = True
    strict: bool = False
    faces: ChosenFaces = ChosenFaces()
    batch: int = 1

    def fields(self) -> dict[str, Any]:
        """The fields of `PhotoSettings`; UserError for a recipe that does not exist."""
        from latentlab.pipelines.photos.settings import projection_recipe
        from latentlab.projection import TuningSettings

        return {
            "projection": projection_recipe(self.space.value, self.steps, self.published),
            "tuning": TuningSettings() if self.tune and self.space is not SpaceName.s else None,
            "start": "average" if self.published else self.start.value,
            "strict": self.strict,
            "face": self.faces.number,
            "landmarks": self.faces.landmarks,
            "batch_size": self.batch,
        }


def edit_settings(
    recipe: Recipe, attribute: str, pasting: Pasting, force: bool, target: float | None, cap: float | None
) -> PhotoEditSettings:
    """The settings of `latentlab edit --photo`."""
    from latentlab.pipelines import PhotoEditSettings, StrengthSettings

    return PhotoEditSettings(
        **recipe.fields(),
        attribute=attribute,
        pasting=pasting,
        force=force,
        command=options.this_command(),
        target=target,
        search=None if cap is None else StrengthSettings(cap),
    )


def project(
    ctx: typer.Context,
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos with a face, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, where a stopped run resumes.")] = Path(
        "latentlab-projections"
    ),
    space: SpaceOption = SpaceName.w_plus,
    steps: Steps = None,
    start: StartOption = StartName.auto,
    published: Annotated[
        bool, typer.Option("--published", help="The published recipe, from the average: 1000 steps in w, 5000 in w+.")
    ] = False,
    tune: Tune = True,
    strict: Strict = False,
    aligned: Aligned = False,
    landmarks: Landmarks = None,
    face: Face = 1,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    batch: options.Batch = 1,
    latents: Annotated[
        Path | None,
        typer.Option(
            "--save-latents",
            help="Also write the latents of all photos to one file, in w or w+: .pt as e4e does, .npz as the public "
            "projector does, .npy or .safetensors.",
        ),
    ] = None,
) -> None:
    """Find the latents of photos: align, check, project, tune the generator, check again.

    Each photo gets a folder of its name with aligned.png, projected.png, the latent, the tuned weights and
    report.json. Photos that fail are named at the end, after all others are done; the exit code is 2 then.
    """
    from latentlab.pipelines import Components, PhotoSettings, format_checks, project_photos

    if published:
        options.refuse_without_effect(ctx, {"start": "with --published, which starts from the average"})
    if tune and space is SpaceName.s:
        options.refuse_without_effect(ctx, {"tune": "in space s"})
    paths = list_images(photos)
    check_folders(out, paths)
    if latents is not None:
        _check_latents(latents, space)
    faces = ChosenFaces(aligned, landmarks, face)
    settings = PhotoSettings(**Recipe(space, steps, start, published, tune, strict, faces, batch).fields())
    components = Components.load(network, detector=faces.detector, device=device)
    failures: list[UserError] = []
    found: dict[Path, Tensor] = {}
    for path, result in project_photos(paths, components, settings, out, bar, print_poor(strict)):
        if isinstance(result, UserError):
            failures.append(result)
        else:
            if result.portrait.ws is not None:
                found[path] = result.portrait.ws.cpu()
            print(f"\n{path}\n{format_checks(result.portrait.checks)}\nwritten to {result.folder}")
    if latents is not None and found:
        _write_latents(found, paths, latents)
    _print_count(len(paths), len(failures))
    end_with(failures)


def _check_latents(path: Path, space: SpaceName) -> None:
    """Refuse a file that the latents cannot be written to."""
    from latentlab.latents import check_latents_path

    if space is SpaceName.s:
        raise UserError(
            "--save-latents writes codes of w and w+; of space s each photo's projection.safetensors has them"
        )
    check_latents_path(path)
    options.check_file(path)


def _write_latents(found: Mapping[Path, Tensor], photos: Sequence[Path], out: Path) -> None:
    """Write the latents that were found, in the order in which the photos were given, and say which they are."""
    import torch

    from latentlab.latents import save_latents

    order = [path for path in photos if path in found]
    save_latents(torch.cat([found[path] for path in order]), out)
    print(f"\nlatents of {len(order)} photos are in {out}, in the order {', '.join(path.name for path in order)}")


def check_folders(out: Path, photos: Sequence[Path]) -> None:
    """Check the folder of the results, and in it the folder of each photo; UserError if something is in the way."""
    options.check_folder(out)
    for path in photos:
        options.check_folder(out / path.stem, [path])


def _print_count(given: int, failed: int) -> None:
    """Print a line that says how many of several photos failed."""
    if failed and given > 1:
        print(f"\n{given - failed} of {given} photos are done; {failed} failed:", flush=True)


def edit_photos(
    photos: Sequence[Path],
    direction: Direction,
    strengths: Sequence[float] | None,
    components: Components,
    settings: PhotoEditSettings,
    out: Path,
) -> None:
    """Edit photos and print what became of each; those that failed come at the end, with exit code 2."""
    from latentlab import pipelines
    from latentlab.pipelines.photos.edits import edit_names

    failures = []
    done = pipelines.edit_photos(
        photos, direction, strengths, components, settings, out, bar, print_poor(settings.strict)
    )
    for path, result in done:
        if isinstance(result, UserError):
            failures.append(result)
            continue
        print(f"\n{path}\n{pipelines.format_checks(result.portrait.checks)}")
        for one, name in zip(result.edits, edit_names(result.edits), strict=True):
            print(f"{direction.attribute} {name}: {one.values(settings.attribute)}")
            if one.search is not None:
                print(f"in its crop: {one.search.describe()[0]}")
            for check in one.checks:
                if check.verdict != "good":
                    print(f"  {check.name} {check.verdict}: {check.cause}")
        for why in dict.fromkeys(why for one in result.edits for why in one.why_unknown):
            print(why)
        print(f"written to {result.folder}: see comparison.png and report.md")
    _print_count(len(photos), len(failures))
    end_with(failures)


def print_poor(strict: bool) -> OnChecks:
    """Return a callback that prints a line per poor quality check of a photo, above the progress bars."""
    from tqdm import tqdm

    from latentlab.pipelines.checks import describe_poor

    consequence = "the photo is left out" if strict else "the result will suffer"

    def show(path: Path, checks: Sequence[QualityCheck]) -> None:
        for text in describe_poor(checks):
            tqdm.write(f"{path}: {text}; {consequence}")
        sys.stdout.flush()  # a pipe would get it with all the rest, after the long work

    return show
