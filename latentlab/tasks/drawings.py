"""The task of painting faces after line drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from latentlab import perceptual as lpips
from latentlab.comparison.protocol import Method
from latentlab.comparison.run import digest
from latentlab.datasets.drawings import make_drawings
from latentlab.datasets.sources import generated_images, images_of_files
from latentlab.errors import UserError
from latentlab.faces.identity import FaceDescriptor
from latentlab.perceptual import PerceptualDistance
from latentlab.progress import Stage, silent
from latentlab.projection import DEFAULTS
from latentlab.rendering import Renderer
from latentlab.tasks.baselines import NearestFace
from latentlab.tasks.building import chosen, fingerprint, made_once
from latentlab.tasks.paired import TRAINED_ONCE, PairedTask, opened
from latentlab.tasks.trained import Trained
from latentlab.translation.data.folders import images_in
from latentlab.translation.methods import Pix2Pix
from stylegan2.protocol import Generator

DRAWINGS_METHODS = ("pix2pix", "retrieval", "projection-of-drawing", "projection-of-face")
DRAWINGS_FLOORS = ("retrieval", "projection-of-face")
"""Those that are no contestants: they know faces to copy, and the answer."""


@dataclass(frozen=True)
class DrawingsSettings:
    """The task, and how much each method gets.

    Attributes
    ----------
    size
        Side of the pictures, a power of two.
    faces, held_out
        Generated ones to train on and held out; of a folder's faces the last `held_out` are held out.
    width
        Feature maps at the thinnest.
    epochs
        Passes through the training faces, by method.
    batch_size, seed
        Of the training.
    projection_steps
        Of the search for the nearest face: what takes longest by far.
    psi, seed_start
        Of the generated faces.
    """

    size: int = 64
    faces: int = 300
    held_out: int = 24
    width: int = 32
    epochs: Mapping[str, float] = field(default_factory=lambda: {"pix2pix": 25})
    batch_size: int = 4
    seed: int = 0
    projection_steps: int = 10
    psi: float = 0.7
    seed_start: int = 600


DRAWINGS_PRESETS = {
    "quick": DrawingsSettings(),
    "full": DrawingsSettings(
        size=256, faces=2000, held_out=100, width=64, epochs={"pix2pix": 200}, batch_size=1, projection_steps=280
    ),
}
"""'quick': within 20 minutes on two cores; 'full': for a GPU."""


class DrawingsTask(PairedTask):
    """Faces from line drawings; built by `make_drawings_task`.

    Attributes
    ----------
    settings, generator
        What was asked for, and into what drawings are projected.
    """

    settings: DrawingsSettings
    generator: Generator


def make_drawings_task(
    settings: DrawingsSettings,
    folder: Path,
    generator: Generator,
    pictures: Path | None = None,
    stage: Stage = silent,
    perceptual: PerceptualDistance | None = None,
    descriptor: FaceDescriptor | None = None,
) -> DrawingsTask:
    """Draw faces in `folder`, or find the drawings there.

    Parameters
    ----------
    settings
        What is asked for.
    folder
        Of the comparison.
    generator
        Makes the faces, at its smallest size, unless there are `pictures`; the floors project into it.
    pictures
        A folder of aligned faces.
    stage
        Shows the progress.
    perceptual
        By default LPIPS with VGG16.
    descriptor
        Measures identity, too; without it that is left out.

    Raises
    ------
    UserError
        There are too few faces, or scikit-image is missing.
    """
    paths = [] if pictures is None else images_in(pictures)
    count = settings.faces + settings.held_out if pictures is None else len(paths)
    if min(settings.held_out, count - settings.held_out) < 1:
        raise UserError(f"it takes faces to learn from beside those held out: {settings.held_out} of {count} are")
    if pictures is None:
        seeds = range(settings.seed_start, settings.seed_start + count)
        made_from = f"samples of {generator.fingerprint} from seed {settings.seed_start} at psi {settings.psi:g}"
        shown = generated_images(Renderer(generator, generator.resolutions[0]), seeds, settings.psi, made_from)
    else:
        shown = images_of_files(paths, f"pictures {fingerprint(paths)}")
    share = settings.held_out / count
    pairs = folder / f"pairs-{digest([shown.origin, count, settings.held_out, settings.size])}"

    def make() -> None:
        with stage("drawing") as step:
            make_drawings(shown, pairs, settings.size, held_out=share, progress=step)

    made_once(pairs, make)
    training, held_out = (opened(pairs / part, "AB") for part in ("train", "test"))
    task = DrawingsTask(
        f"Painting faces after {len(held_out)} line drawings",
        folder,
        settings.size,
        "The drawings are an edge detector's, so that the true face is known; of hair and skin they hold little, and "
        "many faces would do. projection-of-face is given the true face: it is what the generator can reach, and no "
        f"method. Identity is dlib's descriptor of small pictures enlarged, both alike. {TRAINED_ONCE}",
        training,
        held_out,
        lpips.load_perceptual("vgg") if perceptual is None else perceptual,
        descriptor,
    )
    task.settings, task.generator = settings, generator
    return task


def drawings_methods(task: DrawingsTask, names: Sequence[str] = DRAWINGS_METHODS) -> list[Method]:
    """The methods of those names: 'pix2pix', 'retrieval', 'projection-of-drawing', 'projection-of-face'.

    The last is given the truth: a ceiling.

    Raises
    ------
    UserError
        There is no such method.
    """
    settings = task.settings
    config, search = Pix2Pix.configure(task.size, settings.width), DEFAULTS["w+"]
    search = search.shortened(settings.projection_steps)
    return chosen(
        {
            "pix2pix": lambda: Trained(
                "pix2pix", config, task.paired, settings.epochs["pix2pix"], settings.batch_size, settings.seed
            ),
            "retrieval": task.retrieval,
            "projection-of-drawing": lambda: NearestFace("projection-of-drawing", task.generator, search),
            "projection-of-face": lambda: NearestFace("projection-of-face", task.generator, search, of_truth=True),
        },
        names,
    )
