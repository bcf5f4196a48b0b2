"""How steady edits of a video are, on one whose truth is known: a generated face that moves along a known path.

It prints how far the corners of the crop jitter, before and after smoothing; how much the face flickers, in the video,
in renderings of its latents, before and after tuning and edited, and in projections of single frames; whose face it is;
and the time. Flicker is the root mean square of the second difference in time, in levels of 255, of the landmarks' box.
Jitter is that of the corners' errors, over the root of 6: errors that are independent from frame to frame have it as
their root mean square. Stopped, it goes on in its folder.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
import typer
from machine import describe
from made_video import MadeVideo, make_video
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.directions import load_direction
from latentlab.editing import move
from latentlab.faces import Points, quad_of
from latentlab.faces.cropping import cut
from latentlab.faces.identity import similarity
from latentlab.faces.means import mean_landmarks
from latentlab.pipelines import Components, VideoEditSettings, edit_video
from latentlab.pipelines.videos.faces import crops_of, geometry_of, watch
from latentlab.pipelines.videos.latents import FilmedFace, find_latents
from latentlab.pipelines.videos.state import VideoState
from latentlab.projection import ProjectionSettings, project
from latentlab.rendering import Renderer
from latentlab.video import describe_video
from stylegan2.memory import keep_freed_memory
from stylegan2.protocol import Generator

SMALL = 256


def flicker(crops: Tensor) -> float:
    """Flicker of faces in FFHQ's framing, `(t, 3, 256, 256)`."""
    low, high = (mean_landmarks().min(0) * SMALL).astype(int), (mean_landmarks().max(0) * SMALL).astype(int)
    grey = 127.5 * images.luma(crops)[:, 0, low[1] : high[1], low[0] : high[0]]
    return float(torch.diff(grey, n=2, dim=0).square().mean().sqrt())


def jitter(quads: NDArray[np.float64]) -> float:
    """Jitter of corners `(t, 4, 2)`, in pixels."""
    return float(np.sqrt((np.diff(quads, n=2, axis=0) ** 2).sum(axis=-1).mean() / 6))


@torch.no_grad()
def rendered(ws: Tensor, generator: Generator, strength: float = 0.0) -> Tensor:
    """Faces of latents along the smile, `(t, 3, 256, 256)`."""
    render, smile = Renderer(generator, generator.resolution), load_direction("smile")
    faces = [render(move(one[None], [(smile, strength)], generator)) for one in ws]
    return torch.cat([images.reduce(face, SMALL).clamp(-1, 1) for face in faces])


def identities(one: Tensor, other: Tensor, components: Components) -> str:
    """Mean and least similarity of faces, frame by frame."""
    found = similarity(components.descriptor(one), components.descriptor(other))
    return f"{float(found.nanmean()):.3f}, at least {float(found.nan_to_num(1).min()):.3f}"


def among(crops: Tensor, components: Components) -> str:
    """Mean and least similarity of frames to the middle one."""
    return identities(crops, crops[[len(crops) // 2]].expand_as(crops), components)


def main(
    out: Path = Path("video-benchmark"),
    seed: int = 613,
    frames: int = 24,
    strength: float = 7.0,
    apart: int = 3,
    steps: int = 80,
) -> None:
    """Measure, see above; `apart` frames from the middle are also projected one by one, by so many `steps`."""
    keep_freed_memory()
    components = Components.load(device="cpu")
    made = make_video(components.generator, seed, frames)
    source, edited, settings = out / "made.mp4", out / "edited.mp4", VideoEditSettings(state=out / "state")
    if not source.exists():
        made.write(source)
    before = time.process_time()
    result = edit_video(source, load_direction("smile"), strength, components, settings, edited)
    seconds = (time.process_time() - before) / frames
    print(describe("torch", "numpy"))
    print("\n".join(result.describe()))
    print(f"{seconds:.1f} s of a core for each of {frames} frames")
    face = filmed(source, components, settings)
    report(face, source, edited, made, components, strength)
    if apart > 2:
        single(face, source, components, settings.clip.base.shortened(steps), apart, out / "apart")


def filmed(source: Path, components: Components, settings: VideoEditSettings) -> FilmedFace:
    """The latents that were found, out of the state that was kept."""
    assert settings.state is not None
    state = VideoState(settings.state)
    seen = watch(source, describe_video(source), components.detector, settings, state, False)
    return find_latents(seen.clips[0], None, components, settings, state.clip(0), False)


def report(
    face: FilmedFace, source: Path, edited: Path, made: MadeVideo, components: Components, strength: float
) -> None:
    """Print the figures of the edited video."""
    about, clip = describe_video(source), face.clip
    found = VideoState(source.parent / "state").read_faces()
    raw = np.stack([quad_of(Points.of(faces[0].landmarks)) for faces in found])
    print(f"corners: jitter {jitter(raw - made.quads):.2f} px as found, {jitter(clip.quads - made.quads):.2f} smoothed")
    (given,), (out,) = (crops_of(path, about, [clip], SMALL) for path in (source, edited))
    seen, smiling = given.float() / 127.5 - 1, out.float() / 127.5 - 1
    plain = rendered(face.ws, components.generator)
    tuned = rendered(face.ws, face.generator)
    moved = rendered(face.ws, face.generator, strength)
    truth = [cut(frame[None], geometry_of(clip, k, SMALL, frame[None])) for k, frame in enumerate(made.frames)]
    print("in the crop:")
    print(f"  flicker of the video {flicker(seen):.2f}, before it was encoded {flicker(torch.cat(truth)):.2f}")
    print(f"  of the latents' renderings {flicker(plain):.2f}, tuned {flicker(tuned):.2f}, edited {flicker(moved):.2f}")
    print(f"  of the edited video {flicker(smiling):.2f}, {flicker(smiling) / flicker(seen):.2f} times the video's")
    print(f"identity to the video, frame by frame: renderings {identities(plain, seen, components)}")
    print(f"  tuned {identities(tuned, seen, components)}; the edited video {identities(smiling, seen, components)}")
    print(f"identity to the middle frame: of the video {among(seen, components)}")
    print(f"  of the edited video {among(smiling, components)}")
    rows = [seen, tuned, moved, smiling]
    some = torch.cat([row[:: max(len(seen) // 8, 1)][:8] for row in rows])
    images.save_image(images.grid(some, len(some) // len(rows)), source.parent / "crops.png")


def single(
    face: FilmedFace, source: Path, components: Components, recipe: ProjectionSettings, count: int, out: Path
) -> None:
    """Print what some frames in the middle are like when each is projected by itself."""
    first = face.clip.middle - count // 2
    (given,) = crops_of(source, describe_video(source), [face.clip], SMALL)
    seen = given[first : first + count].float() / 127.5 - 1
    found = project(seen, components.generator, recipe, perceptual=components.fast_perceptual, folder=out)
    alone, ours = rendered(found.ws(components.generator), components.generator), face.ws[first : first + count]
    print(f"{count} frames: flicker of the video {flicker(seen):.2f}, projected one by one {flicker(alone):.2f},")
    print(f"  together {flicker(rendered(ours, components.generator)):.2f}")


if __name__ == "__main__":
    typer.run(main)
