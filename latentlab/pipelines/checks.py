"""Quality checks: how far a photo, and later its projection, can be trusted, why not, and what to do about it.

`check_photo` needs the aligned face alone and takes milliseconds: run it before the long work. `check_projection` looks
at the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import images
from latentlab.faces.alignment import BEYOND, TURNED, AlignedFace, beyond_photo
from latentlab.faces.identity import MIN_RESOLUTION, FaceDescriptor, distance, similarity, why_undescribed
from latentlab.faces.means import mean_landmarks
from latentlab.perceptual import PerceptualDistance

if TYPE_CHECKING:  # a photo is checked without any projection
    from latentlab.projection import WStatistics

Verdict = Literal["good", "fair", "poor", "unknown"]

# Images are compared at this resolution, as in the published tables of projections.
RESOLUTION = 256
# How many decimals of a value are meaningful, by unit.
_DECIMALS = {"°": 0, "px": 0, "%": 1, "% of the width": 1, "dB": 1, "sigmas": 2, "levels": 2}
# dlib's 5 landmarks among the 68.
_FIVE_OF_68 = [45, 42, 36, 39, 33]


@dataclass(frozen=True)
class QualityCheck:
    """One value that was checked, and the verdict on it.

    Attributes
    ----------
    name
        Name of the quantity.
    value
        Its value; NaN where it could not be measured.
    unit
        Its unit; empty for a plain number.
    verdict
        'good', 'fair' or 'poor'; 'unknown' where it cannot be measured.
    cause
        Likely cause and consequence, or why it is unknown; empty where the value is good.
    advice
        What to do about it; empty where the value is good or unknown.
    """

    name: str
    value: float
    unit: str
    verdict: Verdict
    cause: str
    advice: str = ""

    @property
    def told(self) -> str:
        """The cause, and what to do about it, such as 'the photo is blurred; use a sharper photo'."""
        return f"{self.cause}; {self.advice}" if self.advice else self.cause


@dataclass(frozen=True)
class Limits:
    """Values up to `good` are good, those up to `fair` fair; where `good` is the larger, those from there upwards."""

    good: float
    fair: float

    def verdict(self, value: float) -> Verdict:
        """Verdict on a value; NaN is unknown."""
        if math.isnan(value):
            return "unknown"
        sign = 1 if self.good < self.fair else -1
        if sign * value <= sign * self.good:
            return "good"
        return "fair" if sign * value <= sign * self.fair else "poor"


# "Generated" means faces of mobile-ffhq at psi 1, as benchmarks/quality_checks.py measures them: what the generator
# draws often is good (up to the 95th percentile, or from the 5th), what it hardly ever draws is poor (beyond the 99th
# or the 1st).
LIMITS = {
    "face score": Limits(0.5, 0.3),  # generated: 5 % below 0.54, 1 % below 0.31
    "faces in the photo": Limits(1, math.inf),
    "yaw": Limits(TURNED, 42),  # generated: 5 % beyond 36, 1 % beyond 42
    "pitch": Limits(25, 40),  # generated: 5 % beyond 24; the estimate itself may be 15 off
    # Generated faces turned in the image: their landmarks move by 0.5 % of the width in the median at 20°, by
    # 2 % at 40°, where dlib's detector begins to miss them.
    "roll": Limits(20, 35),
    "alignment residual": Limits(5.9, 7),  # generated: 5 % beyond 5.9, 1 % beyond 7.0
    # The projection sees 256 pixels. Below 128 the descriptor of a face moves, see `faces.identity`.
    "resolution": Limits(RESOLUTION, MIN_RESOLUTION),
    "outside the photo": Limits(100 * BEYOND, 30),  # 30 % of its width is the most that FFHQ's crop pads for
    "detail": Limits(8, 4.5),  # generated: 1 % below 8.0; of copies reduced to 64 pixels the median has 3.7
    # The rows "optimise W+" and "optimise W" of the table that the field uses to compare (GANInverter, CelebA-HQ).
    "LPIPS": Limits(0.109, 0.197),
    "MSE": Limits(0.0242, 0.067),
    "PSNR": Limits(10 * math.log10(4 / 0.0242), 10 * math.log10(4 / 0.067)),
    "mesh": Limits(1.35, 1.9),  # generated: 5 % above 1.35, 1 % above 1.9
    "chroma mesh": Limits(0.8, 0.9),  # generated: 5 % above 0.80, 1 % above 0.90
    "finest detail": Limits(5.7, 6.6),  # generated: 5 % above 5.7, 1 % above 6.6
    # Two photos of one person (benchmarks/identity.py): median 0.75, 5 % below 0.47; median distance 0.45.
    "identity": Limits(0.75, 0.5),
    "identity distance": Limits(0.45, 0.6),  # 0.6 is dlib's rule
    "distance from w_avg": Limits(1.3, 2),  # w of random z: 5 % beyond 1.30, 1 % beyond 1.48
    # Photos have 1.1 to 1.35 after the default search (benchmarks/quality_checks.py --projections), more after longer
    # ones.
    "spread of the rows": Limits(1.4, 1.7),
}
"""Limits of the verdicts, by name of the check."""

_SEE_LANDMARKS = "look at aligned.png, and give the points yourself (--landmarks) if they are misplaced"
_WITHIN_LIMITS = "edit by smaller strengths, and judge them by eye"
_PLAIN_RECIPE = "look at it at full size, and take the default recipe if it shows there"
# What helps. Of the projection's distance to the photo that depends on the cause, see `_likely_cause`.
_ADVICE = {
    "face score": "look at aligned.png, and say yourself where the face is (--landmarks) if it is wrong",
    "faces in the photo": "see which there are with `latentlab align PHOTO --face all --show`, and choose with --face",
    "yaw": "use a photo that shows more of the front",
    "pitch": "use a photo taken at the height of the eyes",
    "roll": "turn the photo upright first",
    "alignment residual": _SEE_LANDMARKS,
    "resolution": f"use a photo in which the crop of the face is {RESOLUTION} pixels wide or more",
    "outside the photo": "use a photo with more space around the head",
    "detail": "use a sharper photo",
    "mesh": _PLAIN_RECIPE,
    "chroma mesh": _PLAIN_RECIPE,
    "finest detail": _PLAIN_RECIPE,
    "distance from w_avg": _WITHIN_LIMITS,
    "spread of the rows": "take fewer steps, or project into w (latentlab project --space w)",
}


def check_photo(face: AlignedFace, faces_in_photo: int | None = 1) -> list[QualityCheck]:
    """Check a photo before anything is computed with it.

    - face score: the detector's confidence; the limits are those of dlib's detector;
    - faces in the photo;
    - yaw, pitch and roll, in degrees, rough (see `latentlab.faces.pose`); the crop undoes the roll;
    - alignment residual: root mean square distance of the landmarks in the crop to those of the mean generated
      face, in percent of the crop's width: a turned head, an open mouth, or landmarks that went astray;
    - resolution: number of the photo's pixels along the crop's width;
    - outside the photo: the part of the crop that lies beyond the photo and was made up, in percent;
    - detail: see `detail`.

    Parameters
    ----------
    face
        Aligned face, as `latentlab.faces.align` gives it.
    faces_in_photo
        Number of faces that the detector found in the photo; None, where all of them are meant, leaves this check out.

    Returns
    -------
    list of QualityCheck
        The checks in the order above.
    """
    geometry, pose = face.geometry, face.pose
    resolution, length = geometry.resolution, geometry.length
    cut = bool(((face.face.landmarks < 0) | (face.face.landmarks > geometry.photo_size)).any())
    outside = _check(
        "outside the photo",
        100 * beyond_photo(geometry),
        "%",
        "the photo is cropped tightly: the area beyond it was made up",
    )
    if cut:
        advice = "use a photo that shows the whole face"
        outside = QualityCheck(outside.name, outside.value, "%", "poor", "the photo's border cuts the face", advice)
    several = "several faces, of which one is taken"
    return [
        _check("face score", face.face.score, "", "the detector is unsure that this is a face"),
        *([] if faces_in_photo is None else [_check("faces in the photo", faces_in_photo, "", several)]),
        _check(
            "yaw",
            pose.yaw,
            "°",
            f"the head is turned {abs(pose.yaw):.0f}°: the generator has seen few such faces",
        ),
        _check("pitch", pose.pitch, "°", f"the head is {'raised' if pose.pitch > 0 else 'lowered'}"),
        _check("roll", pose.roll, "°", "the head is tilted: the crop undoes it, but landmarks are less exact"),
        _check(
            "alignment residual",
            residual(geometry.to_crop(face.face.landmarks) / resolution),
            "% of the width",
            "the landmarks are unlike those of a frontal face: turned, covered, mouth wide open, or misplaced",
        ),
        _check("resolution", length, "px", _smallness(length, resolution)),
        outside,
        _detail_check(face.image),
    ]


def _smallness(length: float, resolution: int) -> str:
    enlarged = f"{length:.0f} pixels were enlarged to {resolution}"
    return f"the photo is small: {enlarged if length < resolution else f'the face has {length:.0f} pixels'}"


def _detail_check(image: Tensor) -> QualityCheck:
    if image.shape[3] < RESOLUTION:
        return _unknown("detail", f"crops of {image.shape[3]} pixels have none that could be missed")
    return _check("detail", detail(image), "%", "the photo is blurred, or was enlarged from a smaller one")


def residual(landmarks: NDArray[np.float64]) -> float:
    """Root mean square distance of `landmarks (68 or 5, 2)` in crop widths to the mean face's, in percent."""
    mean = mean_landmarks()
    off = landmarks - (mean if len(landmarks) == len(mean) else mean[_FIVE_OF_68])
    return float(100 * np.sqrt((off**2).sum(-1).mean()))


def detail(image: Tensor) -> float:
    """Share of the face's contrast in its finest octave at 256 pixels, in percent.

    Within the box around the mean face's landmarks, in grey: the root mean square of what halving the image
    loses, over the standard deviation. Noise counts as detail.

    Parameters
    ----------
    image
        `(1, 3, resolution, resolution)` in FFHQ's crop; smaller ones are enlarged, which adds no detail.
    """
    grey = _resized(image).mean(1, keepdim=True)
    coarse = F.interpolate(F.avg_pool2d(grey, 2), scale_factor=2, mode="bilinear")
    box = _face_box()
    contrast = float(grey[box].std())
    return 100 * float((grey - coarse)[box].square().mean().sqrt()) / contrast if contrast > 0 else 0.0


def check_projection(
    image: Tensor,
    rendered: Tensor,
    ws: Tensor | None,
    statistics: WStatistics,
    perceptual: PerceptualDistance,
    descriptor: FaceDescriptor | None = None,
    photo_checks: Sequence[QualityCheck] = (),
    shortcut: str = "",
) -> list[QualityCheck]:
    """Check a projection against the image that was projected.

    - LPIPS, MSE and PSNR between the images in [-1, 1], all at 256 pixels;
    - what these do not see in the rendering, see `check_mesh`;
    - identity and identity distance, see `latentlab.faces.identity`; unknown for faces that are too small for it;
    - distance from w_avg in sigmas, sigma = sqrt(E|w − w_avg|²); in W+ the mean over the rows;
    - spread of the rows: the root mean square distance of the rows to their mean, in sigmas; 0 in W, about 1 for rows
      that have nothing to do with each other, and more in W+: the limits are those of projected photos.

    Parameters
    ----------
    image, rendered
        `(1, 3, h, h)` in [-1, 1], of any resolutions: the aligned photo, and the rendering of its latent.
    ws
        Latent `(1, num_ws, w_dim)`; None in space s, which leaves out the checks of the latent.
    statistics
        Statistics of the generator's w, see `latentlab.projection.w_statistics`.
    perceptual
        LPIPS with VGG16.
    descriptor
        Face descriptor; None leaves out the checks of identity.
    photo_checks
        Results of `check_photo`: a poor value there is the likely cause of one here.
    shortcut
        How the projection was cut short, such as "only 5 of the recipe's 280 steps were taken": the first
        cause of a poor value, beside which no other is named.

    Returns
    -------
    list of QualityCheck
        The checks in the order above.
    """
    if len(image) != 1 or len(rendered) != 1 or (ws is not None and len(ws) != 1):
        raise ValueError("check_projection takes one image, its rendering and its latent, not a batch")
    x, y = _resized(rendered), _resized(image).to(rendered.device)
    error = (x - y).square()
    mse = float(error.mean())
    likely = _likely_cause(error, photo_checks, shortcut)
    checks = [
        _check("LPIPS", float(perceptual(x, y)), "", *likely),
        _check("MSE", mse, "", *likely),
        _check("PSNR", 10 * math.log10(4 / mse) if mse > 0 else math.inf, "dB", *likely),
    ]
    checks += check_mesh(rendered)
    too_small = why_undescribed(min(image.shape[3], rendered.shape[3]))
    if too_small:
        checks += [_unknown(name, too_small) for name in ("identity", "identity distance")]
    elif descriptor is not None:
        checks += _identity_checks(descriptor(image).cpu(), descriptor(rendered).cpu(), likely)
    return checks if ws is None else checks + _latent_checks(ws, statistics)


def check_mesh(rendered: Tensor) -> list[QualityCheck]:
    """Check a rendering for what a comparison at 256 pixels does not see, in levels of 255.

    - mesh, and chroma mesh: the pattern that repeats with the cells of that comparison, in the luma and in the colours;
    - finest detail: what is drawn in the finest octave, whether it repeats or not.

    See `latentlab.projection.mesh`; limits are those of what the generator draws by itself.

    Parameters
    ----------
    rendered
        `(1, 3, r, r)` in [-1, 1].

    Returns
    -------
    list of QualityCheck
        None where the rendering is not larger than 256 pixels.
    """
    period = rendered.shape[3] // RESOLUTION
    if period < 2:
        return []
    from latentlab.projection.mesh import chroma_mesh_levels, finest_levels, mesh_levels  # a photo is checked without

    image = rendered.detach().clamp(-1, 1)
    pattern, grain = "a fine pattern lies over the face", "the face has more grain than the generator draws by itself"
    return [
        _check("mesh", float(mesh_levels(image, period)), "levels", pattern),
        _check("chroma mesh", float(chroma_mesh_levels(image, period)), "levels", f"{pattern}, in its colours"),
        _check("finest detail", float(finest_levels(image)), "levels", grain),
    ]


def _identity_checks(a: Tensor, b: Tensor, likely: tuple[str, str]) -> list[QualityCheck]:
    if a.isnan().any() or b.isnan().any():
        missing = f"no face is found in the {'photo' if a.isnan().any() else 'projection'}"
        return [_unknown(name, missing) for name in ("identity", "identity distance")]
    return [
        _identity_check("identity", float(similarity(a, b)), *likely),
        _identity_check("identity distance", float(distance(a, b)), *likely),
    ]


def _identity_check(name: str, value: float, cause: str, advice: str) -> QualityCheck:
    looks = "may look" if LIMITS[name].verdict(value) == "fair" else "looks"
    return _check(name, value, "", f"it {looks} like another person, {cause}", advice)


def spread_of_rows(rows: Tensor, sigma: float) -> float:
    """Root mean square distance of the rows `(num_ws, w_dim)` of a latent to their mean, in sigmas of w."""
    return float((rows - rows.mean(0)).square().sum(1).mean().sqrt()) / sigma


def _latent_checks(ws: Tensor, statistics: WStatistics) -> list[QualityCheck]:
    rows = ws[0] - statistics.mean.to(ws)  # (num_ws, w_dim)
    out = float(rows.norm(dim=1).mean()) / statistics.sigma
    spread = spread_of_rows(ws[0], statistics.sigma)
    return [
        _check(
            "distance from w_avg", out, "sigmas", f"the latent lies {out:.1f} sigmas out: edits will be less reliable"
        ),
        _check("spread of the rows", spread, "sigmas", "the rows differ much: edits will be less reliable"),
    ]


def _likely_cause(error: Tensor, photo_checks: Sequence[QualityCheck], shortcut: str) -> tuple[str, str]:
    """Likely cause of a projection that is far from the image, by its squared `error (1, 3, 256, 256)`, and advice."""
    if shortcut:
        return f"likely because {shortcut}", "leave out --steps or --fast, whichever cut it short"
    poor = [check for check in photo_checks if check.verdict == "poor"]
    if poor:
        advice = "; ".join(dict.fromkeys(check.advice for check in poor if check.advice))
        return f"likely because {'; '.join(check.cause for check in poor)}", advice
    inside = float(error[_face_box()].mean())
    if inside < float(error.mean()) / 2:
        return (
            "mostly outside the face: hair, hat or background unlike any that the generator draws",
            "in edits, paste the face alone (--mask hull)",
        )
    return "features of the face that the generator does not draw, or too few steps", "take twice as many (--steps)"


def _face_box() -> tuple[slice, ...]:
    """Region of images `(b, c, 256, 256)` in which the mean face's landmarks lie."""
    low, high = np.rint([mean_landmarks().min(0) * RESOLUTION, mean_landmarks().max(0) * RESOLUTION]).astype(int)
    return slice(None), slice(None), slice(low[1], high[1]), slice(low[0], high[0])


def _resized(image: Tensor) -> Tensor:
    """`image (b, 3, h, h)` at the resolution of the comparison."""
    small = images.reduce(image.detach().float().clamp(-1, 1), RESOLUTION)
    if small.shape[2:] == (RESOLUTION, RESOLUTION):
        return small
    return F.interpolate(small, (RESOLUTION, RESOLUTION), mode="bicubic").clamp(-1, 1)


def _check(name: str, value: float, unit: str, cause: str, advice: str = "") -> QualityCheck:
    verdict = LIMITS[name].verdict(abs(value) if unit == "°" else value)
    told = ("", "") if verdict == "good" else (cause, advice or _ADVICE.get(name, ""))
    return QualityCheck(name, value, unit, verdict, *told)


def _unknown(name: str, why: str) -> QualityCheck:
    return QualityCheck(name, math.nan, "", "unknown", why)


def format_checks(checks: Sequence[QualityCheck]) -> str:
    """Format checks as a table in plain text, one per line: name, value with its unit, verdict, cause and advice."""
    cells = [(check.name, format_value(check), check.verdict, check.told) for check in checks]
    name, value = (max((len(row[k]) for row in cells), default=0) for k in (0, 1))
    return "".join(f"{a:<{name}}  {b:<{value}}  {c}  {d}".rstrip() + "\n" for a, b, c, d in cells)


def describe_poor(checks: Sequence[QualityCheck]) -> list[str]:
    """Say of each poor check what to do: "detail 3.1 % is poor (the photo is blurred …): use a sharper photo"."""
    return [
        f"{check.name} {format_value(check)} is poor ({check.cause})" + (f": {check.advice}" if check.advice else "")
        for check in checks
        if check.verdict == "poor"
    ]


def format_value(check: QualityCheck) -> str:
    """Format the value of a check with its unit; '-' where it is unknown."""
    if math.isnan(check.value):
        return "-"
    if check.unit in _DECIMALS:
        number = f"{round(check.value, _DECIMALS[check.unit]) + 0.0:.{_DECIMALS[check.unit]}f}"
    else:
        number = f"{check.value:.3g}" if abs(check.value) < 100 else f"{check.value:.0f}"
    return f"{number} {check.unit}".rstrip().replace(" °", "°")
