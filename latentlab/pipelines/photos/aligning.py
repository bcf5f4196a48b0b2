"""From photos to aligned faces whose quality was checked, within seconds and before any long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from latentlab import images
from latentlab.errors import UserError
from latentlab.faces import AlignedFace, CropGeometry, FaceDetector, FaceFound, align_files
from latentlab.faces.alignment import one_face
from latentlab.faces.cropping import cut
from latentlab.faces.given import GivenFaces
from latentlab.pipelines.checks import QualityCheck, check_photo, describe_poor
from latentlab.pipelines.components import Components
from latentlab.pipelines.photos.settings import PhotoSettings
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr
from latentlab.work import Lost, in_order, run
from stylegan2.memory import return_freed_memory

_PHOTOS_UNTIL_RETURN = 16  # whose buffers take some hundred megabytes


@dataclass(frozen=True, eq=False, repr=False)
class CheckedPhoto(ShortRepr):
    """A photo whose face was found and checked.

    Attributes
    ----------
    path
        File of the photo.
    face
        Its face, at the generator's resolution.
    checks
        Quality checks of the photo.
    number
        Which of the photo's faces it is, from 1, where all are taken; None where one is.
    """

    path: Path
    face: AlignedFace
    checks: tuple[QualityCheck, ...]
    number: int | None = None

    @property
    def name(self) -> str:
        """Name of its folder: that of the photo, and which of several faces it is."""
        return self.path.stem if self.number is None else f"{self.path.stem}-{self.number}"

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return numbered(str(self.path), self.number)


@dataclass(frozen=True, eq=False, repr=False)
class WaitingPhoto(ShortRepr):
    """A checked photo until its turn comes, without pixels: the faces of a thousand photos would fill the memory.

    Attributes
    ----------
    path, checks, number
        See `CheckedPhoto`.
    geometry, face, warnings
        See `AlignedFace`.
    """

    path: Path
    geometry: CropGeometry
    face: FaceFound
    warnings: tuple[str, ...]
    checks: tuple[QualityCheck, ...]
    number: int | None

    @classmethod
    def of(cls, photo: CheckedPhoto) -> WaitingPhoto:
        """Put the pixels of a photo away."""
        face = photo.face
        return cls(photo.path, face.geometry, face.face, face.warnings, photo.checks, photo.number)

    def read(self) -> CheckedPhoto:
        """Cut the face out of the file again: the same pixels.

        Raises
        ------
        UserError
            If the file can no longer be read, or holds a photo of another size.
        """
        photo, size = images.load_image(self.path), self.geometry.photo_size
        if (photo.shape[3], photo.shape[2]) != size:
            raise UserError(f"{self.path} was changed while other photos were worked on; run the same command again")
        face = AlignedFace(cut(photo, self.geometry), self.geometry, self.face, self.warnings)
        return CheckedPhoto(self.path, face, self.checks, self.number)


OnChecks = Callable[[CheckedPhoto], object]
"""Called with a photo, and its quality checks, as soon as it is aligned; for each face where all are taken."""


def numbered(title: str, number: int | None) -> str:
    """A photo's title, and which of its faces is meant: 'photo.jpg, face 2'."""
    return title if number is None else f"{title}, face {number}"


def check_photos(
    paths: Sequence[str | Path],
    components: Components,
    settings: PhotoSettings | None = None,
    progress: bool | Stage = True,
    on_checks: OnChecks | None = None,
) -> Iterator[tuple[Path, CheckedPhoto | UserError]]:
    """Align photos and check their quality; a bad one never ends the batch.

    Nothing is projected yet: the face detector is loaded, and the generator, for its resolution.

    Parameters
    ----------
    paths
        Files of the photos.
    components
        Networks.
    settings
        Which face is taken, where it is known from, and whether a photo with a poor check counts as bad.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    on_checks
        Called with each photo in which a face was found, with its checks.

    Yields
    ------
    Path
        The file; where all faces are taken, once for each of them.
    CheckedPhoto or UserError
        That face, or what is wrong with the photo.

    Raises
    ------
    UserError
        If the file of the faces cannot be read.
    """
    settings = settings or PhotoSettings()
    detector = components.detector if settings.landmarks is None else GivenFaces(settings.landmarks)
    files = [Path(path) for path in paths]
    make = partial(_aligner, detector, components.generator.resolution, settings)
    with stage_of(progress)("aligning") as step:
        for done, (number, faces) in enumerate(in_order(run(make, files, None)), 1):
            path = files[number]
            for found in [UserError(f"{path}: {faces.reason}")] if isinstance(faces, Lost) else faces:
                yield path, found if isinstance(found, UserError) else _checked(found, settings, on_checks)
            if done % _PHOTOS_UNTIL_RETURN == 0:
                return_freed_memory()
            step(done, len(files))


def _aligner(
    detector: FaceDetector | GivenFaces, resolution: int, settings: PhotoSettings, here: None
) -> Callable[[Path], list[CheckedPhoto | UserError]]:
    """What finds the faces of a photo that the settings mean."""

    def align(path: Path) -> list[CheckedPhoto | UserError]:
        ((_, found),) = align_files([path], detector, resolution, "all")
        return [found] if isinstance(found, UserError) else list(_chosen(path, found, settings))

    return align


def _chosen(path: Path, found: Sequence[AlignedFace], settings: PhotoSettings) -> Iterator[CheckedPhoto | UserError]:
    """The faces that the settings mean, with their checks."""
    if settings.face == "all":
        for number, face in enumerate(found, 1):
            yield CheckedPhoto(path, face, tuple(check_photo(face, None)), number)
        return
    chosen = one_face(path, found, settings.face)
    if isinstance(chosen, UserError):
        yield chosen
    else:
        yield from (CheckedPhoto(path, face, tuple(check_photo(face, len(found)))) for face in chosen)


def _checked(photo: CheckedPhoto, settings: PhotoSettings, on_checks: OnChecks | None) -> CheckedPhoto | UserError:
    """The photo, or why it is left out."""
    if on_checks is not None:
        on_checks(photo)
    poor = describe_poor(photo.checks)
    if settings.strict and poor:
        return UserError(f"{photo.title} is left out: {'; '.join(poor)}")
    return photo
