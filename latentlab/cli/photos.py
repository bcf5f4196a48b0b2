"""`latentlab project`, and `latentlab edit --photo`: the job on photos."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentlab import mirroring
from latentlab.cli import options
from latentlab.cli.errors import end_with
from latentlab.errors import UserError
from latentlab.files import list_images
from latentlab.mirroring import shown
from latentlab.places import Folder
from latentlab.progress import bar

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.directions import Direction, Edits
    from latentlab.pipelines import Components, PhotoEditSettings
    from latentlab.pipelines.photos import CheckedPhoto, OnChecks, Pasting, PhotoEdit
    from latentlab.pipelines.photos.settings import Face


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
        help="Refine the generator's inner features to each photo after its projection; never in space s.",
    ),
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast", help="A quick look within seconds: a distilled editor where one fits the edit, or else few steps."
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
    typer.Option("--aligned", help="The photos are already faces in FFHQ's framing: squares that are not cropped."),
]
Landmarks = Annotated[
    Path | None,
    typer.Option(
        help="File of the faces instead of a detector: for each photo 5 or 68 points, or a box (.json, .csv)."
    ),
]
PhotoBatch = Annotated[int, typer.Option("--batch", min=1, help="Photos projected at once.")]
FaceName = Annotated[
    str, typer.Option("--face", metavar="all|largest|N", help="Face of each photo: 2 is the second largest.")
]


def parse_face(text: str) -> Face:
    """Parse which face of a photo is meant: all, largest, or a number from 1; UserError if it is none of these."""
    known: dict[str, Face] = {"all": "all", "largest": 1}
    if text in known:
        return known[text]
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"a face is all, largest, or its number from 1, the largest, not {text!r}")
    return int(text)


@dataclass(frozen=True)
class ChosenFaces:
    """Which faces of photos are meant, and how they are located, as the options of a command say."""

    aligned: bool = False
    landmarks: Path | None = None
    face: Face = 1

    def __post_init__(self) -> None:
        if self.aligned and (self.landmarks is not None or self.face != 1):
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
    fast: bool = False
    strict: bool = False
    faces: ChosenFaces = ChosenFaces()
    batch: int = 1
    class_label: int | None = None

    def fields(self) -> dict[str, Any]:
        """The fields of `PhotoSettings`; UserError for a recipe that does not exist."""
        from latentlab.pipelines.photos.settings import photo_recipe

        recipe = photo_recipe(self.space.value, self.steps, self.published, self.tune, self.fast)
        return {
            "projection": recipe.projection,
            "tuning": recipe.tuning,
            "start": "average" if self.published else self.start.value,
            "strict": self.strict,
            "face": self.faces.face,
            "landmarks": self.faces.landmarks,
            "batch_size": self.batch,
            "class_label": self.class_label,
        }


def edit_settings(
    recipe: Recipe, attribute: str | None, pasting: Pasting, force: bool, target: float | None, cap: float | None
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
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH|ADDRESS",
            help="Folder for the results, where a stopped run resumes, or an address such as s3://BUCKET/PROJECTIONS.",
        ),
    ] = "latentlab-projections",
    space: SpaceOption = SpaceName.w_plus,
    steps: Steps = None,
    start: StartOption = StartName.auto,
    published: Annotated[
        bool, typer.Option("--published", help="The published recipe, from the average: 1000 steps in w, 5000 in w+.")
    ] = False,
    tune: Tune = True,
    fast: Annotated[
        bool, typer.Option("--fast", help="A quick look: few steps of the search and the refinement.")
    ] = False,
    strict: Strict = False,
    aligned: Aligned = False,
    landmarks: Landmarks = None,
    face: FaceName = "largest",
    network: options.Network = "mobile-ffhq",
    class_label: options.ClassLabel = None,
    device: options.Device = "auto",
    batch: PhotoBatch = 1,
    save_latents: options.SaveLatents = None,
    workers: options.Workers = None,
    ray: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
) -> None:
    """Find the latents of photos: align, check, project, refine inner features, check again.

    Each photo gets a folder of its name with aligned.png, projected.png, the latent, the refined features, report.md
    and report.json. Photos that fail are named at the end, after all others are done; the exit code is then 2.
    """
    from latentlab.pipelines import Components, PhotoSettings, format_checks, project_photos

    if published:
        options.refuse_without_effect(ctx, {"start": "with --published, which starts from the average"})
        if fast:
            raise UserError("a recipe is published or fast; give one of --published and --fast")
    if tune and space is SpaceName.s:
        options.refuse_without_effect(ctx, {"tune": "in space s"})
    paths = list_images(photos)
    place = check_places(out, paths)
    if save_latents is not None:
        if space is SpaceName.s:
            raise UserError(
                "--save-latents writes codes of w and w+; of space s each photo's projection.safetensors has them"
            )
        options.check_latents_file(save_latents)
    faces = ChosenFaces(aligned, landmarks, parse_face(face))
    recipe = Recipe(space, steps, start, published, tune, fast, strict, faces, batch, class_label)
    settings = PhotoSettings(**recipe.fields())
    components = Components.load(network, detector=faces.detector, device=device)
    failures: list[UserError] = []
    done, found = 0, Codes()
    with mirroring.published(place, is_state) as folder, options.on_workers(workers, ray, gpus_per_worker):
        for path, result in project_photos(paths, components, settings, folder, bar, print_poor(strict)):
            if isinstance(result, UserError):
                failures.append(result)
                continue
            done += 1
            found.add(path, result.portrait.name, result.portrait.ws)
            told = f"{result.portrait.title}\n{format_checks(result.portrait.checks)}"
            print(f"\n{told}\nwritten to {shown(result.folder)}: see report.md")
    if save_latents is not None:
        found.write(save_latents, paths)
    _print_count(done, len(failures), "faces" if faces.face == "all" else "photos")
    end_with(failures)


class Codes:
    """Latent codes of photos, gathered for one file."""

    def __init__(self) -> None:
        self._found: dict[Path, list[tuple[str, Tensor]]] = {}

    def add(self, photo: Path, name: str, ws: Tensor | None) -> None:
        """Add a photo's code `(1, num_ws, w_dim)` and its name; None, where there is none, adds nothing."""
        if ws is not None:
            self._found.setdefault(photo, []).append((name, ws.cpu()))

    def write(self, out: Path, photos: Sequence[Path]) -> None:
        """Write them in the order in which the photos were given, and print their names; without any, write no file."""
        import torch

        from latentlab.latents import save_latents

        order = [one for path in photos for one in self._found.get(path, ())]
        if order:
            save_latents(torch.cat([ws for _, ws in order]), out)
            names = ", ".join(name for name, _ in order)
            print(f"\nlatents are in {out}, in the order {names}")


def check_places(out: str, photos: Sequence[Path]) -> Path | str:
    """Return the folder of the results, or their address; UserError if something is in the way of a photo's folder."""
    place = options.check_place(out)
    if isinstance(place, Path):
        for path in photos:
            options.check_folder(place / path.stem, [path])
    return place


def is_state(name: str) -> bool:
    """Whether a file is one that a job on photos resumes from; all others are written again in any case."""
    return name.startswith("state/")


def _print_count(done: int, failed: int, noun: str) -> None:
    """Print a line that says how many of several photos failed."""
    if failed and done + failed > 1:
        print(f"\n{done} of {done + failed} {noun} are done; {failed} failed:", flush=True)


def edit_photos(
    photos: Sequence[Path],
    direction: Direction | Edits,
    strengths: Sequence[float] | None,
    components: Components,
    settings: PhotoEditSettings,
    out: Folder,
    latents: Path | None = None,
) -> None:
    """Edit photos and print what became of each; those that failed come at the end, with exit code 2.

    The latents of all edits are written to the file `latents`, if one is given.
    """
    from latentlab import pipelines
    from latentlab.pipelines.photos.edits import edit_names

    failures, done, found = list[UserError](), Counter[Path](), Codes()
    with mirroring.published(out, is_state) as folder:
        results = pipelines.edit_photos(
            photos, direction, strengths, components, settings, folder, bar, print_poor(settings.strict)
        )
        for path, result in results:
            if isinstance(result, UserError):
                failures.append(result)
                continue
            done[path] += 1
            print(f"\n{result.portrait.title}\n{pipelines.format_checks(result.portrait.checks)}")
            names = edit_names(result.edits)
            for one, name in zip(result.edits, names, strict=True):
                found.add(path, f"{result.portrait.name} {name}", one.ws)
            _print_edits(result.edits, names, direction)
            print(f"written to {shown(result.folder)}: see comparison.png and report.md")
        for path, faces in done.items() if settings.face == "all" else ():
            told = "1 face" if faces == 1 else f"{faces} faces"
            print(f"\n{path} with {told} edited is in {shown(folder / path.stem)}")
    if latents is not None:
        found.write(latents, photos)
    _print_count(done.total(), len(failures), "faces" if settings.face == "all" else "photos")
    end_with(failures)


def edit_photos_quickly(
    photos: Sequence[Path], direction: Direction, components: Components, settings: PhotoEditSettings, out: Folder
) -> None:
    """Edit photos with the editor of a direction, as `edit_photos` does by projecting them."""
    from latentlab import pipelines
    from latentlab.pipelines.photos.edits import edit_names
    from latentlab.pipelines.photos.quick import edit_photos_quickly

    failures = []
    with mirroring.published(out, is_state) as folder:
        for _, result in edit_photos_quickly(
            photos, direction, components, settings, folder, bar, print_poor(settings.strict)
        ):
            if isinstance(result, UserError):
                failures.append(result)
                continue
            print(f"\n{result.checked.title}\n{pipelines.format_checks(result.checked.checks)}")
            print(f"by the editor {result.editor}, without a projection, in {result.seconds:.1f} s:")
            _print_edits(result.edits, edit_names(result.edits), direction)
            print(f"written to {shown(result.folder)}: see comparison.png and report.md")
    _print_count(len(photos) - len(failures), len(failures), "photos")
    end_with(failures)


def _print_edits(edits: Sequence[PhotoEdit], names: Sequence[str], direction: Direction | Edits) -> None:
    """Print what became of each edit, and what is not good about it."""
    from latentlab.directions import Edits

    for one, name in zip(edits, names, strict=True):
        title = str(direction) if isinstance(direction, Edits) else f"{direction.attribute} {name}"
        print(f"{title}: {one.values()}")
        if one.search is not None:
            print(f"in its crop: {one.search.describe()[0]}")
        for check in one.checks:
            if check.verdict != "good":
                print(f"  {check.name} {check.verdict}: {check.told}")
    for why in dict.fromkeys(why for one in edits for why in one.why_unknown):
        print(why)


def print_poor(strict: bool) -> OnChecks:
    """Return a callback that prints a line per poor quality check of a photo, above the progress bars."""
    from tqdm import tqdm

    from latentlab.pipelines.checks import describe_poor

    consequence = "the photo is left out" if strict else "the result will suffer"

    def show(photo: CheckedPhoto) -> None:
        for text in describe_poor(photo.checks):
            tqdm.write(f"{photo.title}: {text}; {consequence}")
        sys.stdout.flush()  # a pipe would get it with all the rest, after the long work

    return show
