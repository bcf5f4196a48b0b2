"""`latentlab compare`: several methods, one task, one table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer

from latentlab import perceptual, scorers
from latentlab.cli import options
from latentlab.errors import UserError

if TYPE_CHECKING:  # scikit-learn, dlib and others take seconds to import
    from latentlab.comparison import Comparison, Method, Section, Task
    from latentlab.tasks.edit_faces import EditLab, EditSettings, RealFaces


class TaskName(str, Enum):
    """What is compared."""

    smile = "smile"
    drawings = "drawings"
    facades = "facades"
    shapes = "shapes"


class Preset(str, Enum):
    """How much."""

    quick = "quick"
    full = "full"


class TowardsName(str, Enum):
    """To get the attribute, or to lose it."""

    positive = "positive"
    negative = "negative"


class DataName(str, Enum):
    """What translators learn from."""

    samples = "samples"
    pairs = "pairs"
    real = "real"


def compare(
    context: typer.Context,
    task: Annotated[
        TaskName,
        typer.Option(
            help="smile: edits of faces; drawings: to faces; facades: from labels; shapes: squares to circles."
        ),
    ] = TaskName.smile,
    methods: Annotated[str, typer.Option(help="Names with commas between them; by default all of the task's.")] = "",
    photos: Annotated[Path | None, typer.Option(help="smile: photos to edit, by default held-out faces.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report; also where a stopped run goes on.")] = Path(
        "latentlab-compare"
    ),
    preset: Annotated[
        Preset, typer.Option(help="quick: within 20 minutes on two cores; full: for a GPU.")
    ] = Preset.quick,
    towards: Annotated[
        TowardsName, typer.Option(help="smile: faces without the attribute get it, or those with it lose it.")
    ] = TowardsName.positive,
    scorer: Annotated[
        str, typer.Option(help="smile: labels and calibrates: fer, attributes:NAME or FILE.safetensors:NAME.")
    ] = "fer",
    attribute: Annotated[str, typer.Option(help="smile: which of its scores.")] = "happy",
    judge: Annotated[
        str, typer.Option(help="smile: the classifier that judges: attributes, or FILE.safetensors.")
    ] = "attributes",
    judged: Annotated[str, typer.Option(help="smile: the attribute of the judge that means the same.")] = "smiling",
    data: Annotated[
        DataName,
        typer.Option(help="smile: translators learn from labelled samples, from edited pairs, or from real faces."),
    ] = DataName.samples,
    folder: Annotated[
        Path | None,
        typer.Option(help="facades: pairs in train/ and val/; drawings: faces; smile with --data real: photos."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="With --data real: CSV of image, identity, attributes.")] = None,
    network: options.Network = "mobile-ffhq",
    faces: Annotated[int | None, typer.Option(min=2, help="Pictures to learn from, of each domain.")] = None,
    held_out: Annotated[int | None, typer.Option(min=2, help="Pictures to judge on.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side of the pictures.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Feature maps at the thinnest, of translators.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a projection.")] = None,
    effort: Annotated[float, typer.Option(min=0.001, help="Epochs of translators, times the preset's.")] = 1.0,
    paste: Annotated[bool, typer.Option("--paste", help="smile: also put the edits back into the photos.")] = False,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    device: options.Device = "auto",
) -> None:
    """Compare ways to do one task on the same held-out pictures, and report what is gained and what is lost.

    Latent methods: latent-mean, latent-svm, latent-conditional. Translators: pix2pix, cyclegan, instagan. Whatever
    was learnt, found or made is kept, and a run that was stopped goes on with the same command.
    """
    begun = time.monotonic()
    _check_given(context, task)
    names = [name.strip() for name in methods.split(",") if name.strip()]
    options.check_folder(out)
    numbers = {"held_out": held_out, "size": size, "width": width, "projection_steps": steps, "faces": faces}
    chosen = {name: value for name, value in numbers.items() if value is not None} | {"seed": seed}
    job = _Job(out, preset.value, chosen, effort, names, options.find_device(device))
    if task is TaskName.shapes:
        lines, page = _shapes(job)
    elif task is TaskName.facades:
        lines, page = _facades(job, folder)
    elif task is TaskName.drawings:
        lines, page = _drawings(job, network, folder)
    else:
        wanted = {"attribute": attribute, "judged": judged, "towards": towards.value, "data": data.value}
        lines, page = _smile(job, wanted, _Lab(network, scorer, judge), photos, paste, folder, labels)
    print("\n".join(lines))
    print(f"{page} has it all; done in {time.monotonic() - begun:.0f} s")


_FOR_ALL = {"task", "methods", "out", "preset", "held_out", "size", "width", "effort", "seed", "device"}
_OWN = {
    TaskName.drawings: {"folder", "faces", "steps", "network"},
    TaskName.facades: {"folder"},
    TaskName.shapes: {"faces"},
}
"""Options of tasks other than smile, which takes all."""


def _check_given(context: typer.Context, task: TaskName) -> None:
    """UserError for an option that was given and that the task has no use for."""
    if task is TaskName.smile:
        return
    for name in context.params.keys() - _FOR_ALL - _OWN[task]:
        source = context.get_parameter_source(name)
        # By its name, for newer versions of typer hold their own copy of click's class.
        if source is not None and source.name == "COMMANDLINE":
            raise UserError(f"the task {task.value} takes no --{name.replace('_', '-')}")


@dataclass(frozen=True)
class _Job:
    """What every task is asked for."""

    out: Path
    preset: str
    chosen: dict[str, Any]
    effort: float
    names: list[str]
    device: torch.device

    def settings(self, presets: dict[str, Any], methods: Sequence[str]) -> Any:
        """A preset with the options; UserError for a method that is not known, before any work is done."""
        for name in self.names:
            if name not in methods:
                raise UserError(f"no method of this task is called {name!r}; there are {', '.join(methods)}")
        preset = presets[self.preset]
        epochs = {name: self.effort * value for name, value in preset.epochs.items()}
        return replace(preset, epochs=epochs, **self.chosen)

    def done(
        self,
        task: Task,
        methods: Sequence[Method],
        floors: Sequence[str],
        sections: Callable[[Comparison], Sequence[Section]] = lambda comparison: (),
    ) -> tuple[list[str], Path]:
        """Compare, and report, with sections of the task's own."""
        from latentlab.comparison import compare as run
        from latentlab.comparison import summary_lines, write_report

        comparison = run(task, methods, options.bar)
        page = write_report(comparison, options.this_command(), sections(comparison), floors)
        return summary_lines(comparison, floors), page


@dataclass(frozen=True)
class _Lab:
    """Names of what makes, labels and judges."""

    network: str
    scorer: str
    judge: str

    def load(
        self, settings: EditSettings, photos: Path | None, real: RealFaces | None, device: torch.device
    ) -> EditLab:
        """They, classifiers first: with them all that was asked for can be checked, and they are small."""
        from latentlab.tasks.edit_faces import EditLab, check_inputs

        scorer, judge = scorers.load_scorer(self.scorer, device), scorers.load_attributes(self.judge, device)
        check_inputs(settings, scorer, judge, photos, real)
        return EditLab.of(options.load_generator(self.network, device), scorer, judge)


def _smile(
    job: _Job,
    wanted: dict[str, str],
    lab: _Lab,
    photos: Path | None,
    paste: bool,
    folder: Path | None,
    labels: Path | None,
) -> tuple[list[str], Path]:
    from latentlab.tasks import edit_faces as edits

    if paste and photos is None:
        raise UserError("--paste puts edits back into --photos, and there are none")
    if (folder is None) != (labels is None):
        raise UserError("real faces are a --folder of photos and their --labels")
    judged = wanted["judged"]
    settings = job.settings(edits.PRESETS, edits.METHODS)
    settings = replace(
        settings,
        **wanted,
        conditions=tuple(name for name in settings.conditions if name != judged),
        kin=settings.kin if judged in edits.OF_THE_MOUTH else (),
    )
    real = None if folder is None or labels is None else edits.RealFaces(folder, labels, judged)
    networks = lab.load(settings, photos, real, job.device)
    task = edits.make_edit_task(settings, networks, job.out, photos, real, options.bar)
    methods = edits.edit_methods(task, job.names or edits.METHODS)

    def sections(comparison: Comparison) -> Sequence[Section]:
        if paste and photos is not None:
            edits.paste_edits(comparison, photos, options.bar)
        return edits.edit_sections(comparison, edits.strengths_of(comparison, methods, options.bar))

    return job.done(task, methods, [edits.FLOOR], sections)


def _shapes(job: _Job) -> tuple[list[str], Path]:
    from latentlab.tasks import shapes

    job = replace(job, chosen={"scenes" if name == "faces" else name: value for name, value in job.chosen.items()})
    settings = job.settings(shapes.SHAPES_PRESETS, shapes.SHAPES_METHODS)
    task = shapes.make_shapes_task(settings, job.out, options.bar, job.device)
    methods = shapes.shapes_methods(task, job.names or shapes.SHAPES_METHODS)
    return job.done(task, methods, shapes.SHAPES_FLOORS)


def _facades(job: _Job, folder: Path | None) -> tuple[list[str], Path]:
    from latentlab.tasks import facades

    if folder is None:
        raise UserError("the task facades takes a --folder with train/ and val/, pairs of photo and labels")
    settings = job.settings(facades.FACADES_PRESETS, facades.FACADES_METHODS)
    task = facades.make_facades_task(settings, job.out, folder, perceptual.load_perceptual("vgg", job.device))
    methods = facades.facades_methods(task, job.names or facades.FACADES_METHODS)
    return job.done(task, methods, facades.FACADES_FLOORS)


def _drawings(job: _Job, network: str, folder: Path | None) -> tuple[list[str], Path]:
    from latentlab.faces.identity import FaceDescriptor
    from latentlab.tasks import drawings

    settings = job.settings(drawings.DRAWINGS_PRESETS, drawings.DRAWINGS_METHODS)
    generator, vgg = options.load_generator(network, job.device), perceptual.load_perceptual("vgg", job.device)
    task = drawings.make_drawings_task(settings, job.out, generator, folder, options.bar, vgg, FaceDescriptor())
    methods = drawings.drawings_methods(task, job.names or drawings.DRAWINGS_METHODS)
    return job.done(task, methods, drawings.DRAWINGS_FLOORS)
