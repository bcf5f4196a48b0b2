"""From photos to aligned faces whose quality was checked, within seconds and before any long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.errors import UserError
from latentlab.faces import AlignedFace, align_files
from latentlab.faces.given import GivenFaces
from latentlab.pipelines.checks import QualityCheck, check_photo, describe_poor
from latentlab.pipelines.components import Components
from latentlab.pipelines.photos.settings import PhotoSettings
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr

OnChecks = Callable[[Path, Sequence[QualityCheck]], object]
"""Called with a photo and its quality checks as soon as it was aligned."""


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
    """

    path: Path
    face: AlignedFace
    checks: tuple[QualityCheck, ...]


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
        Called with each photo in which a face was found, and its checks.

    Yields
    ------
    Path
        The file.
    CheckedPhoto or UserError
        That face, or what is wrong with the photo.

    Raises
    ------
    UserError
        If the file of the faces cannot be read.
    """
    settings = settings or PhotoSettings()
    resolution, face = components.generator.resolution, settings.face
    detector = components.detector if settings.landmarks is None else GivenFaces(settings.landmarks)
    with stage_of(progress)("aligning") as step:
        for done, (path, found) in enumerate(align_files(paths, detector, resolution, "all"), 1):
            if isinstance(found, UserError):
                yield path, found
            elif len(found) < face:
                noun = "face" if len(found) == 1 else "faces"
                yield path, UserError(f"{path} has {len(found)} {noun}, and the face {face} is asked for")
            else:
                checks = check_photo(found[face - 1], len(found))
                if on_checks is not None:
                    on_checks(path, checks)
                poor = describe_poor(checks)
                if settings.strict and poor:
                    yield path, UserError(f"{path} is left out: {'; '.join(poor)}")
                else:
                    yield path, CheckedPhoto(path, found[face - 1], tuple(checks))
            step(done, len(paths))
