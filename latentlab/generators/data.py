"""The training set of a generator: images in a folder or an archive, checked, cut to size and kept as bytes.

All files are read once, before the training starts. What the training reads is an array on disk, of which the system
keeps in memory what fits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from latentlab import images
from latentlab.archives import is_archive, unpack
from latentlab.errors import UserError
from latentlab.files import atomic_path, images_in, read_json, write_json
from latentlab.generators.labels import LABELS, labels_of
from latentlab.progress import Stage, stage_of
from latentlab.reprs import ShortRepr
from latentlab.schemas import Count
from stylegan2.config import check_resolution

Fit = Literal["square", "crop", "stretch"]
OnProblem = Literal["error", "skip"]
_IMAGES, _MANIFEST = "images.bin", "set.json"
_SHOWN = 5  # problems in a message
_FITTING = "set fit (--fit) to crop or to stretch"
_SHAPES = "where all images have one shape, resolution (--resolution) takes its width and height, such as 512x256"


@dataclass(frozen=True)
class ImageSetSettings:
    """How images become those of a training set.

    Attributes
    ----------
    resolution
        Height and width: one number for both, a power of two from 8 on, or two numbers of any size.
    channels
        3 for colour, 1 for grey.
    fit
        'square' takes only square images, or those with the proportions of the resolution; 'crop' takes the middle of
        others; 'stretch' squeezes them.
    labels
        Whether the labels in `dataset.json` are used.
    on_problem
        'error', or 'skip' to leave out files that cannot be used.
    """

    resolution: int | tuple[int, int]
    channels: int = 3
    fit: Fit = "square"
    labels: bool = False
    on_problem: OnProblem = "error"

    def __post_init__(self) -> None:
        self._check_resolution()
        if self.channels not in images.CHANNELS:
            raise UserError(f"images of a training set have 3 channels or 1, not {self.channels}")
        for name, kind in (("fit", Fit), ("on_problem", OnProblem)):
            if getattr(self, name) not in get_args(kind):
                raise UserError(f"{name} is one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")

    def _check_resolution(self) -> None:
        if not isinstance(self.resolution, tuple):
            try:
                check_resolution(self.resolution, 8)
            except ValueError as error:
                raise UserError(str(error)) from error
        elif len(self.resolution) != 2 or not all(type(side) is int and side >= 1 for side in self.resolution):
            raise UserError(f"resolution is a height and a width in pixels, not {self.resolution}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.resolution if isinstance(self.resolution, tuple) else (self.resolution, self.resolution)

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON holds them, without what does not change an image."""
        height, width = self.size
        resolution = height if height == width else [height, width]
        return {"resolution": resolution, "channels": self.channels, "fit": self.fit, "labels": self.labels}


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet(ShortRepr):
    """Images of one size, with their labels.

    Attributes
    ----------
    images
        `(n, c, h, w)`, bytes; on disk.
    labels
        `(n, c_dim)`; of width 0 without labels.
    problems
        Files that were left out, by name, with the reasons, which name the files, too.
    description
        What the set is, as JSON holds it: its settings, its size, and a digest of all pixels and labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.float32]
    problems: Mapping[str, str]
    description: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def c_dim(self) -> int:
        """Width of the labels; 0 without."""
        return int(self.labels.shape[1])

    def batch(self, chosen: Sequence[int], mirrored: Sequence[bool] = ()) -> tuple[Tensor, Tensor | None]:
        """Return some images `(b, c, h, w)` in [-1, 1], and their labels `(b, c_dim)`.

        Parameters
        ----------
        chosen
            Their numbers.
        mirrored
            Whether each is mirrored; none by default.
        """
        picked = torch.from_numpy(np.stack([self.images[k] for k in chosen])).float() / 127.5 - 1
        if any(mirrored):
            picked = torch.where(torch.tensor(mirrored)[:, None, None, None], picked.flip(3), picked)
        labels = torch.from_numpy(self.labels[list(chosen)]) if self.c_dim else None
        return picked, labels


@dataclass(frozen=True)
class _Manifest:
    settings: dict[str, Any]
    files: list[tuple[str, Count, int]]  # name, bytes, and the time of the last change in nanoseconds
    problems: dict[str, str]
    digest: str


def open_images(path: Path, settings: ImageSetSettings, cache: Path, progress: bool | Stage = True) -> ImageSet:
    """Read a training set, or find one that was read before.

    Parameters
    ----------
    path
        Folder of images, subfolders included, or a zip archive; for labels, with a `dataset.json`, see `labels_of`.
    settings
        How images are cut to size.
    cache
        Folder that keeps the images as bytes.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        There are no images, or some cannot be used: names them and says why; or the labels are not those of the images.
    """
    root = unpack(path, cache / "unpacked") if is_archive(path) else path
    paths = images_in(root, recursive=True)
    names = [one.relative_to(root).as_posix() for one in paths]
    files = [(name, *_stamp(one)) for name, one in zip(names, paths, strict=True)]
    labels = labels_of(root / LABELS, names) if settings.labels else np.zeros((len(names), 0), np.float32)
    manifest = _kept(cache, settings, files)
    if manifest is None:
        manifest = _read_all(paths, files, settings, cache, stage_of(progress))
    if manifest.problems:
        labels = labels[[name not in manifest.problems for name in names]]
    shape = (len(labels), settings.channels, *settings.size)
    if (cache / _IMAGES).stat().st_size != math.prod(shape):
        raise UserError(f"{cache / _IMAGES} is not what was written there: remove {cache}")
    found = np.memmap(cache / _IMAGES, np.uint8, "r", shape=shape)
    digest = hashlib.sha256(manifest.digest.encode() + labels.tobytes()).hexdigest()
    description = {**settings.as_dict(), "images": len(found), "digest": digest}
    return ImageSet(found, labels, manifest.problems, description)


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file; zeros for a link that leads nowhere, which becomes a problem when it is read."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _kept(cache: Path, settings: ImageSetSettings, files: list[tuple[str, int, int]]) -> _Manifest | None:
    """The set that was read before, if these are its files."""
    if not (cache / _MANIFEST).exists() or not (cache / _IMAGES).exists():
        return None
    manifest = read_json(cache / _MANIFEST, _Manifest)
    same = manifest.settings == settings.as_dict() and [tuple(one) for one in manifest.files] == files
    return manifest if same and (settings.on_problem == "skip" or not manifest.problems) else None


def _read_all(
    paths: list[Path], files: list[tuple[str, int, int]], settings: ImageSetSettings, cache: Path, stage: Stage
) -> _Manifest:
    """Read all images into one file."""
    problems: dict[str, str] = {}
    digest = hashlib.sha256()
    with (
        atomic_path(cache / _IMAGES) as temporary,
        open(temporary, "wb") as file,
        stage("reading images", "image") as show,
    ):
        for k, pixels in enumerate(_pixels(paths, files, settings, problems)):
            file.write(pixels)
            digest.update(pixels)
            show(k + 1, len(paths))
        _complain(problems, len(paths), settings)
        (cache / _MANIFEST).unlink(missing_ok=True)  # it is not that of the images that now take their place
    manifest = _Manifest(settings.as_dict(), files, problems, digest.hexdigest())
    write_json(cache / _MANIFEST, {**vars(manifest)})
    return manifest


def _pixels(
    paths: list[Path], files: list[tuple[str, int, int]], settings: ImageSetSettings, problems: dict[str, str]
) -> Iterator[bytes]:
    """Yield the bytes of each image, `(c, h, w)`; none of one that cannot be used, which becomes a problem."""
    for path, (name, *_) in zip(paths, files, strict=True):
        try:
            with images.opened(path) as image:
                pixels = cut(image, settings).tobytes()
        except UserError as error:
            problems[name], pixels = str(error).replace(str(path), name), b""
        yield pixels


def cut(image: Image.Image, settings: ImageSetSettings) -> NDArray[np.uint8]:
    """Cut an image to size: bytes `(c, h, w)`.

    Raises
    ------
    UserError
        The image is of another shape, and the settings take only images of one shape.
    """
    image = images.upright(image)
    (width, height), (high, wide) = image.size, settings.size
    if settings.fit == "square" and width * high != height * wide:
        raise UserError(_other_shape(width, height, settings))
    pixels = images.from_pil(image)
    if settings.fit == "crop":
        rows, columns = min(height, max(1, round(width * high / wide))), min(width, max(1, round(height * wide / high)))
        top, left = (height - rows) // 2, (width - columns) // 2
        pixels = pixels[:, :, top : top + rows, left : left + columns]
    pixels = images.resize(pixels, high, wide)
    pixels = images.luma(pixels) if settings.channels == 1 else pixels
    found: NDArray[np.uint8] = images.to_bytes(pixels)[0].numpy()
    return found


def _other_shape(width: int, height: int, settings: ImageSetSettings) -> str:
    high, wide = settings.size
    shape = "square" if high == wide else f"of the proportions of {wide}x{high}"
    return f"it is {width}x{height}, not {shape}: {_FITTING}"


def _complain(problems: Mapping[str, str], count: int, settings: ImageSetSettings) -> None:
    if problems and (settings.on_problem == "error" or len(problems) == count):
        told = "; ".join(list(problems.values())[:_SHOWN])
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        none_fits = len(problems) == count and all(_FITTING in reason for reason in problems.values())
        shapes = f"; {_SHAPES}" if none_fits else ""
        raise UserError(f"{len(problems)} of {count} images cannot be used: {told}{more}{shapes}")
