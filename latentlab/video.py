"""Videos: GIF with Pillow, MP4 with imageio's ffmpeg; and the frames of other videos, translated one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from latentlab.errors import UserError, missing_package
from latentlab.files import atomic_path, check_regular
from latentlab.images import from_pil, to_bytes, to_pil_list
from latentlab.progress import Stage, stage_of

FPS = 25.0
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
# ffmpeg goes by a file's content, and a playlist that is named like a video opens other files, and addresses.
_INPUT = ["-protocol_whitelist", "file", "-format_whitelist", "mov,matroska,avi"]
_WHOLE = 0.98  # share of the frames implied by the duration that is enough
_log = logging.getLogger(__name__)
FASTEST = {".gif": 50.0, ".mp4": 120.0}  # frames per second
_PALETTE_FRAMES = 16


class Frames(Protocol):
    """Frames of a video: a tensor `(t, 3, h, w)` in [-1, 1], or what renders them only when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: list[int], /) -> Tensor:
        """Some of the frames, by their indices; the writers ask for each once."""


def check_video(path: str | Path, fps: float = FPS) -> None:
    """Check that a GIF or MP4 can be written, before frames are made for it.

    Raises
    ------
    UserError
        If the suffix is another one, fps is out of range, or imageio[ffmpeg], which MP4 needs, is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FASTEST:
        raise UserError(f"cannot write {path}: the file name of an animation ends in {' or '.join(FASTEST)}")
    _check_fps(fps, FASTEST[suffix])
    if suffix == ".mp4":
        _import_imageio()


def _check_fps(fps: float, fastest: float) -> None:
    if not 0 < fps <= fastest:
        raise UserError(f"fps must be above 0 and at most {fastest:g}, not {fps:g}")


def _import_imageio() -> tuple[Any, Any]:
    try:
        import imageio.v2 as imageio
        import imageio_ffmpeg
    except ImportError as error:
        raise missing_package("videos other than GIF need imageio with ffmpeg", "imageio[ffmpeg]") from error
    return imageio, imageio_ffmpeg


def write_video(frames: Frames, path: str | Path, fps: float = FPS, batch_size: int = 1) -> None:
    """Write a GIF or an MP4, as the suffix says; see `write_gif` and `write_mp4`.

    Raises
    ------
    UserError
        As `check_video`, `write_gif` and `write_mp4` say.
    """
    check_video(path, fps)
    write = write_gif if Path(path).suffix.lower() == ".gif" else write_mp4
    write(frames, path, fps, batch_size)


def write_gif(frames: Frames, path: str | Path, fps: float = FPS, batch_size: int = 1) -> None:
    """Write a GIF that loops for ever.

    All frames share one palette, taken from all of them, with Floyd-Steinberg dithering: with a palette
    each, colours flicker where nothing moves. One byte per pixel is held in memory.

    Parameters
    ----------
    frames
        `(t, 3, h, w)` in [-1, 1], t at least 1.
    path
        The file; an existing one is replaced.
    fps
        Frames per second, above 0 up to 50. GIF counts in hundredths of a second, so 50, 25, 20 and 10 are exact and
        others rounded; browsers slow down anything faster.
    batch_size
        Frames asked for at once, where they are rendered on demand.

    Raises
    ------
    UserError
        There are no frames, fps is out of range, or the file cannot be written.
    ValueError
        The frames have another shape.
    """
    _check_frames(frames, fps, FASTEST[".gif"])
    count = len(frames)
    rows = np.linspace(0, count - 1, min(_PALETTE_FRAMES, count)).round().astype(int).tolist()
    known = dict(zip(rows, _images_of(frames, rows, batch_size), strict=True))
    palette = _shared_palette(list(known.values()))
    others = _images_of(frames, [row for row in range(count) if row not in known], batch_size)
    in_order = (known.pop(row) if row in known else next(others) for row in range(count))
    images = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in in_order]
    with atomic_path(path) as temporary:
        images[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=10 * round(100 / fps),
            loop=0,
            optimize=False,
        )


def _check_frames(frames: Frames, fps: float, fastest: float) -> None:
    if not len(frames):
        raise UserError("a video needs at least one frame")
    _check_fps(fps, fastest)


def _images_of(frames: Frames, rows: list[int], batch_size: int) -> Iterator[Image.Image]:
    """Yield some of the frames in RGB; no more than a batch of them is held."""
    for start in range(0, len(rows), batch_size):
        for image in to_pil_list(frames[rows[start : start + batch_size]]):
            yield image.convert("RGB")


def _shared_palette(images: list[Image.Image]) -> Image.Image:
    """Choose 256 colours for all images, from these side by side.

    On walks of faces the octree leaves a quarter less (rms) error than the median cut, and no cast.
    """
    width, height = images[0].size
    sheet = Image.new("RGB", (width * len(images), height))
    for i, image in enumerate(images):
        sheet.paste(image, (i * width, 0))
    return sheet.quantize(256, method=Image.Quantize.FASTOCTREE)


def write_mp4(frames: Frames, path: str | Path, fps: float = FPS, batch_size: int = 1) -> None:
    """Write H.264 in MP4, which every player reads; needs the package `imageio[ffmpeg]`.

    Odd heights and widths are extended by a row or column: H.264's colour planes have half the size. Frames that are
    rendered when they are asked for are not held in memory.

    Parameters
    ----------
    frames
        `(t, 3, h, w)` in [-1, 1], t at least 1.
    path
        The file; an existing one is replaced.
    fps
        Frames per second, above 0 up to 120.
    batch_size
        Frames asked for at once, where they are rendered on demand.

    Raises
    ------
    UserError
        imageio[ffmpeg] is not installed, there are no frames, fps is out of range, or the file cannot be written.
    ValueError
        The frames have another shape.
    """
    _check_frames(frames, fps, FASTEST[".mp4"])
    with mp4_writer(Path(path), fps) as write:
        for image in _images_of(frames, list(range(len(frames))), batch_size):
            write(np.asarray(image))


@contextmanager
def mp4_writer(path: Path, fps: float, sound: Path | None = None) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield a function that writes a frame `(h, w, 3)`; the file appears once all are written.

    The sound of another video is included. Colours are those of BT.709, and marked as such: without a mark, players
    guess by the size.

    Raises
    ------
    UserError
        imageio[ffmpeg] is not installed, or the file cannot be written.
    """
    imageio, imageio_ffmpeg = _import_imageio()
    failure = UserError(f"cannot write {path}: ffmpeg failed; is the disk full?")
    colours = ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"]
    written = 0
    with atomic_path(path) as temporary:
        try:
            writer: Any = imageio.get_writer(
                temporary,
                format="FFMPEG",
                fps=fps,
                codec="libx264",
                pixelformat="yuv420p",
                macro_block_size=1,
                ffmpeg_log_level="quiet",
                output_params=["-crf", "18", "-movflags", "+faststart", *colours],
                audio_path=None if sound is None else str(sound),
            )
        except (OSError, RuntimeError) as error:
            raise failure from error

        def write(frame: NDArray[np.uint8]) -> None:
            nonlocal written
            height, width = frame.shape[:2]
            try:
                writer.append_data(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
            except (OSError, RuntimeError) as error:
                raise failure from error
            written += 1

        with closing(writer):
            yield write
        # imageio does not look at ffmpeg's exit status; a file cut short would pass for whole.
        try:
            whole = imageio_ffmpeg.count_frames_and_secs(str(temporary))[0] == written
        except (OSError, RuntimeError) as error:
            raise failure from error
        if not whole:
            raise failure


# --- frame by frame -----------------------------------------------------------------------------------------


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def translate_frames(
    source: str | Path, path: str | Path, translate: Callable[[Tensor], Tensor], progress: bool | Stage = True
) -> None:
    """Write a video whose frames are those of another one, translated; needs the package `imageio[ffmpeg]`.

    It has the frame rate and the sound of the source, and one frame at a time is held in memory. Where the rate of the
    source varies, as that of phone videos does, frames are repeated or left out to give the mean rate. A warning is
    logged where the source seems to be cut short.

    Parameters
    ----------
    source
        A video in any format that ffmpeg reads.
    path
        The MP4 file, see `write_mp4`; it appears complete or not at all.
    translate
        Called with each frame `(1, 3, h, w)` in [-1, 1] on the CPU, as the video is shown; returns such a frame, all of
        them of one size.
    progress
        True for a progress bar of the frames, False for none, or a `Stage`.

    Raises
    ------
    UserError
        imageio[ffmpeg] is not installed, the source cannot be read, or the file cannot be written.
    """
    source = Path(source).absolute()
    about = describe_video(source)
    with (
        stage_of(progress)("translating", "frame") as step,
        mp4_writer(Path(path), about.fps, source if about.sound else None) as write,
        closing(read_frames(source, about.fps)) as frames,
    ):
        done = 0
        for done, frame in enumerate(frames, 1):
            write(to_array(translate(frame)))
            step(done, max(about.frames, done))
    warn_if_cut_short(source, about, done)


def to_array(frame: Tensor) -> NDArray[np.uint8]:
    """Convert a frame `(1, 3, h, w)` in [-1, 1] to what `mp4_writer` writes, `(h, w, 3)`."""
    return np.asarray(to_bytes(frame[0]).permute(1, 2, 0).cpu().numpy())


def warn_if_cut_short(source: Path, about: VideoFacts, done: int) -> None:
    """Log a warning where a video has fewer frames, `done`, than its duration implies."""
    if done < _WHOLE * about.frames - 1:
        # No error: the sound may be what lasts so long.
        told = "%s has %d frames, and by its duration would have %d: it may be cut short"
        _log.warning(told, source, done, about.frames)


@dataclass(frozen=True)
class VideoFacts:
    """What ffmpeg says about a video.

    Attributes
    ----------
    fps
        Frames per second, the mean where they vary.
    frames
        Approximate number of frames, by the duration.
    sound
        Whether it has sound.
    """

    fps: float
    frames: int
    sound: bool


def describe_video(path: Path) -> VideoFacts:
    """Return what ffmpeg says about a video; needs the package `imageio[ffmpeg]`.

    Raises
    ------
    UserError
        imageio[ffmpeg] is not installed, or the video cannot be read.
    """
    _, imageio_ffmpeg = _import_imageio()
    check_regular(path)
    if not path.exists():
        raise UserError(f"there is no file {path}")
    with closing(imageio_ffmpeg.read_frames(str(path), input_params=_INPUT)) as reader, _errors_name(path):
        about = _header_of(reader)
        if not about["fps"]:
            raise UserError(f"{path} does not say how many frames it has per second: convert it to MP4 first")
        if next(reader, None) is None:
            raise UserError(f"{path} has no frame")
    return VideoFacts(about["fps"], round(about["duration"] * about["fps"]), "audio_codec" in about)


def _header_of(reader: Generator[Any, None, None]) -> dict[str, Any]:
    """Take what comes before the frames, without a warning that a rotated video is shown rotated."""
    logger = logging.getLogger("imageio_ffmpeg")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        header: dict[str, Any] = next(reader)
    finally:
        logger.setLevel(level)
    return header


def read_frames(path: Path, fps: float) -> Generator[Tensor, None, None]:
    """Yield the frames of a video, `(1, 3, h, w)` in [-1, 1], as it is shown and at a constant rate.

    Where the rate varies, frames are repeated or left out. Close it if not all of them are taken.

    Raises
    ------
    UserError
        imageio[ffmpeg] is not installed, or the video cannot be read.
    """
    _, imageio_ffmpeg = _import_imageio()
    with closing(imageio_ffmpeg.read_frames(str(path), input_params=_INPUT, output_params=["-r", str(fps)])) as reader:
        with _errors_name(path):
            width, height = _header_of(reader)["size"]
        while True:
            with _errors_name(path):
                data = next(reader, None)
            if data is None:
                return
            frame = np.frombuffer(data, np.uint8).reshape(height, width, 3)
            yield from_pil(Image.fromarray(frame))


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Turn what is raised about a video that cannot be read into a UserError that names it."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, AttributeError, AssertionError) as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"cannot read the video {path}: {told[-1]}") from error
