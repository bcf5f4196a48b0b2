"""The pre-check: how far a photo, and then its projection, can be trusted, and what is likely to blame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.faces.align import BEYOND, TURNED, AlignedFace, beyond_photo
from latentlab.faces.identity import MIN_SIDE, FaceDescriptor, distance, similarity
from latentlab.faces.means import mean_landmarks
from latentlab.perceptual import PerceptualDistance
from latentlab.projection.canvas import WStatistics

Verdict = Literal["good", "fair", "poor"]

# Pictures are compared at this side, as the published tables of projections do.
SIDE = 256
# dlib's 5 landmarks among the 68.
_FIVE_OF_68 = [45, 42, 36, 39, 33]


@dataclass(frozen=True)
class Finding:
    """One value that was checked.

    Attributes
    ----------
    name
        What was measured.
    value
        NaN where it could not be.
    unit
        Its unit; empty for a plain number.
    verdict
        'good', 'fair' or 'poor'.
    cause
        What is likely to blame and what follows; empty where the value is good.
    """

    name: str
    value: float
    unit: str
    verdict: Verdict
    cause: str


@dataclass(frozen=True)
class Limits:
    """Values up to `good` are good, up to `fair` are fair; where good is the larger one: from there on."""

    good: float
    fair: float

    def verdict(self, value: float) -> Verdict:
        """What to call a value; NaN is poor."""
        sign = 1 if self.good < self.fair else -1
        if sign * value <= sign * self.good:
            return "good"
        return "fair" if sign * value <= sign * self.fair else "poor"


# "Generated" are faces of mobile-ffhq at psi 1, as benchmarks/doctor.py measures them: what the generator
# draws often is good (up to the 95th percentile, or from the 5th), what it hardly draws is poor (beyond the 99th
# or the 1st).
LIMITS = {
    "face score": Limits(0.5, 0.3),  # generated: 5 % below 0.54, 1 % below 0.31
    "faces in the photo": Limits(1, math.inf),
    "yaw": Limits(TURNED, 42),  # generated: 5 % beyond 36, 1 % beyond 42
    "pitch": Limits(25, 40),  # generated: 5 % beyond 24; the estimate itself may be 15 off
    # Generated faces turned in the picture: their landmarks move by 0.5 % of the side in the median at 20°, by
    # 2 % at 40°, where dlib's detector begins to miss them.
    "roll": Limits(20, 35),
    "alignment residual": Limits(5.9, 7),  # generated: 5 % beyond 5.9, 1 % beyond 7.0
    # The projection sees 256 pixels. Below 128 the descriptor of a face moves, see `faces.identity`.
    "resolution": Limits(SIDE, MIN_SIDE),
    "outside the photo": Limits(100 * BEYOND, 30),  # 30 % of its side is the most that FFHQ's crop pads for
    "detail": Limits(8, 4.5),  # generated: 1 % below 8.0; of copies reduced to 64 pixels the median has 3.7
    # The rows "optimise W+" and "optimise W" of the table that the field compares by (GANInverter, CelebA-HQ).
    "LPIPS": Limits(0.109, 0.197),
    "MSE": Limits(0.0242, 0.067),
    "PSNR": Limits(10 * math.log10(4 / 0.0242), 10 * math.log10(4 / 0.067)),
    # Two photos of a person (benchmarks/identity.py): median 0.75, 5 % below 0.47; median distance 0.45.
    "identity": Limits(0.75, 0.5),
    "identity distance": Limits(0.45, 0.6),  # 0.6 is dlib's rule
    "distance from w_avg": Limits(1.3, 2),  # w of random z: 5 % beyond 1.30, 1 % beyond 1.48
    "spread of the rows": Limits(0.5, 1),  # 1: the rows have nothing to do with each other
}
"""Where the verdicts turn."""


def before(face: AlignedFace, faces: int = 1) -> list[Finding]:
    """What can be said of a photo before it is projected.

    - face score: the detector's confidence; the limits are those of dlib's detector;
    - faces in the photo;
    - yaw, pitch and roll, in degrees, rough (see `latentlab.faces.pose`); the crop undoes the roll;
    - alignment residual: root mean square distance of the landmarks in the crop to those of the mean generated
      face, in percent of the crop's side: a turned head, an open mouth, or landmarks that went astray;
    - resolution: how many of the photo's pixels lie along the crop's side;
    - outside the photo: the part of the crop that lies beyond the photo and was made up, in percent;
    - detail: see `detail`.

    Parameters
    ----------
    face
        As `latentlab.faces.align` gives it.
    faces
        How many faces the photo has.

    Returns
    -------
    list of Finding
        In the order above.
    """
    geometry, pose = face.geometry, face.pose
    side, length = geometry.side, geometry.length
    cut = bool(((face.face.landmarks < 0) | (face.face.landmarks > geometry.photo_size)).any())
    outside = _finding(
        "outside the photo",
        100 * beyond_photo(geometry),
        "%",
        "the photo is cut close: what lies beyond it was made up",
    )
    if cut:
        outside = Finding(outside.name, outside.value, "%", "poor", "the photo's border cuts the face")
    return [
        _finding("face score", face.face.score, "", "the detector is unsure that this is a face"),
        _finding("faces in the photo", faces, "", "several faces: see that it is the right one"),
        _finding(
            "yaw", pose.yaw, "°", f"the head is turned {abs(pose.yaw):.0f}°: few faces that the generator learnt are"
        ),
        _finding("pitch", pose.pitch, "°", f"the head is {'raised' if pose.pitch > 0 else 'lowered'}"),
        _finding("roll", pose.roll, "°", "the head is tilted: the crop undoes it, but landmarks are less exact"),
        _finding(
            "alignment residual",
            residual(geometry.to_crop(face.face.landmarks) / side),
            "% of the side",
            "the landmarks do not lie like a face's from the front: turned, covered, mouth wide open, or misplaced",
        ),
        _finding("resolution", length, "px", f"the photo is small: {length:.0f} pixels were enlarged to {side}"),
        outside,
        _finding("detail", detail(face.picture), "%", "the photo is blurred, or was enlarged before"),
    ]


def residual(landmarks: NDArray[np.float64]) -> float:
    """Root mean square distance of `landmarks (68 or 5, 2)`, in sides of the crop, to the mean face's, in percent."""
    mean = mean_landmarks()
    off = landmarks - (mean if len(landmarks) == len(mean) else mean[_FIVE_OF_68])
    return float(100 * np.sqrt((off**2).sum(-1).mean()))


def detail(picture: Tensor) -> float:
    """How much of the face's contrast is in its finest octave at 256 pixels a side, in percent.

    That is, of the box around the mean face's landmarks in grey: the root mean square of what halving the
    picture loses, over the standard deviation. Noise counts as detail.

    Parameters
    ----------
    picture
        `(1, 3, side, side)` in FFHQ's crop; smaller ones are enlarged, which adds none.
    """
    grey = _at_side(picture).mean(1, keepdim=True)
    coarse = F.interpolate(F.avg_pool2d(grey, 2), scale_factor=2, mode="bilinear")
    box = _face_box()
    contrast = float(grey[box].std())
    return 100 * float((grey - coarse)[box].square().mean().sqrt()) / contrast if contrast > 0 else 0.0


def after(
    target: Tensor,
    rendered: Tensor,
    ws: Tensor | None,
    statistics: WStatistics,
    perceptual: PerceptualDistance,
    descriptor: FaceDescriptor | None = None,
    earlier: Sequence[Finding] = (),
) -> list[Finding]:
    """What can be said of a projection.

    - LPIPS, MSE and PSNR between the pictures in [-1, 1], all at 256 pixels a side;
    - identity and identity distance, see `latentlab.faces.identity`;
    - distance from w_avg in sigmas, sigma = sqrt(E|w − w_avg|²); of W+ the mean over the rows;
    - spread of the rows: the root mean square distance of the rows to their mean, in sigmas; 0 in W, and about
      1 for rows that have nothing to do with each other.

    Parameters
    ----------
    target, rendered
        `(1, 3, h, h)` in [-1, 1], of any sides: the aligned photo, and what its code looks like.
    ws
        `(1, num_ws, w_dim)`; None in space s: nothing is said of the code then.
    statistics
        Of the generator, see `latentlab.projection.canvas.w_statistics`.
    perceptual
        LPIPS with VGG16.
    descriptor
        None to say nothing of identity.
    earlier
        What `before` found: a poor value there is the likely cause of one here.

    Returns
    -------
    list of Finding
        In the order above.
    """
    if len(target) != 1 or len(rendered) != 1 or (ws is not None and len(ws) != 1):
        raise ValueError("the findings are of one picture and its projection")
    x, y = _at_side(rendered), _at_side(target).to(rendered.device)
    error = (x - y).square()
    mse = float(error.mean())
    blame = _blame(error, earlier)
    findings = [
        _finding("LPIPS", float(perceptual(x, y)), "", blame),
        _finding("MSE", mse, "", blame),
        _finding("PSNR", 10 * math.log10(4 / mse) if mse > 0 else math.inf, "dB", blame),
    ]
    if descriptor is not None:
        findings += _identity(descriptor(target).cpu(), descriptor(rendered).cpu(), blame)
    return findings if ws is None else findings + _code(ws, statistics)


def _identity(a: Tensor, b: Tensor, blame: str) -> list[Finding]:
    cause = f"it looks like another person: {blame}"
    if a.isnan().any() or b.isnan().any():
        cause = f"no face is found in the {'photo' if a.isnan().any() else 'projection'}"
    return [
        _finding("identity", float(similarity(a, b)), "", cause),
        _finding("identity distance", float(distance(a, b)), "", cause),
    ]


def _code(ws: Tensor, statistics: WStatistics) -> list[Finding]:
    rows = ws[0] - statistics.mean.to(ws)  # (num_ws, w_dim)
    out = float(rows.norm(dim=1).mean()) / statistics.sigma
    spread = float((rows - rows.mean(0)).square().sum(1).mean().sqrt()) / statistics.sigma
    return [
        _finding(
            "distance from w_avg", out, "sigmas", f"the code lies {out:.1f} sigmas out: edits will be less reliable"
        ),
        _finding("spread of the rows", spread, "sigmas", "the rows went separate ways: edits will be less reliable"),
    ]


def _blame(error: Tensor, earlier: Sequence[Finding]) -> str:
    """What is likely to blame for a projection that is far from the picture, by its `error (1, 3, 256, 256)`."""
    poor = [finding.cause for finding in earlier if finding.verdict == "poor"]
    if poor:
        return "likely since " + "; ".join(poor)
    inside = float(error[_face_box()].mean())
    if inside < float(error.mean()) / 2:
        return "mostly outside the face: its hair, hat or background are not such as the generator draws"
    return "something about the face that the generator does not draw, or too few steps"


def _face_box() -> tuple[slice, ...]:
    """Where in pictures `(b, c, 256, 256)` the mean face's landmarks lie."""
    low, high = np.rint([mean_landmarks().min(0) * SIDE, mean_landmarks().max(0) * SIDE]).astype(int)
    return slice(None), slice(None), slice(low[1], high[1]), slice(low[0], high[0])


def _at_side(picture: Tensor) -> Tensor:
    small = images.reduce(picture.detach().float().clamp(-1, 1), SIDE)
    if small.shape[2:] == (SIDE, SIDE):
        return small
    return F.interpolate(small, (SIDE, SIDE), mode="bicubic").clamp(-1, 1)


def _finding(name: str, value: float, unit: str, cause: str) -> Finding:
    verdict = LIMITS[name].verdict(abs(value) if unit == "°" else value)
    return Finding(name, value, unit, verdict, "" if verdict == "good" else cause)


def report(findings: Sequence[Finding]) -> str:
    """A table in plain text, a line a finding: name, value with its unit, verdict and cause."""
    cells = [(one.name, _shown(one), one.verdict, one.cause) for one in findings]
    name, value = (max((len(row[k]) for row in cells), default=0) for k in (0, 1))
    return "".join(f"{a:<{name}}  {b:<{value}}  {c}  {d}".rstrip() + "\n" for a, b, c, d in cells)


def _shown(finding: Finding) -> str:
    if math.isnan(finding.value):
        return "unknown"
    number = f"{finding.value:.0f}" if abs(finding.value) >= 100 else f"{finding.value:.3g}"
    return f"{number} {finding.unit}".rstrip().replace(" °", "°").replace(" %", "%")
