"""`latentlab compare`: several methods, one task, one table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentlab.cli import options
from latentlab.errors import UserError

if TYPE_CHECKING:  # torch's friends, lpips and dlib take seconds to import
    from latentlab.comparison.edits import EditLab, EditSettings
    from stylegan2.protocol import Generator


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
    names = [name.strip() for name in methods.split(",") if name.strip()]
    options.check_folder(out)
    size_options = {"held_out": held_out, "size": size, "width": width, "projection_steps": steps, "faces": faces}
    chosen = {name: value for name, value in size_options.items() if value is not None} | {"seed": seed}
    if task is not TaskName.smile:
        _only_for_smile(photos=photos, labels=labels, paste=paste or None)
        job = _SeedTask(out, preset.value, chosen, effort, names)
        if task is TaskName.shapes:
            lines, page = _shapes(job, folder)
        elif task is TaskName.facades:
            lines, page = _facades(job, folder)
        else:
            lines, page = _drawings(job, options.load_generator(network, options.find_device(device)), folder)
    else:
        from latentlab.comparison.edits import METHODS, OF_THE_MOUTH, PRESETS, RealFaces

        settings = _sized(PRESETS[preset.value], chosen, effort)
        settings = replace(
            settings,
            attribute=attribute,
            judged=judged,
            towards=towards.value,
            data=data.value,
            conditions=tuple(name for name in settings.conditions if name != judged),
            kin=settings.kin if judged in OF_THE_MOUTH else (),
        )
        if paste and photos is None:
            raise UserError("--paste puts edits back into --photos, and there are none")
        if (folder is None) != (labels is None):
            raise UserError("real faces are a --folder of photos and their --labels")
        real = None if folder is None or labels is None else RealFaces(folder, labels, judged)
        _check_methods(names, METHODS)
        lab = _lab(network, scorer, judge, device)
        lines, page = _edits(settings, lab, out, names, photos, real, paste)
    print("\n".join(lines))
    print(f"{page} has it all; done in {time.monotonic() - begun:.0f} s")


def _check_methods(names: Sequence[str], known: Sequence[str]) -> None:
    """UserError for a name that is not known, before any work is done."""
    for name in names:
        if name not in known:
            raise UserError(f"no method of this task is called {name!r}; there are {', '.join(known)}")


def _only_for_smile(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise UserError(f"--{name} is for the task smile")


def _sized(preset: Any, chosen: dict[str, Any], effort: float) -> Any:
    """A preset with the options that its task has; UserError for one that it has not."""
    unknown = [name for name in chosen if not hasattr(preset, name)]
    if unknown:
        raise UserError(f"this task has no {unknown[0].replace('_', ' ')}")
    epochs = {name: effort * value for name, value in preset.epochs.items()}
    return replace(preset, epochs=epochs, **chosen)


def _lab(network: str, scorer: str, judge: str, device: str) -> EditLab:
    from latentlab.comparison.edits import EditLab
    from latentlab.scorers import load_attributes

    generator, labelling = options.load_lab(network, scorer, device)
    return EditLab.of(generator, labelling, load_attributes(judge, generator.w_avg.device))


def _edits(
    settings: EditSettings, lab: EditLab, out: Path, names: list[str], photos: Path | None, real: Any, paste: bool
) -> tuple[list[str], Path]:
    from latentlab.comparison import compare as run
    from latentlab.comparison import summary_lines, write_report
    from latentlab.comparison.edits import (
        FLOOR,
        METHODS,
        edit_methods,
        edit_sections,
        make_edit_task,
        paste_edits,
        strengths_of,
    )

    task = make_edit_task(settings, lab, out, photos, real, options.bar)
    methods = edit_methods(task, names or METHODS)
    comparison = run(task, methods, options.bar)
    sections = edit_sections(comparison, strengths_of(comparison, methods, options.bar))
    if paste and photos is not None:
        paste_edits(comparison, photos, options.bar)
    page = write_report(comparison, options.this_command(), sections, floors=[FLOOR])
    return summary_lines(comparison, [FLOOR]), page


@dataclass(frozen=True)
class _SeedTask:
    """What the tasks other than smile are asked for."""

    out: Path
    preset: str
    chosen: dict[str, Any]
    effort: float
    names: list[str]

    def settings(self, presets: dict[str, Any]) -> Any:
        """A preset with the options."""
        return _sized(presets[self.preset], self.chosen, self.effort)

    def done(self, task: Any, methods: Any, floors: tuple[str, ...]) -> tuple[list[str], Path]:
        """Compare, and report."""
        from latentlab.comparison import compare as run
        from latentlab.comparison import summary_lines, write_report

        comparison = run(task, methods, options.bar)
        page = write_report(comparison, options.this_command(), floors=floors)
        return summary_lines(comparison, floors), page


def _shapes(job: _SeedTask, folder: Path | None) -> tuple[list[str], Path]:
    from latentlab.comparison import shapes

    if folder is not None:
        raise UserError("the task shapes draws its own pictures and takes no --folder")
    _check_methods(job.names, shapes.SHAPES_METHODS)
    job = replace(job, chosen={"scenes" if name == "faces" else name: value for name, value in job.chosen.items()})
    task = shapes.make_shapes_task(job.settings(shapes.SHAPES_PRESETS), job.out, options.bar)
    methods = shapes.shapes_methods(task, job.names or shapes.SHAPES_METHODS)
    return job.done(task, methods, shapes.SHAPES_FLOORS)


def _facades(job: _SeedTask, folder: Path | None) -> tuple[list[str], Path]:
    from latentlab.comparison import facades

    if folder is None:
        raise UserError("the task facades takes a --folder with train/ and val/, pairs of photo and labels")
    _check_methods(job.names, facades.FACADES_METHODS)
    task = facades.make_facades_task(job.settings(facades.FACADES_PRESETS), job.out, folder)
    methods = facades.facades_methods(task, job.names or facades.FACADES_METHODS)
    return job.done(task, methods, facades.FACADES_FLOORS)


def _drawings(job: _SeedTask, generator: Generator, folder: Path | None) -> tuple[list[str], Path]:
    from latentlab.comparison import drawings
    from latentlab.faces.identity import FaceDescriptor

    _check_methods(job.names, drawings.DRAWINGS_METHODS)
    settings = job.settings(drawings.DRAWINGS_PRESETS)
    task = drawings.make_drawings_task(settings, job.out, generator, folder, options.bar, descriptor=FaceDescriptor())
    methods = drawings.drawings_methods(task, job.names or drawings.DRAWINGS_METHODS)
    return job.done(task, methods, drawings.DRAWINGS_FLOORS)
