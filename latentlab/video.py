"""Videos: GIF by Pillow, MP4 by imageio's ffmpeg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from latentlab.errors import UserError, missing_package
from latentlab.files import atomic_path
from latentlab.images import to_pil_list

FPS = 25.0
FASTEST = {".gif": 50.0, ".mp4": 120.0}  # frames per second


def check_video(path: str | Path, fps: float = FPS) -> None:
    """Check that a GIF or MP4 can be written, before frames are made for it.

    Raises
    ------
    UserError
        If fps is out of range, or imageio[ffmpeg], which MP4 needs, is not installed.
    """
    suffix = Path(path).suffix.lower()
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
        raise missing_package("MP4 needs imageio with ffmpeg (GIF works without it)", "imageio[ffmpeg]") from error
    return imageio, imageio_ffmpeg


def write_gif(frames: Tensor, path: str | Path, fps: float = FPS) -> None:
    """Write a GIF that loops for ever.

    All frames share one palette, taken from all of them, with Floyd-Steinberg dithering: with a palette
    each, colours flicker where nothing moves.

    Parameters
    ----------
    frames
        `(t, 3, h, w)` in [-1, 1], t at least 1.
    path
        The file; an existing one is replaced.
    fps
        Frames per second, above 0 up to 50. GIF counts in hundredths of a second, so that 50, 25, 20 and 10 are exact
        and others rounded; browsers slow down anything faster.

    Raises
    ------
    UserError
        There are no frames, fps is out of range, or the file cannot be written.
    ValueError
        The frames have another shape.
    """
    originals = _checked(frames, fps, FASTEST[".gif"])
    palette = _shared_palette(originals)
    images = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in originals]
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


def _checked(frames: Tensor, fps: float, fastest: float) -> list[Image.Image]:
    if not len(frames):
        raise UserError("a video needs at least one frame")
    _check_fps(fps, fastest)
    return [image.convert("RGB") for image in to_pil_list(frames)]


def _shared_palette(images: list[Image.Image]) -> Image.Image:
    """Choose 256 colours for all images, from up to sixteen of them, evenly spaced, side by side.

    On walks of faces the octree leaves a quarter less (rms) error than the median cut, and no cast.
    """
    indices = np.linspace(0, len(images) - 1, min(16, len(images))).round().astype(int)
    chosen = [images[i] for i in indices]
    width, height = chosen[0].size
    sheet = Image.new("RGB", (width * len(chosen), height))
    for i, image in enumerate(chosen):
        sheet.paste(image, (i * width, 0))
    return sheet.quantize(256, method=Image.Quantize.FASTOCTREE)


def write_mp4(frames: Tensor, path: str | Path, fps: float = FPS) -> None:
    """Write H.264 in MP4, which every player takes; needs the package `imageio[ffmpeg]`.

    Odd heights and widths are extended by a row or column: H.264's colour planes have half the size.

    Parameters
    ----------
    frames
        `(t, 3, h, w)` in [-1, 1], t at least 1.
    path
        The file; an existing one is replaced.
    fps
        Frames per second, above 0 up to 120.

    Raises
    ------
    UserError
        imageio[ffmpeg] is not installed, there are no frames, fps is out of range, or the file cannot be written.
    ValueError
        The frames have another shape.
    """
    imageio, imageio_ffmpeg = _import_imageio()
    images = _checked(frames, fps, FASTEST[".mp4"])
    failure = UserError(f"cannot write {path}: ffmpeg failed; is the disk full?")
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
                output_params=["-crf", "18", "-movflags", "+faststart"],
            )
            with writer:
                for image in images:
                    array = np.asarray(image)  # (h, w, 3)
                    height, width = array.shape[:2]
                    writer.append_data(np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
            # imageio does not look at ffmpeg's exit status; a file cut short would pass for whole.
            written, _ = imageio_ffmpeg.count_frames_and_secs(str(temporary))
        except (OSError, RuntimeError) as error:
            raise failure from error
        if written != len(images):
            raise failure
