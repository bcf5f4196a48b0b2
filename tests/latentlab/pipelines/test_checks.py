"""The quality checks: closed forms of their values, and their verdicts on sound and on degraded generated faces."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import stylegan2
from latentlab import images, perceptual
from latentlab.faces import AlignedFace, FaceFound, Points, align, crop, load_detector, quad_of
from latentlab.faces.identity import FaceDescriptor
from latentlab.faces.means import mean_landmarks
from latentlab.perceptual import PerceptualDistance
from latentlab.pipelines.checks import (
    LIMITS,
    Limits,
    QualityCheck,
    check_mesh,
    check_photo,
    check_projection,
    describe_poor,
    detail,
    format_checks,
    residual,
)
from latentlab.projection import WStatistics

pytest.importorskip("dlib")
STATISTICS = WStatistics(torch.full((8,), 0.5), 2.0)


@pytest.fixture(scope="module")
def faces() -> Tensor:
    """Two generated faces at 256 pixels."""
    generator = stylegan2.load("mobile-ffhq")
    with torch.inference_mode():
        ws = generator.mapping(stylegan2.z_from_seeds([600, 602], generator.z_dim), psi=0.7)
        return generator.synthesis(ws, resolution=256).clamp(-1, 1).clone()


@pytest.fixture(scope="module")
def lpips() -> PerceptualDistance:
    """With AlexNet, which is quick; the checks pass on what it says."""
    return perceptual.load_perceptual("alex")


@pytest.fixture(scope="module")
def describe() -> FaceDescriptor:
    return FaceDescriptor()


@pytest.fixture(scope="module")
def detector():
    return load_detector()


@pytest.fixture(scope="module")
def photo(faces) -> Tensor:
    """A face with space around it, `(1, 3, 640, 640)`."""
    return F.pad(F.interpolate(faces[:1], (512, 512), mode="bicubic").clamp(-1, 1), (64, 64, 64, 64), mode="reflect")


@pytest.fixture(scope="module")
def sound(photo, detector) -> AlignedFace:
    return align(photo, detector, resolution=256)[0]


def by_name(checks: list[QualityCheck]) -> dict[str, QualityCheck]:
    assert len({one.name for one in checks}) == len(checks)
    return {one.name: one for one in checks}


@pytest.mark.parametrize(
    "limits, verdicts",
    [
        (Limits(1, 3), {-5: "good", 1: "good", 1.001: "fair", 3: "fair", 3.001: "poor"}),
        (Limits(3, 1), {5: "good", 3: "good", 2.999: "fair", 1: "fair", 0.999: "poor"}),
    ],
)
def test_verdicts_turn_at_the_limits(limits, verdicts):
    assert {value: limits.verdict(value) for value in verdicts} == verdicts
    assert limits.verdict(math.nan) == "unknown"


def test_the_residual_is_the_distance_to_the_mean_face_in_percent():
    mean = mean_landmarks()
    assert residual(mean) == 0
    assert residual(mean + [0.03, 0.04]) == pytest.approx(5)
    one_off = mean.copy()
    one_off[8] += [0, 0.17]
    assert residual(one_off) == pytest.approx(17 / 68**0.5)
    assert residual(mean[[45, 42, 36, 39, 33]] + [0.03, 0.04]) == pytest.approx(5)


@pytest.mark.weights
def test_detail_falls_as_a_picture_is_blurred_and_not_with_its_contrast(faces):
    sharp = detail(faces[:1])
    blurred = [detail(F.interpolate(images.reduce(faces[:1], n), (256, 256), mode="bicubic")) for n in (128, 64, 32)]
    assert sharp > blurred[0] > blurred[1] > blurred[2]
    assert LIMITS["detail"].verdict(sharp) == "good" and LIMITS["detail"].verdict(blurred[2]) == "poor"
    assert detail(faces[:1] * 0.5 + 0.3) == pytest.approx(sharp, rel=1e-4)
    assert detail(torch.zeros(1, 3, 256, 256)) == 0


def drawn(yaw: float, size: float = 600, side: int = 512) -> AlignedFace:
    """A face of which only landmarks are known: the mean face, with a depth, turned by `yaw` degrees."""
    points = mean_landmarks() - 0.5
    depth = np.zeros(68)  # in sides of the crop, towards the camera: the eyes' depth is 0
    depth[:17] = -0.25 * np.abs(np.linspace(-1, 1, 17)) ** 2
    depth[27:36], depth[48:] = 0.09, 0.05
    angle = np.radians(yaw)
    x = points[:, 0] * np.cos(angle) + depth * np.sin(angle)
    landmarks = (np.stack([x, points[:, 1]], axis=1) * 0.5 + 0.5) * size
    picture, geometry = crop(torch.zeros(1, 3, int(size), int(size)), quad_of(Points.of(landmarks)), side)
    return AlignedFace(picture, geometry, FaceFound((0.0, 0.0, size, size), landmarks, 2.0), ())


def test_a_turned_head_is_told_by_its_yaw_and_its_residual():
    straight, right, left = (by_name(check_photo(drawn(yaw))) for yaw in (0, 55, -55))
    assert straight["yaw"].verdict == "good" and straight["alignment residual"].verdict == "good"
    assert straight["alignment residual"].value < 1
    for turned, sign in ((right, 1), (left, -1)):
        assert turned["yaw"].value == pytest.approx(sign * 55, abs=12)
        assert turned["yaw"].verdict == "poor"
        assert f"{abs(turned['yaw'].value):.0f}°" in turned["yaw"].cause
        assert turned["alignment residual"].value > LIMITS["alignment residual"].good


@pytest.mark.weights
def test_a_sound_photo_has_nothing_poor(sound):
    checks = by_name(check_photo(sound))
    assert list(checks) == list(LIMITS)[: len(checks)]
    assert {one.verdict for one in checks.values()} <= {"good", "fair"}
    assert all((one.verdict == "good") == (one.cause == "") for one in checks.values())
    assert checks["resolution"].value == pytest.approx(512, rel=0.1)
    assert checks["faces in the photo"].verdict == "good"
    assert by_name(check_photo(sound, faces_in_photo=2))["faces in the photo"].verdict == "fair"


@pytest.mark.weights
def test_a_tiny_photo_says_how_few_pixels_were_enlarged(photo, detector):
    checks = by_name(check_photo(align(images.reduce(photo, 100), detector, resolution=1024)[0]))
    assert checks["resolution"].verdict == "poor"
    assert checks["resolution"].value == pytest.approx(80, rel=0.1)
    assert checks["resolution"].cause == (
        f"the photo is small: {checks['resolution'].value:.0f} pixels were enlarged to 1024"
    )
    assert checks["detail"].verdict == "poor"


@pytest.mark.weights
def test_a_tilted_photo_has_its_angle(photo, detector):
    tilted = images.from_pil(images.to_pil(photo).rotate(-25, resample=3))  # clockwise in the picture
    checks = by_name(check_photo(align(tilted, detector, resolution=256)[0]))
    assert checks["roll"].value == pytest.approx(25, abs=5)
    assert checks["roll"].verdict == "fair" and "tilted" in checks["roll"].cause


@pytest.mark.weights
def test_a_face_cut_by_the_border_is_poor(photo, sound):
    half = photo[:, :, :, :320]
    picture, geometry = crop(half, sound.geometry.quad, 256)
    check = by_name(check_photo(AlignedFace(picture, geometry, sound.face, ())))["outside the photo"]
    assert check.verdict == "poor" and "cuts the face" in check.cause
    # The crop's right edge lies beyond the photo's.
    left, right = sound.geometry.quad[0, 0], sound.geometry.quad[3, 0]
    assert check.value == pytest.approx(100 * (right - 320) / (right - left), abs=3)


@pytest.mark.weights
def test_of_the_picture_itself_all_is_perfect(faces, lpips, describe):
    ws = STATISTICS.mean.expand(1, 4, 8)
    checks = by_name(check_projection(faces[:1], faces[:1], ws, STATISTICS, lpips, describe))
    assert checks["LPIPS"].value == pytest.approx(0, abs=1e-6) and checks["MSE"].value == 0
    assert checks["PSNR"].value == math.inf
    assert checks["identity"].value == pytest.approx(1) and checks["identity distance"].value == 0
    assert checks["distance from w_avg"].value == checks["spread of the rows"].value == 0
    assert {one.verdict for one in checks.values()} == {"good"}


@pytest.mark.weights
def test_an_even_error_has_the_closed_form(faces, lpips):
    target = faces[:1] * 0.5
    checks = by_name(check_projection(F.interpolate(target, (512, 512)), target + 0.1, None, STATISTICS, lpips))
    assert list(checks) == ["LPIPS", "MSE", "PSNR"]
    assert checks["MSE"].value == pytest.approx(0.01, rel=1e-3)
    assert checks["PSNR"].value == pytest.approx(10 * math.log10(4 / 0.01), rel=1e-3)
    assert checks["LPIPS"].value == pytest.approx(float(lpips(target + 0.1, target)), rel=1e-3)


@pytest.mark.weights
def test_a_mesh_that_256_pixels_hide_is_told(faces, lpips):
    target = faces[:1] * 0.5
    dots = 0.1 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(256, 256)
    large = F.interpolate(target, (512, 512), mode="bilinear")
    clean, meshed = (
        by_name(check_projection(target, image, None, STATISTICS, lpips)) for image in (large, large + dots)
    )
    assert meshed["MSE"].value == pytest.approx(clean["MSE"].value, abs=1e-6), "the other checks do not see it"
    assert clean["mesh"].verdict == "good" and meshed["mesh"].verdict == "poor"
    assert meshed["mesh"].value == pytest.approx(12.75, rel=0.02) and "full size" in meshed["mesh"].advice
    assert meshed["finest detail"].verdict == "poor" and meshed["chroma mesh"].verdict == "good"
    tinted = large + dots * torch.tensor([1.0, -0.5, 0.0])[:, None, None] * 0.4
    colours = by_name(check_projection(target, tinted, None, STATISTICS, lpips))
    assert colours["chroma mesh"].verdict == "poor" and "in its colours" in colours["chroma mesh"].told
    assert colours["mesh"].verdict == "good", "the luma sees next to nothing of it"
    assert not check_mesh(target), "256 pixels hide nothing"


def test_whatever_is_not_good_says_what_to_do():
    for check in check_photo(drawn(55, size=150, side=256), faces_in_photo=3):
        assert (check.advice == "") == (check.verdict in ("good", "unknown")), check
        assert check.told == (f"{check.cause}; {check.advice}" if check.advice else check.cause)
    (line,) = describe_poor([QualityCheck("detail", 3.1, "%", "poor", "the photo is blurred", "use a sharper photo")])
    assert line == "detail 3.1 % is poor (the photo is blurred): use a sharper photo"


@pytest.mark.weights
def test_the_advice_for_a_tilted_head_helps(photo, detector):
    picture = images.to_pil(photo).rotate(-25, resample=3)
    tilted = by_name(check_photo(align(images.from_pil(picture), detector, resolution=256)[0]))
    assert tilted["roll"].verdict == "fair" and "turn the photo upright" in tilted["roll"].advice
    picture = picture.rotate(25, resample=3)
    upright = by_name(check_photo(align(images.from_pil(picture), detector, resolution=256)[0]))
    assert upright["roll"].verdict == "good" and not upright["roll"].advice


@pytest.mark.weights
def test_another_face_is_poor_and_the_cause_is_the_one_found_before(faces, lpips, describe):
    earlier = [
        QualityCheck("yaw", 50.0, "°", "poor", "the head is turned 50°"),
        QualityCheck("roll", 21.0, "°", "fair", "tilted"),
    ]
    plain, told = (
        by_name(check_projection(faces[:1], faces[1:], None, STATISTICS, lpips, describe, found))
        for found in ([], earlier)
    )
    for name in ("LPIPS", "identity", "identity distance"):
        assert plain[name].verdict == "poor" and plain[name].cause
        assert "the head is turned 50°" in told[name].cause and "tilted" not in told[name].cause
        assert plain[name].value == told[name].value
    assert told["identity"].cause.startswith("it looks like another person")


@pytest.mark.weights
def test_the_blame_goes_where_the_error_is(faces, lpips):
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(1, 3, 256, 256, generator=rng) * 2 - 1
    low, high = (mean_landmarks().min(0) * 256).astype(int), (mean_landmarks().max(0) * 256).astype(int)
    inside = torch.zeros(1, 1, 256, 256, dtype=torch.bool)
    inside[:, :, low[1] : high[1], low[0] : high[0]] = True
    causes = [
        by_name(check_projection(faces[:1], torch.where(mask, noise, faces[:1]), None, STATISTICS, lpips))["MSE"].cause
        for mask in (inside, ~inside)
    ]
    assert "features of the face" in causes[0] and "outside the face" in causes[1]


@pytest.mark.weights
def test_without_a_face_the_identity_is_unknown_and_says_where(faces, lpips, describe):
    grey = torch.zeros(1, 3, 256, 256)
    check = by_name(check_projection(faces[:1], grey, None, STATISTICS, lpips, describe))["identity"]
    assert math.isnan(check.value) and check.verdict == "unknown"
    assert check.cause == "no face is found in the projection"
    assert format_checks([check]) == "identity  -  unknown  no face is found in the projection\n"


@pytest.mark.weights
def test_a_projection_that_was_cut_short_is_not_blamed_on_the_person(faces, lpips):
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shortcut = "only 5 of the recipe's 280 steps were taken"
    checks = by_name(check_projection(faces[:1], noise, None, STATISTICS, lpips, shortcut=shortcut))
    assert checks["LPIPS"].cause == f"likely because {shortcut}"
    assert "--steps or --fast" in checks["LPIPS"].advice, "either may have cut it short"


def test_what_small_crops_cannot_tell_is_unknown_and_not_poor():
    small = by_name(check_photo(drawn(0, side=32)))
    assert small["detail"].verdict == "unknown" and "32 pixels" in small["detail"].cause
    assert not describe_poor([small["detail"]]), "--strict leaves nothing out for it"
    few = by_name(check_photo(drawn(0, size=150, side=32)))["resolution"]
    assert few.cause == f"the photo is small: the face has {few.value:.0f} pixels", "nothing was enlarged to 32 pixels"


@pytest.mark.weights
def test_identity_of_small_crops_is_unknown_and_no_error(lpips):
    crop = torch.zeros(1, 3, 32, 32)
    describe = lambda images: pytest.fail("it is not described")  # noqa: E731
    checks = by_name(check_projection(crop, crop, None, STATISTICS, lpips, describe))
    for name in ("identity", "identity distance"):
        assert checks[name].verdict == "unknown"
        assert checks[name].cause == "faces of 32 pixels are too small for the descriptor"


@pytest.mark.weights
def test_the_code_is_measured_in_sigmas(faces, lpips):
    step = STATISTICS.sigma * torch.eye(8)
    same = (STATISTICS.mean + 2.5 * step[0]).expand(1, 4, 8)
    apart = (STATISTICS.mean + torch.stack([step[0], step[0], -step[0], -step[0]]))[None]
    found = [by_name(check_projection(faces[:1], faces[:1], ws, STATISTICS, lpips)) for ws in (same, apart)]
    assert [one["distance from w_avg"].value for one in found] == pytest.approx([2.5, 1])
    assert [one["spread of the rows"].value for one in found] == pytest.approx([0, 1])
    assert found[0]["distance from w_avg"].verdict == "poor"
    assert found[0]["distance from w_avg"].cause.startswith("the latent lies 2.5 sigmas out")


def test_the_report_is_an_aligned_table():
    checks = [
        QualityCheck("yaw", -38.4, "°", "poor", "the head is turned 38°"),
        QualityCheck("alignment residual", 1.234, "% of the width", "good", ""),
        QualityCheck("resolution", 1024.4, "px", "good", ""),
    ]
    assert format_checks(checks).splitlines() == [
        "yaw                 -38°                poor  the head is turned 38°",
        "alignment residual  1.2 % of the width  good",
        "resolution          1024 px             good",
    ]
    assert format_checks([]) == ""
