"""Measuring directions: against the known factors, where what leaks is known, and in closed form."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.datasets.known_factors import KnownFactors
from latentlab.directions import Direction
from latentlab.directions.styles import StyleSpace
from latentlab.errors import UserError
from latentlab.metrics import paired_bootstrap
from latentlab.metrics.functional import attribute_changes
from latentlab.pipelines import Components
from latentlab.pipelines.measuring import MeasuredAttribute, Measurement, MeasureSettings, measure_directions
from latentlab.pipelines.measuring.measured_cards import (
    measured_beside,
    measured_columns,
    measured_how,
    measured_table,
    with_measured,
    without_measured,
)
from latentlab.pipelines.measuring.quality import put_back
from latentlab.pipelines.measuring.trails import Trail, monotonicity, one_strength, strength_per_face
from latentlab.samples import SampleStore, SampleTable
from latentlab.scorers import ScorerSet

ATTRIBUTE = MeasuredAttribute("mouth", "teacher:mouth", "judge:mouth", region="mouth")
SETTINGS = MeasureSettings(faces=10, samples=120, resolution=32, shown=2, exchange=False)


class Judge:
    """The known factors by another network: a little more is needed to have one."""

    img_channels, threshold, fingerprint = 3, None, "judge"

    def __init__(self, scorer):
        self.scorer, self.names = scorer, scorer.names

    def __call__(self, images):
        return torch.sigmoid(self.logits(images))

    def logits(self, images):
        return self.scorer.logits(images) - 0.2

    def of(self, *wanted):
        return Judge(self.scorer.of(*wanted))


class Distance(torch.nn.Module):
    """L1, where LPIPS would need weights."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def pyramid(self, images):
        return images

    def between(self, one, other, mask=None):
        weight = torch.ones_like(one[:, :1]) if mask is None else mask.expand(len(one), -1, -1, -1)
        return ((one - other).abs() * weight).mean((1, 2, 3)) / weight.mean((1, 2, 3))


class NoDetector:
    name = "none"

    def __call__(self, image):
        return []


def describe(images):
    """Coarse pixels, as many as a descriptor has numbers."""
    return torch.nn.functional.adaptive_avg_pool2d(images, (8, 8))[:, :2].flatten(1)


@pytest.fixture(scope="module")
def generator():
    return KnownFactors()


def components_of(generator, judge):
    scorers = ScorerSet({"teacher": generator.scorer(), "judge": judge})
    return Components.load(generator, scorers, NoDetector(), describe, Distance())


@pytest.fixture(scope="module")
def components(generator):
    return components_of(generator, Judge(generator.scorer()))


@pytest.fixture(scope="module")
def directions(generator):
    """The normal, one that strays from it, the same reversed, and the only style channel."""
    truth = generator.direction("mouth")
    stray = truth + 0.15 * np.random.default_rng(0).standard_normal(16)
    w = generator.mapping(torch.randn(300, 16, generator=torch.Generator().manual_seed(0)), psi=0.7)[:, 0]
    space = StyleSpace.measure(generator, w.numpy())
    column = space.names.index("{}:{}".format(*generator.channel("mouth")))
    print_of = {"attribute": "mouth", "method": "known", "generator": generator.fingerprint}
    return {
        "truth": Direction(truth.astype(np.float32), **print_of),
        "stray": Direction(-(stray / np.linalg.norm(stray)).astype(np.float32), **print_of),
        "channel": Direction(np.ones(1, np.float32), space="s", channels=space.channels([column]), **print_of),
    }


@pytest.fixture(scope="module")
def measured(directions, components, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    return measure_directions(directions, ATTRIBUTE, components, folder, SETTINGS, progress=False), folder


def test_what_leaks_along_known_directions_is_known(measured, generator):
    found, folder = measured
    role = found.roles[0]
    assert (role.related, role.attributes) == (("mouth",), generator.factors)
    names, matrix = role.matrix("one")
    truth, stray, channel = (dict(zip(generator.factors, matrix[names.index(n)], strict=True)) for n in names)
    others = [name for name in generator.factors if name != "mouth"]
    assert max(channel[name] for name in others) < 1e-3  # nothing else hangs on the channel
    assert max(truth[name] for name in others if name != "stripe") < 1e-3
    samples = SampleStore.load(folder / "samples").table()
    step = generator.slopes @ generator.direction("mouth")  # how far the values move
    step /= generator.values(samples.w).std(axis=0)
    moved = dict(zip(generator.factors, step, strict=True))
    assert truth["stripe"] / truth["mouth"] == pytest.approx(moved["stripe"] / moved["mouth"], rel=0.02)
    assert np.mean([stray[name] for name in others]) > np.mean([truth[name] for name in others])
    leaks = role.row("truth", "one").values["leakage"]
    assert leaks == pytest.approx(np.mean([truth[name] for name in others]), rel=0.05)


def test_all_succeed_alike_and_the_truth_wins(measured):
    found, _ = measured
    role = found.roles[0]
    assert all(row.reached and 0.9 <= row.succeeded.mean() <= 1 for row in role.rows)
    leakage = next(measure for measure in found.measures if measure.name == "leakage")
    beats = role.beats(leakage)
    titles = [(row.direction, row.way) for row in role.rows]
    assert beats[titles.index(("channel", "one")), titles.index(("truth", "one"))]
    assert beats[titles.index(("truth", "one")), titles.index(("stray", "one"))]
    assert not (beats & beats.T).any()
    each, one = role.row("truth", "each"), role.row("truth", "one")
    assert np.ptp(one.strengths) == 0 < np.ptp(each.strengths) and each.strengths.mean() < one.strengths.mean()
    assert each.strengths.max() <= 1.02 * SETTINGS.cap * one.strengths[0]


def test_facts_of_the_truth(measured):
    found, _ = measured
    facts = {one.name: one for one in found.facts}
    assert facts["truth"].auc["teacher:mouth"].mean == 1 and facts["stray"].auc["teacher:mouth"].mean < 1
    assert facts["stray"].reversed and not facts["truth"].reversed and not facts["channel"].reversed
    assert found.roles[0].row("stray", "one").strengths.max() < 0
    assert facts["truth"].rank_correlation["judge:mouth"] == pytest.approx(1)
    shares = facts["truth"].shares["judge:mouth"]
    assert shares[0] == 0 and shares == sorted(shares) and shares[-1] >= 0.9
    assert found.cosines[0, 0] == pytest.approx(1) and 0 < found.cosines[0, 1] < 1  # as measured, not as given


def test_results_are_kept_and_a_stopped_run_resumes_to_the_same(measured, directions, components):
    found, folder = measured
    stored = (folder / "results.json").read_text()
    again = Measurement.load(folder / "results.json")
    assert again.roles[0].row("truth", "each").values["leakage"] == pytest.approx(
        found.roles[0].row("truth", "each").values["leakage"]
    )
    summary = json.loads(stored)["summary"]
    assert len(summary) == 6 and summary[0]["beats"].keys() == {measure.name for measure in found.measures}
    for page in ("report.html", "report.md"):
        text = (folder / page).read_text()
        assert "By nature with it, and no leakage: mouth" in text and "stray (sign reversed)" in text
    (folder / "results.json").unlink()
    next((folder / "parts").glob("channel-*.json")).unlink()
    table = measure_directions(directions, ATTRIBUTE, components, folder, SETTINGS, progress=False)
    kept = json.loads(stored)["roles"]
    assert json.loads(json.dumps(json.loads((folder / "results.json").read_text())["roles"])) == kept
    assert table.seeds.tolist() == found.seeds.tolist()
    with pytest.raises(UserError, match=r"holds a measurement whose success is 0\.9, not 0\.8"):
        measure_directions(directions, ATTRIBUTE, components, folder, replace(SETTINGS, success=0.8), progress=False)


def test_an_attribute_is_measured_the_other_way(measured, directions, components, tmp_path):
    forth, folder = measured
    samples = SampleStore.load(folder / "samples").table()
    away = replace(ATTRIBUTE, towards="negative")
    given = {"channel": -directions["channel"]}
    found = measure_directions(given, away, components, tmp_path, SETTINGS, samples, progress=False)
    assert found.attribute == "not mouth" and replace(away, name="no_beard").title == "beard"
    at = samples.names.index("judge:mouth")
    had = {seed for seed, score in zip(samples.seeds, samples.scores[:, at], strict=True) if score > 0.5}
    assert set(found.seeds) <= had and not set(forth.seeds) & had
    row = found.roles[0].row("channel", "one")
    assert row.reached and row.strengths.min() > 0 and not found.facts[0].reversed
    mouth = found.roles[0].attributes.index("mouth")
    assert (row.changes[:, mouth] < 0).all() and row.lost[mouth] >= 9 and row.gained[mouth] == 0
    with pytest.raises(UserError, match="towards positive or negative, not 'down'"):
        replace(ATTRIBUTE, towards="down")


def test_a_card_takes_what_was_measured(measured, directions):
    found, _ = measured
    card = with_measured(directions["truth"], found, "truth", beside=["stray"])
    table = measured_table(card)
    assert "| leakage |" in table
    assert "10 faces of seeds 50000 to 50119, at equal effect: mouth, judged by judge:mouth" in table
    assert list(measured_columns(card)) == [
        "one strength", "strength per face", "stray, one strength", "stray, strength per face",
    ]  # fmt: skip
    assert measured_beside(card) == ["stray"]
    against = with_measured(directions["stray"], found, "stray")
    assert measured_how(against).endswith("against the direction, at negative strengths")
    assert float(measured_columns(against)["one strength"]["strength"]) < 0
    with pytest.raises(UserError, match="no direction grin was measured; there are truth, "):
        with_measured(directions["truth"], found, "truth", beside=["grin"])
    assert without_measured(card).statistics == directions["truth"].statistics
    assert measured_table(directions["truth"]) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attribute": replace(ATTRIBUTE, related=("grin",))}, "related attributes name grin, which is unknown"),
        ({"settings": replace(SETTINGS, faces=100)}, "samples lack mouth to both .* 100 faces are asked for"),
        ({"attribute": replace(ATTRIBUTE, judge="judge:grin")}, "no score is called 'judge:grin'"),
        ({"directions": {}}, "no direction to measure"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(change, message, measured, directions, components, tmp_path):
    _, folder = measured
    given = {"directions": directions, "attribute": ATTRIBUTE, "settings": SETTINGS, **change}
    samples = SampleStore.load(folder / "samples").table()
    with pytest.raises(UserError, match=message):
        measure_directions(components=components, folder=tmp_path, samples=samples, progress=False, **given)
    assert not list(tmp_path.iterdir())


def test_networks_that_do_not_fit_are_refused(directions, generator, components, tmp_path):
    with pytest.raises(UserError, match="are one network, which may not judge itself"):
        measure_directions(directions, ATTRIBUTE, components_of(generator, generator.scorer()), tmp_path)
    with pytest.raises(UserError, match="may not judge: a:x and a:y are of one"):
        MeasuredAttribute("x", "a:x", "a:y")
    foreign = {"other": replace(directions["truth"], generator="0" * 64)}
    with pytest.raises(UserError, match="was learnt on generator 000000000000"):
        measure_directions(foreign, ATTRIBUTE, components, tmp_path)
    narrow = {"narrow": Direction(np.ones(1, np.float32), "mouth", "known")}
    with pytest.raises(UserError, match="has 1 numbers, the generator's w 16"):
        measure_directions(narrow, ATTRIBUTE, components, tmp_path)


def test_scores_that_are_not_finite_are_refused(directions, components, tmp_path):
    names = components.scorer.names
    scores = np.full((40, len(names)), 0.3, np.float32)
    scores[:20] = 0.7
    table = SampleTable(np.arange(40), np.full(40, 0.7, np.float32), np.zeros((40, 16), np.float32), scores, names)
    scores[3, 1] = np.nan
    with pytest.raises(UserError, match=f"called {names[1]} are not finite"):
        measure_directions(directions, ATTRIBUTE, components, tmp_path, SETTINGS, table)
    scores[:] = 0.7
    with pytest.raises(UserError, match="40 of 40 samples are teacher:mouth, and 2 of each class are needed"):
        measure_directions(directions, ATTRIBUTE, components, tmp_path, SETTINGS, table)


def trail_of(offsets, series, scores=1):
    """Faces whose logits are strength − offset."""
    trail = Trail.begin(np.repeat(-np.array(offsets, dtype=float)[:, None], scores, axis=1))
    for strength in series:
        logits = strength - np.array(offsets, dtype=float)
        trail.add(np.full(len(offsets), float(strength)), np.repeat(logits[:, None], scores, axis=1))
    return trail


def test_strengths_of_equal_effect_in_closed_form():
    offsets = np.arange(1, 11)
    trail = trail_of(offsets, (4, 12, 8), scores=2)
    trail.logits[:, :, 1] -= 0.5  # the judge wants half more than the teacher
    assert one_strength(trail, 0, 0.9) == pytest.approx(9, rel=1e-4)
    assert one_strength(trail, 1, 0.9) == pytest.approx(9.5, rel=1e-4)
    each = strength_per_face(trail, 0, 1, 0.9, limit=20.0)
    assert each == pytest.approx(offsets + 0.5, abs=0.06) and (each > offsets + 0.5).all()
    capped = strength_per_face(trail, 0, 1, 0.9, limit=9.6)
    assert capped == pytest.approx([*(offsets[:9] + 0.5), 9.6], abs=0.06)
    assert monotonicity(trail, 0) == pytest.approx(1)
    assert one_strength(trail_of(offsets, (5.5,)), 0, 0.9) == pytest.approx(5, rel=1e-4)  # where most succeed


def test_paired_differences_are_those_of_the_same_images():
    rng = np.random.default_rng(0)
    base = rng.standard_normal(40)
    values = np.stack([base, base + 1, base + 0.1 * rng.standard_normal(40)], axis=1)
    values[0, 2] = np.nan
    found = paired_bootstrap(values)
    assert found.low[1, 0] == pytest.approx(1) == found.high[1, 0]
    known = values[1:, 0] - values[1:, 2]
    half = 1.96 * known.std() / np.sqrt(39)
    assert found.mean[0, 2] == pytest.approx(known.mean())
    assert (found.high - found.low)[0, 2] == pytest.approx(2 * half, rel=0.15)
    assert found.better(more=True)[1, 0] and not found.better(more=True)[0, 1] and found.better(more=False)[0, 1]


def test_changes_are_counted_in_deviations():
    before, after = np.zeros((2, 3)), np.array([[1.0, -2.0, 1.0], [3.0, 0.0, 1.0]])
    found = attribute_changes(before, after, np.array([2.0, 1.0, 0.0]))
    assert found[:, :2].tolist() == [[0.5, 2.0], [1.5, 0.0]] and np.isnan(found[:, 2]).all()


def test_a_region_is_put_back_whole():
    edited, original = torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64)
    region = torch.zeros(1, 1, 64, 64)
    region[..., 20:30, 20:40] = 1
    found = put_back(edited, original, region)
    assert (found[..., 20:30, 20:40] == 1).all() and (found[..., :14, :] == 0).all() and (found[..., 40:, :] == 0).all()
    assert 0 < found[0, 0, 18, 30] < 1


def test_samples_that_more_scorers_labelled_are_measured_with_all_of_them():
    from latentlab.cli.directions import _scorers

    def table_of(*names):
        return SampleTable(np.arange(2), np.full(2, 0.7), np.zeros((2, 4)), np.zeros((2, len(names))), names)

    smile = MeasuredAttribute.named("smile")
    assert _scorers(smile, None) == "fer,attributes"
    assert _scorers(smile, table_of("fer:happy", "attributes:smiling", "other:young")) == "fer,attributes,other"
    # The order in which they labelled is part of their fingerprint.
    assert _scorers(smile, table_of("attributes:smiling", "fer:happy")) == "attributes,fer"
    assert _scorers(smile, table_of("other:young")) == "fer,attributes"
