"""A face followed through a shot: found in every frame, filled in where it is missed, and smoothed over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentlab.faces import FaceFound, Points, quad_of
from latentlab.pipelines.videos.smoothing import smooth
from latentlab.reprs import ShortRepr

Array = NDArray[np.float64]

# Boxes of one face in consecutive frames share more of their union than this: dlib's own jump by a fifth of
# their size where nothing moves.
_OVERLAP = 0.3


@dataclass(frozen=True, eq=False, repr=False)
class Clip(ShortRepr):
    """Consecutive frames that show one face.

    Attributes
    ----------
    frames
        Their numbers in the video, from 0.
    quads
        `(t, 4, 2)`: corners of the face's crop in each, smoothed, in pixels of the video.
    landmarks
        `(t, n, 2)`: its landmarks, smoothed.
    filled
        Frames in which the face was missed, and is taken to lie between where it was before and after.
    lost_before, lost_after
        Whether the face is lost in the frame before, or after, in the same shot.
    """

    frames: range
    quads: Array
    landmarks: Array
    filled: tuple[int, ...] = ()
    lost_before: bool = False
    lost_after: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def middle(self) -> int:
        """Index, within the clip, of its middle frame."""
        return len(self.frames) // 2

    def fading(self, fade: float) -> Array:
        """Shares `(t,)` of the edit's strength: 1, but for a rise and a fall over `fade` frames beside lost ones."""
        index = np.arange(len(self), dtype=np.float64)
        rise = (index + 1) / (fade + 1) if self.lost_before else np.ones(len(self))
        fall = (len(self) - index) / (fade + 1) if self.lost_after else np.ones(len(self))
        part = np.clip(np.minimum(rise, fall), 0, 1)
        return np.asarray(part**2 * (3 - 2 * part))


def follow(found: Sequence[Sequence[FaceFound]], number: int = 1) -> list[FaceFound | None]:
    """Follow one face through the frames of a shot, by the overlap of its box with where it was last.

    Parameters
    ----------
    found
        Faces of each frame.
    number
        Which face: 1 is the largest over all frames together, 2 the next.

    Returns
    -------
    list of FaceFound or None
        The face in each frame; None where it is not found, and everywhere if there are not that many faces.
    """
    tracks: list[dict[int, FaceFound]] = []
    for t, faces in enumerate(found):
        # The pairs of tracks and faces that overlap most come first.
        pairs = [
            (overlap(track[max(track)], face), i, j) for i, track in enumerate(tracks) for j, face in enumerate(faces)
        ]
        known, taken = set[int](), set[int]()
        for shared, i, j in sorted(pairs, reverse=True):
            if shared > _OVERLAP and i not in known and j not in taken:
                tracks[i][t] = faces[j]
                known.add(i)
                taken.add(j)
        tracks += [{t: face} for j, face in enumerate(faces) if j not in taken]
    ranked = sorted(tracks, key=lambda track: -sum(face.area for face in track.values()))
    chosen = ranked[number - 1] if len(ranked) >= number else {}
    return [chosen.get(t) for t in range(len(found))]


def overlap(one: FaceFound, other: FaceFound) -> float:
    """Share of the union of two faces' boxes that both cover."""
    left, top = (max(a, b) for a, b in zip(one.box[:2], other.box[:2], strict=True))
    right, bottom = (min(a, b) for a, b in zip(one.box[2:], other.box[2:], strict=True))
    both = max(right - left, 0.0) * max(bottom - top, 0.0)
    return both / (one.area + other.area - both)


def clips_of(faces: Sequence[FaceFound | None], shot: range, sigma: float, gap: int, least: int) -> list[Clip]:
    """Cut a shot into clips that show the face throughout.

    Parameters
    ----------
    faces
        The face in each frame of the shot, or None, see `follow`.
    shot
        Numbers of these frames in the video.
    sigma
        Standard deviation, in frames, of the kernel that landmarks and corners are smoothed with.
    gap
        The most frames that are filled in where the face is missed.
    least
        Fewest frames of a clip; shorter ones are left out.
    """
    seen = [t for t, face in enumerate(faces) if face is not None]
    runs = np.split(np.array(seen, dtype=int), np.flatnonzero(np.diff(seen) > gap + 1) + 1) if seen else []
    clips = []
    for run in runs:
        first, last = int(run[0]), int(run[-1])
        if last - first + 1 < least:
            continue
        known = [face for t in run if (face := faces[t]) is not None]
        times = np.arange(first, last + 1)
        landmarks = _filled(run, np.stack([face.landmarks for face in known]), times)
        quads = _filled(run, np.stack([_quad(face) for face in known]), times)
        filled = tuple(shot[t] for t in times if t not in run)
        frames = range(shot[first], shot[last] + 1)
        ends = first > 0, last < len(faces) - 1
        clips.append(Clip(frames, smooth(quads, sigma), smooth(landmarks, sigma), filled, *ends))
    return clips


def _quad(face: FaceFound) -> Array:
    return quad_of(Points.of(face.landmarks)) if face.quad is None else face.quad


def _filled(known: NDArray[np.int_], values: Array, times: NDArray[np.int_]) -> Array:
    """Positions `(k, n, 2)` at `known` times, with those between on straight lines, at all `times`."""
    flat = values.reshape(len(values), -1)
    columns = [np.interp(times, known, flat[:, column]) for column in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(len(times), *values.shape[1:])
