"""Thresholds: how they are written, what they label, and scores of any scale from the scorer to the direction."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from latentlab.directions import LinearSVM, MeanDifference, RidgeOnLogit, fit
from latentlab.errors import UserError
from latentlab.pipelines import Components, LabelSettings, label_samples
from latentlab.pipelines.edits import rescore
from latentlab.rendering import Renderer
from latentlab.samples import EditTable, SampleStore, SampleTable, concatenate, split
from latentlab.scorers import FunctionScorer, Threshold, Thresholds, label_scores, parse_threshold, threshold_of
from tests.latentlab.directions.made_up import population

NUMBERS = st.floats(-1e6, 1e6)


def light(images: torch.Tensor) -> torch.Tensor:
    """Mean brightness in 8-bit steps: (b,), 0 … 255, and far from 0 … 1."""
    return 127.5 + 127.5 * images.clamp(-1, 1).mean(dim=(1, 2, 3))


def table_of(scores, **changes) -> SampleTable:
    scores = np.asarray(scores, np.float32).reshape(len(scores), -1)
    n = len(scores)
    names = tuple("abc"[: scores.shape[1]])
    return replace(
        SampleTable(np.arange(n), np.full(n, 0.7, np.float32), np.zeros((n, 2), np.float32), scores, names), **changes
    )


# --- as people write them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "wanted", "text"),
    [
        (128, Threshold(128, 128), "128"),
        (0.1, Threshold(0.1, 0.1), "0.1"),
        ("-0.25", Threshold(-0.25, -0.25), "-0.25"),
        ("1e-3", Threshold(0.001, 0.001), "0.001"),
        ("96, 140.5", Threshold(96, 140.5), "96,140.5"),
        ("median", Threshold(0.5, 0.5, quantiles=True), "median"),
        ("q0.5", Threshold(0.5, 0.5, quantiles=True), "median"),
        ("q0.8", Threshold(0.8, 0.8, quantiles=True), "q0.8"),
        ("q0.3,q0.7", Threshold(0.3, 0.7, quantiles=True), "q0.3,q0.7"),
    ],
)
def test_every_form_is_read_and_written(value, wanted, text):
    found = Threshold.parse(value)
    assert found == wanted == Threshold.parse(found) == Threshold.parse(str(found))
    assert str(found) == text


@given(NUMBERS, NUMBERS)
def test_numbers_are_written_to_the_last_digit(a, b):
    threshold = Threshold(min(a, b), max(a, b))
    assert Threshold.parse(str(threshold)) == threshold


@pytest.mark.parametrize(
    "text",
    ["", "mean", "q", "0.3,q0.7", "0.1,0.2,0.3", "0.7,0.3", "nan", "inf", "q0", "q1.5", "q0.7,q0.3", "median,0.5"],
)
def test_what_is_no_threshold_is_refused(text):
    with pytest.raises(UserError, match="threshold|quantiles"):
        Threshold.parse(text)


@pytest.mark.parametrize(
    ("value", "wanted", "text"),
    [
        ("0.25", Threshold.parse(0.25), "0.25"),
        (" smiling=0.5, young=q0.3,q0.7", {"smiling": "0.5", "young": "q0.3,q0.7"}, "smiling=0.5,young=q0.3,q0.7"),
        ({"fer:happy": 0.5, "young": "median"}, {"fer:happy": 0.5, "young": "median"}, "fer:happy=0.5,young=median"),
    ],
)
def test_each_score_may_have_its_own(value, wanted, text):
    found = parse_threshold(value)
    assert str(found) == text and parse_threshold(text) == found == parse_threshold(found)
    if isinstance(wanted, dict):
        assert all(found.of(name) == Threshold.parse(one) for name, one in wanted.items())
        assert found.of("another") is None


def test_a_threshold_for_all_others_comes_first():
    found = parse_threshold("0.3,0.7,young=0.5")
    assert (found.of("young"), found.of("smiling")) == (Threshold(0.5, 0.5), Threshold(0.3, 0.7))
    assert parse_threshold(str(found)) == found


@pytest.mark.parametrize("text", ["a=", "a=0.5,a=0.6", "=0.5", "a=0.5,b", "0.1,0.2,0.3,a=1", "a=0.5=0.6"])
def test_what_names_no_thresholds_is_refused(text):
    with pytest.raises(UserError, match="threshold"):
        parse_threshold(text)


# --- what they label ----------------------------------------------------------------------------------------


def test_above_is_positive_below_negative_and_between_neither():
    table = table_of([10, 20, 30, 40, 50])
    assert table.labels("a", 30).tolist() == [-1, -1, -1, 1, 1]  # at the threshold it is not above it
    assert table.labels("a", "20,40").tolist() == [-1, 0, 0, 0, 1]
    assert table.labels("a", "median").tolist() == [-1, -1, -1, 1, 1]
    assert table.labels("a", "q0.25,q0.75").tolist() == [-1, 0, 0, 0, 1]
    assert table.is_positive("a", "20,40").tolist() == [False] * 4 + [True]


def test_without_a_threshold_the_largest_score_decides_or_one_half():
    scores = [[0.9, 0.1], [0.2, 0.3], [0.5, 0.4]]
    assert table_of(scores).labels("a").tolist() == [1, -1, 1]
    assert table_of([0.9, 0.5, 0.2]).labels("a").tolist() == [1, -1, -1]
    # With one, each score is judged by itself.
    assert table_of(scores, threshold=Threshold.parse(0.25)).labels("b").tolist() == [-1, 1, 1]


def test_a_resolved_table_labels_its_parts_alike():
    table = table_of(range(100), threshold=Threshold.parse("median"))
    whole, rows = table.labels("a"), np.arange(70, 100)
    np.testing.assert_array_equal(table.resolve("a").subset(rows).labels("a"), whole[rows])
    assert (table.subset(rows).labels("a") == -1).sum() == 15  # unresolved, the median is that of the part
    assert table.resolve("a").threshold == Threshold(49.5, 49.5)
    with pytest.raises(ValueError, match="same threshold"):
        concatenate([table, table.resolve("a")])


def test_scores_with_thresholds_of_their_own_are_labelled_and_resolved_one_by_one():
    scores = np.stack([np.arange(10), np.arange(10)[::-1] * 10, np.arange(10)], axis=1)
    table = table_of(scores, threshold=parse_threshold("a=median,b=20,40"))
    assert table.labels("a").tolist() == [-1] * 5 + [1] * 5
    assert table.labels("b").tolist() == [1] * 5 + [0] * 3 + [-1] * 2
    assert (table.labels("c") == 1).tolist() == [False] * 10  # has none, and is never the largest
    resolved = table.resolve("a")
    assert resolved.threshold == Thresholds((("a", Threshold(4.5, 4.5)), ("b", Threshold(20, 40))))
    assert (resolved.subset(np.arange(3)).labels("a") == -1).all()
    # Asking for another one changes that of this score alone.
    again = resolved.resolve("a", "c=1,a=7")
    assert again.labels("a").sum() == -6 and again.threshold_for("c") is None
    one = table_of(scores, threshold=Threshold.parse("median")).resolve("b")
    assert (one.threshold_for("a"), one.threshold_for("b")) == (Threshold.parse("median"), Threshold(45, 45))
    with pytest.raises(UserError, match="a threshold is given for 'd', and no score is called so; there are a, b, c"):
        table.labels("a", "d=1")


def test_rows_without_a_score_are_neither_and_do_not_move_quantiles():
    table = table_of([1, 2, np.nan, 3, 4, np.nan])
    assert table.labels("a", "median").tolist() == [-1, -1, 0, 1, 1, 0]
    assert table.missing("a").tolist() == [False, False, True, False, False, True]
    found = Threshold(0.5, 0.5).centre(np.array([0.2, np.nan, 0.9]))
    np.testing.assert_allclose(found, [0.2, np.nan, 0.9])
    with pytest.raises(UserError, match="none of its rows has a score"):
        table.subset(table.missing("a")).labels("a", "median")


def test_quantiles_of_nothing_in_particular_are_refused():
    with pytest.raises(UserError, match="median is one of a whole table of samples; give a number"):
        label_scores(np.zeros((2, 1), np.float32), ("a",), "a", Threshold.parse("median"))


@given(arrays(np.float64, 12, elements=st.floats(-1e4, 1e4)), st.floats(-1e4, 1e4))
def test_centred_scores_keep_their_order_around_one_half(scores, middle):
    found = Threshold(middle, middle).centre(scores)
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    assert (np.diff(found[np.argsort(scores, kind="stable")]) >= -1e-12).all()
    assert (found[scores > middle] >= 0.5 - 1e-9).all() and (found[scores < middle] <= 0.5 + 1e-9).all()


def test_probabilities_are_centred_as_logits():
    found = Threshold(0.2, 0.2).centre(np.array([0.0, 0.2, 0.5, 1.0]))
    np.testing.assert_allclose(found, [0, 0.5, 0.8, 1])  # odds four times as high


# --- from the scorer to the table ---------------------------------------------------------------------------


def test_a_scorers_threshold_comes_along(tiny, tmp_path):
    """Brightness from 0 to 255: without a threshold nearly all images were positive, and none could be learnt from."""
    plain, own = FunctionScorer(("light",), light), FunctionScorer(("light",), light, threshold="median")
    assert (threshold_of(plain), threshold_of(own)) == (None, Threshold.parse("median"))
    assert plain.fingerprint == own.fingerprint  # the scores are the same
    first = label_samples(Components.load(tiny, plain), LabelSettings(samples=20, precision="float32"), tmp_path)
    assert first.is_positive("light").all()
    for components, threshold in ((Components.load(tiny, own), None), (Components.load(tiny, plain), "median")):
        table = label_samples(components, LabelSettings(samples=20, threshold=threshold, precision="float32"), tmp_path)
        assert table.labels("light").sum() == 0 and (table.labels("light") != 0).all()
        np.testing.assert_array_equal(table.scores, first.scores)
    assert SampleStore.load(tmp_path).table().threshold == Threshold.parse("median")


def test_asking_for_one_leaves_the_scorers_own_to_the_others(tiny, tmp_path):
    both = FunctionScorer(("a", "b"), lambda p: torch.stack([light(p), -light(p)], 1), threshold="median")
    settings = LabelSettings(samples=20, threshold="a=q0.2,q0.8", precision="float32")
    table = label_samples(Components.load(tiny, both), settings, tmp_path)
    low, high = np.quantile(table.column("a").astype(np.float64), [0.2, 0.8])
    np.testing.assert_array_equal(table.labels("a") == 0, (table.column("a") >= low) & (table.column("a") <= high))
    assert table.labels("b").sum() == 0 and (table.labels("b") == 1).sum() == 10
    again = SampleStore.load(tmp_path).table()
    assert again.threshold == table.threshold and str(again.threshold) == "median,a=q0.2,q0.8"
    with pytest.raises(UserError, match="a threshold is given for 'c', and no score is called so; there are a, b"):
        label_samples(Components.load(tiny, both), LabelSettings(samples=20, threshold="c=1"), tmp_path)


def test_tables_without_a_threshold_still_load(tiny, tmp_path):
    components = Components.load(tiny, FunctionScorer(("light",), light, threshold=130))
    drawn = label_samples(components, LabelSettings(samples=3), tmp_path)
    manifest = json.loads((tmp_path / "_manifest.json").read_text())
    assert manifest.pop("threshold") == "130"
    (tmp_path / "_manifest.json").write_text(json.dumps(manifest))
    assert SampleStore.load(tmp_path).table().threshold is None
    np.testing.assert_array_equal(label_samples(components, LabelSettings(samples=3), tmp_path).scores, drawn.scores)


def test_edits_are_labelled_at_the_numbers_of_their_samples(tiny, tmp_path):
    scorer = FunctionScorer(("light",), light, threshold="median")
    table = label_samples(Components.load(tiny, scorer), LabelSettings(samples=60), tmp_path / "samples")
    learnt = fit(table, "light", "mean").direction
    faces = table.resolve("light").subset(np.arange(4))
    edits = rescore(faces, learnt, [-3.0, 0.0, 3.0], Renderer(tiny, 16), scorer)
    assert edits.threshold == faces.threshold
    np.testing.assert_array_equal(edits.labels("light"), np.where(edits.column("light") > faces.threshold.high, 1, -1))
    each = replace(edits, threshold=parse_threshold("light=0.5,0.75"))
    each.save(tmp_path / "edits.parquet")
    assert EditTable.load(tmp_path / "edits.parquet").threshold == each.threshold
    edits.save(tmp_path / "edits.parquet")
    again = EditTable.load(tmp_path / "edits.parquet")
    assert again.threshold == edits.threshold
    replace(edits, threshold=None).save(tmp_path / "edits.parquet")
    assert EditTable.load(tmp_path / "edits.parquet").threshold is None
    with pytest.raises(UserError, match="whole table of samples"):
        replace(edits, threshold=scorer.threshold).is_positive("light")


# --- from the table to the direction ------------------------------------------------------------------------


def steps(n: int = 400, scale: float = 40.0, middle: float = 120.0) -> tuple[SampleTable, np.ndarray]:
    """A table whose single score is `middle` plus `scale` per unit of w along a direction, and that direction."""
    w, scores, truth = population(n, noise=0.3)
    column = middle + scale * np.log(scores / (1 - scores)) / 4
    columns = column[:, None].astype(np.float32)
    table = SampleTable(np.arange(n), np.full(n, 0.7, np.float32), w, columns, ("light",), "g" * 64, "s" * 64)
    return table, truth


@pytest.mark.parametrize("finder", [LinearSVM(C=1.0), MeanDifference(), RidgeOnLogit()], ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("threshold", [120, "median", "q0.3,q0.7"])
def test_a_score_on_another_scale_gives_its_direction(finder, threshold):
    table, truth = steps()
    found = fit(table, "light", finder, threshold=threshold)
    assert found.direction.vector @ truth > 0.6
    assert found.held_out.auc > 0.88 and found.held_out.accuracy > 0.78
    train, test = (table.subset(rows) for rows in split(table))
    resolved = train.resolve("light", threshold)
    labels = replace(test, threshold=resolved.threshold).labels("light")
    assert (found.held_out.n, found.held_out.n_positive) == ((labels != 0).sum(), (labels == 1).sum())
    statistics = found.direction.statistics
    assert Threshold.parse(statistics["threshold"]) == resolved.threshold
    learnt_on = len(train) if finder.target == "scores" else (resolved.labels("light") != 0).sum()
    assert statistics["n_train"] == learnt_on
    assert found.direction.sigma == pytest.approx(found.direction.coordinates(train.w).std(), rel=1e-5)


def test_ridge_has_its_hyperplane_at_the_threshold():
    table, _ = steps()
    for threshold in (100.0, 140.0):
        direction = fit(table, "light", "ridge", threshold=threshold, test_share=0).direction
        side = direction.coordinates(table.w) + direction.intercept > 0
        assert np.mean(side == table.is_positive("light", threshold)) > 0.85


@pytest.mark.parametrize(
    ("middle", "method", "words"),
    [
        (120.0, "svm", r"the training rows have \d+ positive and 0 negative labels of light.* its scores go from -?\d"),
        (
            -500.0,
            "mean",
            r"have 0 positive and \d+ negative.*median at -5\d\d.*threshold=\"median\" \(--thr",
        ),
        (120.0, "ridge", r"needs scores from 0 to 1, and these go from .* \(--threshold median"),
    ],
)
def test_what_to_do_about_another_scale_is_said(middle, method, words):
    table, _ = steps(scale=10.0, middle=middle)
    with pytest.raises(UserError, match=words):
        fit(table, "light", method)
    fit(table, "light", method, threshold="median")  # as the message says


def test_equal_scores_have_no_median_to_propose():
    table, _ = steps(100)
    with pytest.raises(UserError, match="set another threshold, draw more samples") as told:
        fit(replace(table, scores=np.full_like(table.scores, 3.0)), "light", threshold="median")
    assert "--threshold median" not in str(told.value)
