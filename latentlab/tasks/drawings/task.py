"""The drawings task: painting faces from line drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from latentlab.comparison.caching import digest, files_digest, made_once
from latentlab.comparison.definition import Job, choose_methods
from latentlab.comparison.protocol import Method
from latentlab.datasets.drawings import make_drawings
from latentlab.datasets.sources import NamedImages, generated_images, images_of_files
from latentlab.errors import UserError
from latentlab.files import images_in
from latentlab.pipelines.components import Components
from latentlab.progress import Stage
from latentlab.projection import DEFAULTS
from latentlab.rendering import Renderer
from latentlab.tasks.baselines import NearestFace
from latentlab.tasks.drawings.definition import METHODS, DrawingsInputs, DrawingsSettings
from latentlab.tasks.paired import TRAINED_ONCE, PairedTask, PairedTaskText, open_folder
from latentlab.tasks.trained import Trained
from latentlab.translation.methods import load_method
from stylegan2.protocol import Generator


class DrawingsTask(PairedTask):
    """Faces from line drawings; built by `make_drawings_task`.

    Attributes
    ----------
    settings
        What is asked for.
    generator
        Generator that drawings are projected into.
    """

    settings: DrawingsSettings
    generator: Generator


def make_drawings_task(
    settings: DrawingsSettings,
    components: Components,
    folder: Path,
    faces: Path | None = None,
    with_identity: bool = True,
    progress: bool | Stage = True,
) -> DrawingsTask:
    """Draw faces in `folder`, or find the drawings there.

    Parameters
    ----------
    settings
        What is asked for.
    components
        Generator, which makes the faces, at its lowest resolution, unless they are given, and into which baseline and
        oracle project; face descriptor and perceptual distance.
    folder
        Folder of the comparison.
    faces
        Folder of aligned faces.
    with_identity
        Whether identity is measured, which needs the face descriptor.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If there are too few faces, or scikit-image is missing.
    """
    source = _source(settings, components.plain_generator, faces)
    if min(settings.held_out, source.count - settings.held_out) < 1:
        raise UserError(
            f"there must be faces to learn from besides those held out: {settings.held_out} of {source.count} are"
        )
    pairs = folder / f"pairs-{digest([source.origin, source.count, settings.held_out, settings.size])}"

    def make() -> None:
        share = settings.held_out / source.count
        make_drawings(source, pairs, settings.size, held_out=share, progress=progress)

    made_once(pairs, make)
    training, held_out = (open_folder(pairs / part, "AB") for part in ("train", "test"))
    text = PairedTaskText(
        f"Painting faces from {len(held_out)} line drawings",
        "The drawings are an edge detector's, so that the true face is known; they say little about hair and skin, and "
        "many faces would fit. projection-of-face is given the true face: it shows what the generator can reach, and "
        f"is an oracle, not a method. Identity is dlib's descriptor of small images enlarged, both alike. "
        f"{TRAINED_ONCE}",
    )
    descriptor = components.descriptor if with_identity else None
    task = DrawingsTask(text, folder, settings.size, training, held_out, components.perceptual, descriptor)
    task.settings, task.generator = settings, components.generator
    if faces is None:
        task.labels = [f"seed {int(name)}" for name in task.names]
    return task


def _source(settings: DrawingsSettings, generator: Generator, faces: Path | None) -> NamedImages:
    """The faces to draw: those of a folder, or generated ones."""
    if faces is not None:
        paths = images_in(faces)
        return images_of_files(paths, f"pictures {files_digest(paths)}")
    seeds = range(settings.seed_start, settings.seed_start + settings.faces + settings.held_out)
    origin = f"samples of {generator.fingerprint} from seed {settings.seed_start} at psi {settings.psi:g}"
    return generated_images(Renderer(generator, generator.resolutions[0]), seeds, settings.psi, origin)


def make_from_inputs(settings: DrawingsSettings, inputs: DrawingsInputs, job: Job) -> DrawingsTask:
    """Make the task of `latentlab compare drawings`."""
    components = Components.load(inputs.network, device=job.device)
    return make_drawings_task(settings, components, job.folder, inputs.folder, progress=job.progress)


def drawings_methods(task: DrawingsTask, names: Sequence[str] = METHODS) -> list[Method]:
    """Construct the methods with these names.

    Parameters
    ----------
    task
        Task they are for.
    names
        'pix2pix'; 'retrieval', a baseline; 'projection-of-drawing'; 'projection-of-face', an oracle.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    settings = task.settings
    config = load_method("pix2pix").configure(task.size, settings.base_channels)
    search = DEFAULTS["w+"].shortened(settings.projection_steps)
    known: dict[str, Callable[[], Method]] = {
        "pix2pix": lambda: Trained(
            "pix2pix", config, task.paired, settings.epochs["pix2pix"], settings.batch_size, settings.seed
        ),
        "retrieval": task.retrieval,
        "projection-of-drawing": lambda: NearestFace("projection-of-drawing", task.generator, search),
        "projection-of-face": lambda: NearestFace("projection-of-face", task.generator, search, of_truth=True),
    }
    return choose_methods(known, names)
