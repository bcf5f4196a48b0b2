"""What became of a video: measured while it is written, reported on the console and in a JSON file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.faces.cropping import cut
from latentlab.faces.identity import FaceDescriptor, similarity
from latentlab.images import luma
from latentlab.pipelines.checks import RESOLUTION
from latentlab.pipelines.videos.faces import geometry_of
from latentlab.pipelines.videos.latents import FilmedFace, spread_rows
from latentlab.pipelines.videos.tracking import Clip
from latentlab.projection.mesh import mesh_levels
from latentlab.rendering import Renderer

# Frames of a clip whose identity is measured, and the resolution at which.
_DESCRIBED, _RESOLUTION = 24, 256


@dataclass(frozen=True)
class ClipReport:
    """A clip, as it was edited.

    Attributes
    ----------
    first, last
        Its first and last frame, from 0.
    filled
        Frames in which the face was missed and filled in.
    lpips
        Mean LPIPS of the latents' renderings to the frames, before the tuning.
    tuned_lpips
        Mean LPIPS after it, of the frames that the tuning saw; NaN without one.
    identity, least_identity
        Similarity of the edited face to that of the same frame before, mean and least over some frames; NaN where it
        is unknown, see `latentlab.faces.identity`.
    flicker_before, flicker_after
        Root mean square, in levels of 255, of the second difference in time of the face's pixels; NaN for a clip of
        fewer than three frames.
    mesh, edited_mesh
        Pattern in the middle frame's face as the generator renders it, unedited and edited, in levels of 255, see
        `latentlab.projection.mesh`; NaN where the generator renders nothing finer than the search has compared.
    """

    first: int
    last: int
    filled: tuple[int, ...]
    lpips: float
    tuned_lpips: float
    identity: float
    least_identity: float
    flicker_before: float
    flicker_after: float
    mesh: float = math.nan
    edited_mesh: float = math.nan


@dataclass(frozen=True)
class VideoResult:
    """An edited video.

    Attributes
    ----------
    path, report
        The video, and the report beside it.
    fps, frames
        Frames per second, and their number.
    strength
        Strength of the edit, in the direction's units.
    searched
        What a search for that strength came to in the frame that it looked at; empty where it was given.
    cuts
        First frame of each shot but the first one.
    clips
        The stretches that were edited.
    """

    path: Path
    report: Path
    fps: float
    frames: int
    strength: float
    searched: str
    cuts: tuple[int, ...]
    clips: tuple[ClipReport, ...]

    @property
    def unedited(self) -> tuple[range, ...]:
        """Stretches of frames that stayed as they were: no face was followed through them."""
        ends = [0, *(clip.last + 1 for clip in self.clips)]
        starts = [*(clip.first for clip in self.clips), self.frames]
        return tuple(range(end, start) for end, start in zip(ends, starts, strict=True) if start > end)

    def describe(self) -> list[str]:
        """Say in lines what was edited and what was not, by frame and time."""
        lines = [f"in the middle frame: {self.searched}"] if self.searched else []
        lines += [f"scene cut at {self.moment(cut)}" for cut in self.cuts]
        for clip in self.clips:
            flicker = f"flicker {clip.flicker_before:.2f} before and {clip.flicker_after:.2f} after"
            identity = f"identity {_or_unknown(clip.identity)}, at least {_or_unknown(clip.least_identity)}"
            lines.append(f"edited {self.span(clip.first, clip.last)}: {identity}; {flicker}{_of_mesh(clip)}")
            lines += [f"  no face found in {self.span(*ends)}: filled in" for ends in runs_of(clip.filled)]
        lines += [f"no face followed in {self.span(gap[0], gap[-1])}: left as it is" for gap in self.unedited]
        return lines

    def span(self, first: int, last: int) -> str:
        """Say which frames are meant, and when they are shown."""
        if first == last:
            return self.moment(first)
        return f"frames {first} to {last} ({first / self.fps:.2f} to {(last + 1) / self.fps:.2f} s)"

    def moment(self, frame: int) -> str:
        """Say which frame is meant, and when it is shown."""
        return f"frame {frame} ({frame / self.fps:.2f} s)"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        clips = [{name: _json(value) for name, value in asdict(clip).items()} for clip in self.clips]
        return {
            "fps": self.fps,
            "frames": self.frames,
            "strength": self.strength,
            "searched": self.searched,
            "cuts": list(self.cuts),
            "clips": clips,
            "unedited": [[gap[0], gap[-1]] for gap in self.unedited],
        }


@torch.no_grad()
def with_meshes(
    clips: Sequence[ClipReport], faces: Sequence[FilmedFace], direction: Direction, strength: float
) -> tuple[ClipReport, ...]:
    """Add to reports the mesh in the middle frame of each clip, unedited and edited."""
    found = []
    for clip, face in zip(clips, faces, strict=True):
        period = face.generator.resolution // RESOLUTION
        if period > 1:
            render, ws = Renderer(face.generator, face.generator.resolution), face.ws[[face.clip.middle]]
            latents = [{"ws": ws}, move(ws, [(direction, strength)], face.generator)]
            meshes = [float(mesh_levels(render(one).clamp(-1, 1), period)) for one in latents]
            clip = replace(clip, mesh=meshes[0], edited_mesh=meshes[1])
        found.append(clip)
    return tuple(found)


def runs_of(frames: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    starts = [t for k, t in enumerate(frames) if not k or frames[k - 1] != t - 1]
    ends = [t for k, t in enumerate(frames) if k == len(frames) - 1 or frames[k + 1] != t + 1]
    return zip(starts, ends, strict=True)


class ClipMeasurement:
    """Measures a clip while its frames are written, one after the other.

    Parameters
    ----------
    face
        The clip and its latents.
    descriptor
        Descriptor of faces; None leaves the identity unknown.
    """

    def __init__(self, face: FilmedFace, descriptor: FaceDescriptor | None):
        self._face, self._descriptor = face, descriptor
        self._described = set(spread_rows(len(face.clip), _DESCRIBED))
        self._identities: list[float] = []
        self._last: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self._squares: list[tuple[float, float]] = []

    def add(self, index: int, before: Tensor, after: Tensor) -> None:
        """Add the next frame, `(1, 3, h, w)`, as it was and as it is."""
        if self._descriptor is not None and index in self._described:
            geometry = geometry_of(self._face.clip, index, _RESOLUTION, before)
            pair = self._descriptor(torch.cat([cut(frame, geometry) for frame in (before, after)]))
            self._identities.append(float(similarity(pair[:1], pair[1:])[0]))
        self._last = [*self._last[-2:], (_grey(before), _grey(after))]
        if len(self._last) == 3:
            box = face_box(self._face.clip, index - 1, (before.shape[2], before.shape[3]))
            one, two = (second_difference([frame[k][box] for frame in self._last]) for k in (0, 1))
            self._squares.append((one, two))

    def result(self) -> ClipReport:
        """Return what was measured."""
        clip, face = self._face.clip, self._face
        identities = [value for value in self._identities if not math.isnan(value)]
        before, after = np.sqrt(np.mean(self._squares, axis=0)) if self._squares else (math.nan, math.nan)
        return ClipReport(
            first=clip.frames[0],
            last=clip.frames[-1],
            filled=clip.filled,
            lpips=float(face.distances.mean()),
            tuned_lpips=float(np.mean(face.tuned_distances[1])) if face.tuned_distances else math.nan,
            identity=float(np.mean(identities)) if identities else math.nan,
            least_identity=min(identities, default=math.nan),
            flicker_before=float(before),
            flicker_after=float(after),
        )


def face_box(clip: Clip, index: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a frame of `size` (height, width) in which the landmarks of a clip's face lie."""
    points = clip.landmarks[index]
    left, top = np.floor(points.min(axis=0)).astype(int).clip(0)
    right, bottom = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, (size[1], size[0]))
    return slice(int(top), max(int(bottom), int(top) + 1)), slice(int(left), max(int(right), int(left) + 1))


def second_difference(frames: Sequence[NDArray[np.float32]]) -> float:
    """Mean square of the second difference of three frames `(h, w)`."""
    one, two, three = frames
    return float(np.mean((one - 2 * two + three) ** 2)) if two.size else 0.0


def _grey(frame: Tensor) -> NDArray[np.float32]:
    """Grey `(h, w)` of a frame, in levels of 255."""
    return np.asarray(127.5 * luma(frame.float())[0, 0].cpu().numpy(), dtype=np.float32)


def _or_unknown(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.2f}"


def _of_mesh(clip: ClipReport) -> str:
    return "" if math.isnan(clip.mesh) else f"; mesh {clip.mesh:.2f}, edited {clip.edited_mesh:.2f}"


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
