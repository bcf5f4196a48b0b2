"""`latentlab interpolate`: an animation between seeds, latent codes and photos."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options
from latentlab.progress import bar


class Mode(str, Enum):
    """Ways between keyframes."""

    linear = "linear"
    smooth = "smooth"
    spherical = "spherical"


def interpolate(
    ctx: typer.Context,
    keyframes: Annotated[
        list[str],
        typer.Argument(
            metavar="KEYFRAME",
            help="Seeds, such as 600 or 600-603,612; files of latent codes, each code a keyframe; folders of photos "
            "that `latentlab project` or `edit` wrote. Two or more in all.",
        ),
    ],
    mode: Annotated[
        Mode,
        typer.Option(
            help="Straight from one to the next, along a curve without corners, or between seeds on the sphere of z."
        ),
    ] = Mode.linear,
    loop: Annotated[
        bool, typer.Option("--loop", help="Return to the first keyframe, to play in an endless loop.")
    ] = False,
    frames: Annotated[
        int | None, typer.Option(min=2, help="Frames in all; by default 50 from each keyframe to the next.")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second; GIF has 50, 25, 20, 10 exactly, and at most 50.")] = 25,
    match_rows: Annotated[
        bool,
        typer.Option(
            "--match-rows",
            help="Match latent codes whose number of rows is not the generator's to it by resolution.",
        ),
    ] = False,
    psi: options.Psi = 0.7,
    cutoff: options.Cutoff = None,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    resolution: Annotated[
        int | None, typer.Option(min=1, help="Height and width; by default 256, or the generator's own if less.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The animation (.gif; .mp4 with the package imageio[ffmpeg]).")] = Path(
        "interpolation.gif"
    ),
    device: options.Device = "auto",
    batch: options.Batch = "auto",
    precision: options.ImagePrecision = options.PrecisionName.float32,
) -> None:
    """Animate from one face to the next: seeds, latent codes, photos.

    A photo's folder brings the features or weights that were fitted to it, which are interpolated, too; its
    projection.safetensors alone brings the latent code only.
    """
    from latentlab.pipelines import Components, InterpolationSettings
    from latentlab.pipelines import interpolate as write
    from latentlab.pipelines.keyframes import keyframes_of
    from latentlab.video import check_video

    given = [part for word in keyframes for part in _parts(word)]
    options.check_file(out, [part for part in given if isinstance(part, Path)])
    check_video(out, fps)
    read = keyframes_of(*given)
    if all(keyframe.seed is None for keyframe in read):
        options.refuse_without_effect(ctx, dict.fromkeys(("psi", "cutoff", "class_label"), "without seeds"))
    options.check_cutoff(ctx, psi)
    size = options.parse_batch(batch)
    settings = InterpolationSettings(
        mode.value, loop, frames, fps, resolution, psi, class_label, size, precision.value, cutoff
    )
    count, components = len(settings.positions(len(read))), Components.load(network, device=device)
    if match_rows:
        read = [keyframe.with_rows(components.generator.num_ws) for keyframe in read]
    write(read, out, components, settings, bar)
    print(f"{count} frames between {len(read)} keyframes are written to {out}")


def _parts(word: str) -> list[int | Path]:
    """The seeds that a word names, or the file or folder."""
    if set(word) <= set("0123456789-, "):
        return list(options.parse_seeds(word))
    return [Path(word)]
