"""Strengths by face and strengths of equal effect, against a generator whose scores are known in closed form."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from latentlab.datasets import KnownFactors
from latentlab.directions import Direction
from latentlab.directions.styles import StyleChannels
from latentlab.directions.teaching import Teacher, with_teacher
from latentlab.errors import UserError
from latentlab.images import load_image
from latentlab.mapping import latents_of_seeds
from latentlab.pipelines import (
    Components,
    EqualSettings,
    HealthyRegion,
    ScoreTarget,
    SeedSettings,
    StrengthSettings,
    calibrate_equal,
    calibrate_reach,
    edit_seeds,
    strength_for,
)
from latentlab.pipelines.crossings import first_crossings
from latentlab.rendering import Renderer
from latentlab.samples import EditTable, SampleTable
from latentlab.schemas import checked
from latentlab.scorers import FunctionScorer

GENERATOR = KnownFactors()
SCORER = GENERATOR.scorer()
RENDERER = Renderer(GENERATOR, 32)
MOUTH = GENERATOR.factors.index("mouth")
SHARPNESS = SCORER.SHARPNESS
LATENTS = latents_of_seeds(GENERATOR, range(600, 612), 0.7)
WS = GENERATOR.mapping(LATENTS["z"], psi=0.7)
VALUES = GENERATOR.values(WS[:, 0])[:, MOUTH]


def direction(name: str = "mouth", **changes) -> Direction:
    vector = GENERATOR.direction(name).astype(np.float32)
    sigma = 1 / float(np.linalg.norm(GENERATOR.slopes[GENERATOR.factors.index(name)]))
    return replace(Direction(vector, name, "truth", sigma=sigma, generator=GENERATOR.fingerprint), **changes)


def in_space(space: str) -> tuple[Direction, float]:
    """The mouth's direction in a space, and by how much strength 1 raises its value."""
    normal = GENERATOR.direction("mouth")
    slope = float(GENERATOR.slopes[MOUTH] @ normal)
    if space == "z":
        unit = GENERATOR.direction("mouth", "z")
        spread = GENERATOR.mapping.spread.double().numpy()
        slope = 0.7 * float(GENERATOR.slopes[MOUTH] @ spread @ unit)
        return direction(vector=unit.astype(np.float32), space="z"), slope
    if space == "w+":
        return direction(vector=np.tile(normal.astype(np.float32), (4, 1)), space="w+"), slope
    if space == "s":
        layer, index = GENERATOR.channel("mouth")
        deviation = float(GENERATOR.synthesis.deviations[MOUTH])
        channels = StyleChannels((layer,), np.array([index]), np.array([deviation]))
        return direction(vector=np.ones(1, np.float32), space="s", channels=channels), 1.0
    return direction(), slope


def find(latents, along, target, **settings):
    return strength_for(
        latents, along, target, RENDERER, SCORER, "mouth", StrengthSettings(**{"cap": 9.0, **settings}), progress=False
    )


def test_a_score_that_falls_along_a_direction_is_brought_to_its_target_all_the_same():
    """As young does along age: the card says so."""
    forth = with_teacher(direction(), Teacher("known:mouth"))
    one, other = find(WS, forth, 0.9), find(WS, -forth, 0.9)
    np.testing.assert_array_equal(other.strengths, 0.0 - one.strengths)
    np.testing.assert_array_equal(other.limits, -one.limits)
    np.testing.assert_array_equal(other.after, one.after)
    assert one.reached.all() and (one.strengths > 0).any()


# --- the search ---------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(-0.2, 1.3), st.floats(0.5, 40)), min_size=1, max_size=6),
    st.integers(4, 9),
    st.sampled_from(["line", "saturating", "jump"]),
)
def test_every_crossing_within_the_limit_is_found_and_none_beyond(faces, most, shape):
    crossings, steepness = np.array(faces).T
    shapes = {"line": lambda x: x, "saturating": lambda x: 5 * np.tanh(x), "jump": np.sign}
    asked: list[tuple[int, float]] = []

    def respond(rows, strengths):
        asked.extend(zip(rows.tolist(), strengths.tolist(), strict=True))
        return shapes[shape](steepness[rows] * (strengths - crossings[rows]))

    rows = np.arange(len(faces))
    before = shapes[shape](steepness * -crossings)
    found = first_crossings(respond, before, 0.0, np.ones(len(faces)), np.full(len(faces), 0.2), most)
    assert all(0 < strength <= 1 for _, strength in asked)
    assert found.calls.tolist() == [sum(row == own for row, _ in asked) for own in rows] and found.calls.max() <= most
    np.testing.assert_array_equal(found.reached, (crossings <= 1))
    assert (found.strengths[found.reached] >= np.maximum(crossings[found.reached], 0) - 1e-9).all()
    assert (found.strengths[before >= 0] == 0).all()
    if shape == "line" and most > 5:
        beyond = found.after[found.reached & (before < 0)]
        assert (beyond <= 0.2 + 1e-9).all()


def test_of_a_response_that_falls_again_the_first_crossing_is_found():
    hill = lambda rows, strengths: 2 - 8 * (strengths - 1) ** 2  # noqa: E731
    found = first_crossings(hill, np.full(1, -6.0), 0.0, np.full(1, 3.0), np.full(1, 0.05), 9)
    assert found.reached[0] and found.strengths[0] == pytest.approx(0.5, abs=0.02)
    low = first_crossings(hill, np.full(1, -6.0), 3.0, np.full(1, 3.0), np.full(1, 0.05), 9)
    assert not low.reached[0] and low.strengths[0] == pytest.approx(1, abs=0.5) and low.after[0] > 0


# --- faces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["w", "w+", "z", "s"])
@pytest.mark.parametrize("target", [0.9, 0.2])
def test_the_strength_is_the_one_that_the_truth_says(space, target):
    along, slope = in_space(space)
    found = find(LATENTS if space == "z" else WS, along, target)
    wanted = (logit(target) / SHARPNESS - VALUES) / slope
    moved = (wanted > 0) == (target > 0.5)
    # The search aims at the middle of the 0.2 logits beyond the target that it tolerates.
    sign = 1 if target > 0.5 else -1
    np.testing.assert_allclose(
        found.strengths[moved], wanted[moved] + sign * 0.1 / SHARPNESS / slope, atol=0.11 / SHARPNESS / slope
    )
    assert found.reached.all() and moved.any()
    assert (found.strengths[~moved] == 0).all() and (found.renders[~moved] == 1).all()
    assert found.renders.mean() <= 6
    before, after = found.logits()
    np.testing.assert_allclose(before, SHARPNESS * VALUES, atol=0.02)
    assert (sign * (after - logit(target)) >= -1e-6).all()


def test_a_logit_is_a_target_too_and_batches_do_not_matter():
    along = direction()
    found = find(WS, along, ScoreTarget(1.5, scale="logit"))
    _, after = found.logits()
    assert ((after >= 1.5 - 1e-6) & (after <= 1.7 + 1e-6))[found.strengths > 0].all()
    alone = [find(WS[[k]], along, ScoreTarget(1.5, scale="logit"), batch_size=1).strengths[0] for k in range(len(WS))]
    np.testing.assert_allclose(found.strengths, alone, atol=1e-3)


def test_faces_that_do_not_get_there_stay_within_the_cap_and_are_told():
    along = direction(strength_range=(-0.4, 0.2))
    found = strength_for(WS, along, 0.99, RENDERER, SCORER, "mouth", progress=False)
    assert found.limits.tolist() == [0.25] * len(WS)  # 1.25 times the end of the range
    assert not found.reached.all() and found.strengths.max() == 0.25
    missing = np.flatnonzero(~found.reached)
    assert found.describe()[missing[0]].endswith("at +0.25, the nearest within the cap")
    away = strength_for(WS, along, 0.01, RENDERER, SCORER, "mouth", progress=False)
    assert away.limits.tolist() == [-0.5] * len(WS) and away.strengths.min() == -0.5


def test_scores_that_are_no_probabilities_have_targets_as_well():
    scorer = FunctionScorer(("mouth",), lambda images: 10 * SCORER.logits(images)[:, [MOUTH]])
    settings = StrengthSettings(cap=9.0)
    found = strength_for(WS, direction(), 30.0, RENDERER, scorer, "mouth", settings, progress=False)
    missing = 30 - found.before
    assert found.reached.all() and (found.after[missing > 0] <= 30 + 0.05 * missing[missing > 0] + 1e-3).all()


def test_a_face_that_cannot_be_scored_is_left_and_told():
    lost = float(SCORER.logits(RENDERER(WS))[2, MOUTH])

    def score(images):
        logits = SCORER.logits(images)[:, MOUTH]
        return torch.where((logits - lost).abs() < 1e-3, torch.nan, torch.sigmoid(logits))

    settings = StrengthSettings(cap=9.0)
    scorer = FunctionScorer(("mouth",), score)
    found = strength_for(WS, direction(), 0.9, RENDERER, scorer, "mouth", settings, progress=False)
    assert found.describe()[2] == "mouth unknown, not edited"
    assert (found.strengths[2], found.renders[2]) == (0, 1) and np.isnan(found.after[2])
    assert found.reached.tolist() == [k != 2 for k in range(len(WS))]
    faces = first_crossings(
        lambda rows, strengths: np.full(len(rows), np.nan), np.full(1, -1.0), 0.0, np.ones(1), np.ones(1)
    )
    assert (faces.strengths[0], faces.after[0], faces.reached[0]) == (0, -1, False)


def test_a_healthy_region_holds_faces_back():
    along, region = direction(), HealthyRegion.measure(GENERATOR, share=0.9, samples=400)
    found = find(WS, along, 0.999, healthy=region)
    moved = WS + torch.from_numpy(found.strengths).float()[:, None, None] * torch.from_numpy(along.vector)
    distances = region.distance(moved, GENERATOR)
    bound = np.maximum(region.typicality.quantile(0.9), region.distance(WS, GENERATOR))
    assert (distances <= bound * 1.01).all() and not found.reached.all()
    held = np.flatnonzero(~found.reached)
    at_limit = WS + torch.from_numpy(found.limits).float()[:, None, None] * torch.from_numpy(along.vector)
    np.testing.assert_allclose(region.distance(at_limit, GENERATOR)[held], bound[held], rtol=0.01)
    in_s = HealthyRegion.measure(GENERATOR, "s", samples=400)
    styled, _ = in_space("s")
    assert (find(WS, styled, 0.999, healthy=in_s).limits < 9).all()
    with pytest.raises(UserError, match="measure a healthy region of space s"):
        find(WS, styled, 0.9, healthy=region)


@pytest.mark.parametrize(
    ("target", "scorer", "attribute", "message"),
    [
        (90.0, SCORER, "mouth", "above 0 and below 1, such as 0.9, not at 90"),
        (float("nan"), SCORER, "mouth", "finite"),
        (0.9, SCORER, "smile", "no score is called 'smile'"),
        (
            0.9,
            FunctionScorer(("a",), lambda images: images.mean((1, 2, 3)) * torch.nan),
            "a",
            "a is unknown of every face",
        ),
    ],
)
def test_what_cannot_be_a_target_is_refused(target, scorer, attribute, message):
    with pytest.raises(UserError, match=message):
        strength_for(WS, direction(), target, RENDERER, scorer, attribute, progress=False)


@pytest.mark.parametrize("settings", [{"cap": 0.0}, {"ranges": float("inf")}, {"renders": 2}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UserError, match=r"above 0|3 renders"):
        StrengthSettings(**settings)


# --- files --------------------------------------------------------------------------------------------------


def test_each_seed_is_written_at_its_own_strength(tmp_path):
    components = Components.load(GENERATOR, SCORER, device="cpu")
    settings = SeedSettings(attribute="mouth", target=0.9, search=StrengthSettings(cap=0.2))
    table = edit_seeds([600, 601, 602], direction(), None, components, settings, tmp_path, progress=False)
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [f"seed00060{k}_{name}.png" for k in range(3) for name in ("+0", "target0.9")]
    stored = EditTable.load(tmp_path / "edits.parquet")
    found = strength_for(
        WS[:3], direction(), 0.9, Renderer(GENERATOR, 64), SCORER, "mouth", settings.search, progress=False
    )
    np.testing.assert_allclose(stored.strengths, np.stack([np.zeros(3), found.strengths], 1), atol=1e-6)
    np.testing.assert_array_equal(stored.reached, found.reached)
    assert 0 < stored.reached.sum() < 3
    reached = np.flatnonzero(stored.reached)
    assert (table.column("mouth")[reached, 1] >= 0.9 - 1e-4).all()
    shown = SCORER(load_image(tmp_path / f"seed00060{reached[0]}_target0.9.png"))[0, MOUTH]
    assert float(shown) == pytest.approx(float(table.column("mouth")[reached[0], 1]), abs=0.02)
    with pytest.raises(UserError, match="give one of the two"):
        edit_seeds([600], direction(), [1.0], components, settings, tmp_path / "no", progress=False)
    with pytest.raises(UserError, match="no score is called 'happy'"):
        edit_seeds([600], direction(), None, components, SeedSettings(target=0.9), tmp_path / "no", progress=False)
    assert not (tmp_path / "no").exists()


# --- all faces alike ----------------------------------------------------------------------------------------


def faces_without(count: int = 20, start: int = 1000) -> SampleTable:
    """Faces whose mouth's value is negative."""
    seeds = np.arange(start, start + 4 * count)
    w = GENERATOR.mapping(latents_of_seeds(GENERATOR, seeds.tolist(), 0.7)["z"], psi=0.7)[:, 0].numpy()
    scores = SCORER(GENERATOR.synthesis(torch.from_numpy(w)[:, None].repeat(1, 4, 1), resolution=32)).numpy()
    rows = np.flatnonzero(scores[:, MOUTH] < 0.5)[:count]
    table = SampleTable(
        seeds, np.full(len(seeds), 0.7, np.float32), w, scores, SCORER.names, threshold=SCORER.threshold
    )
    return table.subset(rows)


class Counted:
    """The scorer, which counts its images and may be stopped."""

    def __init__(self, most: int = 10**9) -> None:
        self.names, self.fingerprint, self.threshold = SCORER.names, SCORER.fingerprint, SCORER.threshold
        self.most, self.images = most, 0

    def __call__(self, images):
        self.images += len(images)
        if self.images > self.most:
            raise KeyboardInterrupt
        return SCORER(images)


def test_equal_strengths_change_as_many_faces_as_the_truth_says(tmp_path):
    faces = faces_without()
    values = GENERATOR.values(faces.w)[:, MOUTH]
    along, at_angle, across = direction(), direction("stripe"), direction("warmth")
    directions = {"mouth": along, "stripe": at_angle, "warmth": across}
    settings = EqualSettings(folder=tmp_path, batch_size=20)
    with pytest.raises(KeyboardInterrupt):
        calibrate_equal(directions, faces, 0.75, RENDERER, Counted(150), "mouth", settings, progress=False)
    again, whole = Counted(), Counted()
    found = calibrate_equal(directions, faces, 0.75, RENDERER, again, "mouth", settings, progress=False)
    slopes = {name: float(GENERATOR.slopes[MOUTH] @ one.vector) for name, one in directions.items()}
    needed = np.sort(-values)[14:16]  # fifteen faces of twenty are between these
    for name in ("mouth", "stripe"):
        assert found[name].reached and found[name].share == 0.75
        assert needed[0] - 0.01 <= found[name].strength * slopes[name] <= needed[1] + 0.01
        assert found[name].response(found[name].strength) == 0.75
    assert not found["warmth"].reached and abs(slopes["warmth"]) < 1e-6
    fresh = calibrate_equal(
        directions, faces, 0.75, RENDERER, whole, "mouth", EqualSettings(batch_size=20), progress=False
    )
    assert fresh == found and again.images == whole.images - 140
    few = faces.subset(np.arange(9))
    for others, other_faces, share, message in [
        ({"mouth": at_angle}, faces, 0.75, "whose direction is"),
        (directions, few, 0.75, "whose faces is"),
        (directions, faces, 1.5, "a share above 0 up to 1"),
        ({"mouth": replace(along, generator="0" * 64)}, faces, 0.75, "was learnt on generator"),
    ]:
        with pytest.raises(UserError, match=message):
            calibrate_equal(others, other_faces, share, RENDERER, SCORER, "mouth", settings, progress=False)


def test_the_range_comes_with_the_share_of_faces_that_changed(tmp_path):
    seeds = np.arange(2000, 2060)
    w = GENERATOR.mapping(latents_of_seeds(GENERATOR, seeds.tolist(), 0.7)["z"], psi=0.7)[:, 0].numpy()
    scores = SCORER(GENERATOR.synthesis(torch.from_numpy(w)[:, None].repeat(1, 4, 1), resolution=32)).numpy()
    train = SampleTable(seeds, np.full(60, 0.7, np.float32), w, scores, SCORER.names, threshold=SCORER.threshold)
    along = direction()
    reach = calibrate_reach(train, "mouth", along, RENDERER, SCORER, 12, progress=False)
    values, slope = GENERATOR.values(w)[:, MOUTH], float(GENERATOR.slopes[MOUTH] @ along.vector)
    for sign in (1, -1):
        other = values[sign * values < 0][:12]
        for strength, share in zip(reach.response.strengths, reach.response.values, strict=True):
            if sign * strength > 0:
                assert share == np.mean(sign * (other + slope * strength) > 0)
    assert reach.changed_towards == reach.changed_away == 1
    assert (reach.response.strengths[0], reach.response.strengths[-1]) == (reach.away, reach.towards)
    told = reach.calibrated(along)
    assert (told.response, told.strength_range) == (reach.response, (reach.away, reach.towards))
    assert replace(reach, changed_away=0.9).calibrated(along).strength_range is None
    stored = json.loads(json.dumps(reach.to_dict()))
    assert checked(stored, type(reach), "reach.json") == reach
    earlier = {"towards": 1.0, "away": -1.0}  # as earlier versions wrote it
    assert checked(earlier, type(reach), "reach.json").response is None
