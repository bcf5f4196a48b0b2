"""Finding a known direction, judging it, and keeping it with its card."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from latentlab.directions import (
    Direction,
    LinearSVM,
    MeanDifference,
    RidgeOnLogit,
    card_figures,
    conditional,
    cosine,
    evaluate,
    fit,
    load_direction,
)
from latentlab.directions.statistics import auc_deviation
from latentlab.editing import edit
from latentlab.errors import UserError
from latentlab.samples import SampleTable, split

DIM = 24
FINDERS = [MeanDifference(), LinearSVM(), LinearSVM(C=1.0), RidgeOnLogit()]


def population(n: int, seed: int = 0, dim: int = DIM, noise: float = 0.0):
    """w with very unequal axes and an offset, and a score that grows along one known direction."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n, dim)) * np.geomspace(2, 0.1, dim) + 3
    truth = np.random.default_rng(99).standard_normal(dim)
    truth /= np.linalg.norm(truth)
    distance = (w - 3) @ truth + noise * rng.standard_normal(n)
    return w.astype(np.float32), 1 / (1 + np.exp(-4 * distance)), truth


def labels(finder, scores):
    return scores if isinstance(finder, RidgeOnLogit) else scores > 0.5


@pytest.mark.parametrize("finder", FINDERS, ids=str)
def test_a_finder_finds_the_known_direction(finder):
    w, scores, truth = population(600)
    test_w, test_scores, _ = population(600, seed=1)
    fitted = clone(finder).fit(w, labels(finder, scores))
    assert np.linalg.norm(fitted.direction_) == pytest.approx(1)
    statistics = evaluate(fitted, test_w, test_scores > 0.5)
    if isinstance(finder, MeanDifference):
        # For a Gaussian the mean difference is the covariance times the normal, not the normal itself.
        expected = np.cov(w.T) @ truth
        assert cosine(fitted.direction_, expected) > 0.99
        assert statistics.auc > 0.8
    else:
        assert cosine(fitted.direction_, truth) > 0.9
        assert statistics.auc > 0.97
        assert statistics.accuracy > 0.93


@pytest.mark.parametrize("finder", FINDERS, ids=str)
def test_the_result_follows_shift_and_scale_of_w(finder):
    w, scores, _ = population(300, noise=0.5)
    y = labels(finder, scores)
    here = clone(finder).fit(w, y)
    there = clone(finder).fit(7 * w - 50, y)
    assert cosine(here.direction_, there.direction_) > 0.9999
    np.testing.assert_allclose(there.decision_function(7 * w - 50), 7 * here.decision_function(w), atol=2e-2)


def test_mean_difference_is_its_definition():
    w = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
    fitted = MeanDifference().fit(w, np.array([False, False, True, True]))
    np.testing.assert_allclose(fitted.direction_, [1, 0])
    np.testing.assert_allclose(fitted.decision_function(w), [-2, -2, 2, 2])


def test_choosing_c_beats_a_c_too_large_where_samples_are_few():
    w, scores, _ = population(300, dim=200, noise=0.6)
    test_w, test_scores, _ = population(2000, seed=1, dim=200, noise=0.6)
    chosen, naive = LinearSVM().fit(w, scores > 0.5), LinearSVM(C=1e4).fit(w, scores > 0.5)
    gain = evaluate(chosen, test_w, test_scores > 0.5).auc - evaluate(naive, test_w, test_scores > 0.5).auc
    assert gain > 0.03
    assert chosen.C_ < 100


@pytest.mark.parametrize("finder", FINDERS[:3], ids=str)
@pytest.mark.parametrize("positive", [0, 30])
def test_one_class_is_refused_with_the_counts(finder, positive):
    w = population(30)[0]
    y = np.full(30, positive == 30)
    counts = f"{positive} positive and {30 - positive} negative"
    with pytest.raises(UserError, match=f"{counts}.*draw more samples"):
        clone(finder).fit(w, y)


def test_other_bad_labels_are_refused():
    w, scores, _ = population(30)
    lone = np.arange(30) == 3
    with pytest.raises(UserError, match="two rows of each class"):
        LinearSVM().fit(w, lone)
    with pytest.raises(UserError, match="boolean"):
        MeanDifference().fit(w, scores)
    with pytest.raises(UserError, match="from 0 to 1"):
        RidgeOnLogit().fit(w, scores * 2)
    with pytest.raises(UserError, match="all scores are 0.3"):
        RidgeOnLogit().fit(w, np.full(30, 0.3))
    with pytest.raises(UserError, match="no direction"):
        MeanDifference().fit(np.ones((30, 4)), lone)


def test_evaluation_agrees_with_its_definitions():
    w, scores, truth = population(200, noise=1.0)
    finder = MeanDifference().fit(w, scores > 0.5)
    y, decision = scores > 0.5, finder.decision_function(w)
    statistics = evaluate(finder, w, y)
    assert statistics.auc == pytest.approx(roc_auc_score(y, decision))
    assert statistics.accuracy == pytest.approx(np.mean((decision > 0) == y))
    assert (statistics.n, statistics.n_positive) == (200, y.sum())
    assert statistics.auc_low < statistics.auc < statistics.auc_high


def test_delong_agrees_with_the_pairwise_definition():
    rng = np.random.default_rng(0)
    y = rng.random(80) < 0.4
    decision = np.round(rng.standard_normal(80) + y, 1)  # rounded, so that there are ties
    wins = np.sign(decision[y][:, None] - decision[~y][None]) / 2 + 0.5  # (m, n)
    m, n = wins.shape
    expected = np.sqrt(wins.mean(1).var(ddof=1) / m + wins.mean(0).var(ddof=1) / n)
    assert auc_deviation(y, decision) == pytest.approx(expected)


def test_the_interval_covers_the_true_auc_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        y = np.arange(120) < 50
        decision = rng.standard_normal(120) + y  # true AUC: Phi(1 / sqrt 2)
        reach = 1.96 * auc_deviation(y, decision)
        hits += abs(roc_auc_score(y, decision) - 0.7602) < reach
    assert 0.90 < hits / 300 < 0.985


def make(**changes) -> Direction:
    vector = np.zeros(DIM, dtype=np.float32)
    vector[3] = 1
    card = {
        "attribute": "happy", "method": "LinearSVM", "sigma": 0.6, "intercept": -0.25,
        "statistics": {"auc": 0.93, "n": 500}, "generator": "abc", "scorer": "def",
    }  # fmt: skip
    return Direction(vector, **{**card, **changes})


def test_a_direction_comes_back_from_its_file(tmp_path):
    direction = make(layers=(2, 3), space="w+")
    direction.save(tmp_path / "a.safetensors")
    back = Direction.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.vector, direction.vector)
    assert replace(back, vector=direction.vector).__dict__ == direction.__dict__


@settings(max_examples=40)
@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e3, 1e3)), st.text(max_size=20))
def test_any_finder_result_survives_the_file(tmp_path_factory, vector, attribute):
    length = np.linalg.norm(vector)
    if length < 1e-3:
        return
    path = tmp_path_factory.mktemp("directions") / "a.safetensors"
    Direction((vector / length).astype(np.float32), attribute, "m").save(path)
    back = Direction.load(path)
    assert back.attribute == attribute
    np.testing.assert_array_equal(back.vector, (vector / length).astype(np.float32))


def test_a_direction_of_a_finder_knows_its_population():
    w, scores, _ = population(200)
    finder = LinearSVM(C=1.0).fit(w, scores > 0.5)
    direction = Direction.of(finder, w, "happy", evaluate(finder, w, scores > 0.5).as_dict(), "g", "s")
    assert direction.method == "LinearSVM"
    assert direction.sigma == pytest.approx(np.std(w @ direction.vector), rel=1e-4)
    np.testing.assert_allclose(w @ direction.vector + direction.intercept, finder.decision_function(w), atol=1e-4)
    assert "| auc |" in direction.card() and "# Direction: happy" in direction.card()
    reversed_ = -direction
    np.testing.assert_allclose(w @ reversed_.vector + reversed_.intercept, -finder.decision_function(w), atol=1e-4)


def test_another_generator_is_refused_unless_forced(tiny):
    vector = np.eye(tiny.w_dim, dtype=np.float32)[0]
    Direction(vector, "happy", "m", generator=tiny.fingerprint).check(tiny)
    for other in (None, "0" * 64):
        stranger = Direction(vector, "happy", "m", generator=other)
        with pytest.raises(UserError, match="learnt on"):
            stranger.check(tiny)
        stranger.check(tiny, force=True)


def test_what_cannot_fit_is_refused_even_if_forced(tiny):
    with pytest.raises(UserError, match=f"{DIM} numbers"):
        make().check(tiny, force=True)
    vector = np.eye(tiny.w_dim, dtype=np.float32)[0]
    with pytest.raises(UserError, match="for layer 99"):
        Direction(vector, "happy", "m", layers=(0, 99)).check(tiny, force=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": "y"}, "space is one of"),
        ({"layers": ()}, "row numbers"),
        ({"layers": (-1,)}, "row numbers"),
    ],
)
def test_impossible_directions_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        make(**change)
    with pytest.raises(UserError, match="length 1"):
        Direction(np.ones(4, dtype=np.float32), "happy", "m")
    with pytest.raises(UserError, match="length 1"):
        Direction(np.full(4, np.nan, dtype=np.float32), "happy", "m")


def broken_files(folder):
    card = {
        "space": "w", "layers": None, "method": "m", "attribute": "a", "statistics": {},
        "sigma": None, "intercept": None, "generator": None, "scorer": None,
    }  # fmt: skip
    unit = {"vector": np.eye(4, dtype=np.float32)[0]}
    good = {"format": "latentlab.direction", "version": "1", "card": json.dumps(card)}
    yield "other", unit, {}
    yield "newer", unit, {**good, "version": "2"}
    yield "no-vector", {"w": unit["vector"]}, good
    yield "not-json", unit, {**good, "card": "{"}
    yield "long", {"vector": np.ones(4, dtype=np.float32)}, good
    yield "no-card", unit, {"format": good["format"], "version": "1"}
    for name, value in [("layers", [None]), ("layers", 3), ("sigma", "x"), ("statistics", {"a": []})]:
        yield f"{name}-{value}", unit, {**good, "card": json.dumps({**card, name: value})}


@pytest.mark.parametrize("index", range(10))
def test_files_that_are_no_direction_are_refused(tmp_path, index):
    name, tensors, metadata = list(broken_files(tmp_path))[index]
    path = tmp_path / "a.safetensors"
    save_file(tensors, path, metadata)
    with pytest.raises(UserError):
        Direction.load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 100])
def test_files_of_another_kind_are_refused(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="a.safetensors"):
        Direction.load(tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="missing"):
        Direction.load(tmp_path / "missing.safetensors")


# --- published ones, and names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["row_512.npy", "row_1x512.npy", "float64.npy", "npz.npz", "rows_equal_18x512.npy", "batch_1x18x512.npy"],
)
def test_one_published_vector_loads_in_every_form(data, name):
    vector = np.load(data / "directions" / "row_512.npy").astype(np.float64)
    direction = load_direction(data / "directions" / name, "smile", generator="g")
    assert (direction.attribute, direction.method, direction.space) == ("smile", "published", "w")
    assert direction.generator == "g"
    np.testing.assert_allclose(direction.vector * direction.statistics["length"], vector, rtol=1e-5)


def test_a_published_torch_file_loads(data):
    path = data / "directions" / "e4e_kind_1x512.pt"
    expected = torch.load(path, weights_only=True)[0].numpy()
    direction = load_direction(path)
    assert direction.attribute == "e4e_kind_1x512" and direction.generator is None
    np.testing.assert_allclose(direction.vector * direction.statistics["length"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["rows_differ_18x512.npy", "rows_zero_18x512.npy"])
def test_rows_that_differ_move_each_its_own_way(data, name):
    rows = torch.from_numpy(np.load(data / "directions" / name))
    direction = load_direction(data / "directions" / name)
    assert direction.space == "w+" and direction.vector.shape == (18, 512)
    ws = torch.randn(2, 18, 512, generator=torch.Generator().manual_seed(0))
    moved = edit(ws, direction, 0.5 * float(direction.statistics["length"]))
    torch.testing.assert_close(moved, ws + 0.5 * rows, atol=1e-5, rtol=1e-5)
    still = rows.abs().sum(1) == 0
    assert torch.equal(moved[:, still], ws[:, still])
    assert ("| layers | all |" in direction.card()) == (not still.any())


def test_other_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    rng = np.random.default_rng(0)
    bad = [np.zeros(8), np.arange(8), np.full(8, np.inf), np.full((3, 8), np.nan), np.zeros((0, 8)), np.float64(1)]
    for array in [*bad, rng.standard_normal((2, 2, 2)), np.array([{}], dtype=object)]:
        np.save(path, array)
        with pytest.raises(UserError, match="a.npy"):
            load_direction(path, "smile")
    for content in (b"\x93NUMPY\x01\x00\x10\x00", b"", b"PK\x03\x04"):
        for name in ("a.npy", "a.npz", "a.pt"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(UserError, match=name):
                load_direction(tmp_path / name, "smile")
    np.savez(tmp_path / "a.npz", one=np.ones(4), two=np.ones(4))
    with pytest.raises(UserError, match="holds 2 arrays"):
        load_direction(tmp_path / "a.npz")
    torch.save({"direction": torch.ones(4)}, tmp_path / "a.pt")
    with pytest.raises(UserError, match="a.pt"):
        load_direction(tmp_path / "a.pt")


def test_a_folder_does_not_hide_a_shipped_direction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smile").mkdir()
    assert load_direction("smile").method == "LinearSVM"
    with pytest.raises(UserError, match="is a folder"):
        load_direction(str(tmp_path))
    (tmp_path / "smile").rmdir()
    make(attribute="grin").save(tmp_path / "smile")
    assert load_direction("smile").attribute == "grin"
    with pytest.raises(UserError, match="says itself"):
        load_direction("smile", attribute="frown")


def test_an_unknown_direction_gets_the_nearest():
    with pytest.raises(UserError, match="no file smlie, .*did you mean smile?"):
        load_direction("smlie")
    with pytest.raises(UserError, match="come with the package: smile"):
        load_direction("out/direction.safetensors")


# --- a row a layer, and components ----------------------------------------------------------------------------


def unequal(num_ws: int = 3, dim: int = DIM, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((num_ws, dim))
    return (rows / np.linalg.norm(rows, axis=1).max()).astype(np.float32)


def test_a_row_a_layer_comes_back_from_its_file(tmp_path):
    direction = Direction(unequal(), "happy", "m", "w+", sigma=0.5, intercept=1.0)
    direction.save(tmp_path / "a.safetensors")
    back = load_direction(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.vector, direction.vector)
    assert replace(back, vector=direction.vector).__dict__ == direction.__dict__
    assert "3 rows of 24 numbers" in back.card()
    np.testing.assert_array_equal((-back).vector, -direction.vector)
    assert (-back).intercept == -1.0


def test_files_of_before_load():
    """A direction that an earlier version wrote."""
    direction = load_direction("smile")
    assert direction.space == "w" and direction.vector.shape == (512,) and direction.layers is None
    assert direction.statistics["n_train"] == 1506


@pytest.mark.parametrize(
    ("rows", "change", "message"),
    [
        (unequal(), {"space": "w"}, "of space w"),
        (unequal(), {"layers": (0, 1)}, "takes no layers"),
        (2 * unequal(), {}, "longest has length 1"),
        (unequal()[None], {}, "longest has length 1"),
        (0 * unequal(), {}, "longest has length 1"),
    ],
)
def test_impossible_rows_are_refused(rows, change, message):
    with pytest.raises(UserError, match=message):
        Direction(rows, **{"attribute": "happy", "method": "m", "space": "w+", **change})


def test_rows_must_fit_the_generator(tiny):
    fits = Direction(unequal(tiny.num_ws, tiny.w_dim), "happy", "m", "w+")
    fits.check(tiny, force=True)
    with pytest.raises(UserError, match="3 rows; the generator has"):
        Direction(unequal(3, tiny.w_dim), "happy", "m", "w+").check(tiny, force=True)


def test_the_cosine_counts_all_rows():
    one, other = unequal(), unequal(seed=1)
    expected = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
    a, b = (Direction(rows, "a", "m", "w+") for rows in (one, other))
    assert cosine(a, b) == pytest.approx(expected, rel=1e-5)
    assert cosine(a, -a) == pytest.approx(-1)
    single = Direction(np.eye(1, DIM, 3, dtype=np.float32)[0], "a", "m")
    equal = Direction(np.tile(single.vector, (3, 1)), "a", "m", "w+")
    assert cosine(single, equal) == pytest.approx(1)
    assert cosine(single, a) == pytest.approx(cosine(equal, a)) == pytest.approx(cosine(a, single))


def test_conditions_of_a_row_a_layer():
    direction, condition = (Direction(unequal(seed=k), f"n{k}", "m", "w+") for k in (0, 1))
    found = conditional(direction, [condition, -condition])
    assert abs(cosine(found, condition)) < 1e-5
    rest = direction.vector.ravel() - cosine(direction, condition) * np.linalg.norm(
        direction.vector
    ) * condition.vector.ravel() / np.linalg.norm(condition.vector)
    assert cosine(found.vector, rest.reshape(3, DIM)) == pytest.approx(1)
    assert found.statistics["left"] == pytest.approx(np.linalg.norm(rest) / np.linalg.norm(direction.vector), rel=1e-5)
    with pytest.raises(UserError, match="its length is 2x24, not 3x24"):
        conditional(direction, [Direction(unequal(2), "short", "m", "w+")])
    with pytest.raises(UserError, match="its space is w, not w"):
        conditional(direction, [make(generator=None)])


class Principal:
    """Principal components of w, as a finder of several directions that looks at w alone."""

    target = None

    def __init__(self, k: int = 2) -> None:
        self.k = k

    def fit(self, w, y=None):
        _, _, rows = np.linalg.svd(w - w.mean(0), full_matrices=False)
        self.components_ = rows[: self.k]
        self.intercept_ = -self.components_ @ w.mean(0)
        return self


class LowerLayers(MeanDifference):
    """The mean difference, for the first two of four layers; the second goes half as far."""

    def fit(self, w, y):
        super().fit(w, y)
        self.direction_ = np.array([1, 0.5, 0, 0])[:, None] * self.direction_
        return self

    def decision_function(self, w):
        return w @ self.direction_[0] + self.intercept_


def test_a_finder_of_components_gives_them_all():
    table = table_of()
    found = fit(table, "w", Principal(3))
    assert [direction.attribute for direction in found.directions] == ["w-0", "w-1", "w-2"]
    assert found.direction is found.directions[0] and found.held_out is None
    train = split(table)[0].sum()
    for direction in found.directions:
        assert direction.statistics == {"n_train": train}
        assert (direction.method, direction.generator) == ("Principal", table.generator)
    sigmas = [direction.sigma for direction in found.directions]
    assert sigmas == sorted(sigmas, reverse=True)
    assert np.mean(found.direction.coordinates(table.w)) + found.direction.intercept == pytest.approx(0, abs=0.1)
    assert Direction.of(Principal().fit(table.w), table.w, "w").attribute == "w-0"


def test_a_finder_may_give_a_row_a_layer():
    table = table_of()
    found = fit(table, "happy", LowerLayers())
    single = fit(table, "happy", "mean")
    assert found.direction.space == "w+"
    np.testing.assert_allclose(found.direction.vector[0], single.direction.vector, rtol=1e-6)
    assert found.held_out == single.held_out
    # 1.5 / 1.25 of the single vector's: the strength that fits both rows best.
    np.testing.assert_allclose(
        found.direction.coordinates(table.w), 1.2 * single.direction.coordinates(table.w), rtol=1e-5
    )
    assert found.direction.sigma == pytest.approx(1.2 * single.direction.sigma)
    assert "| layers | 0, 1 |" in found.direction.card()
    layered = [direction.vector for direction in fit(table, "happy", LowerLayers()).directions]
    assert len(layered) == 1


def test_what_was_not_fitted_has_no_direction():
    with pytest.raises(UserError, match="Principal has no direction_ and no components_"):
        Direction.of(Principal(), population(5)[0], "w")


def test_a_direction_shows_itself():
    direction = make()
    assert repr(direction) == "Direction('happy', 'LinearSVM', 'w', shape (24,))"
    assert direction._repr_markdown_() == direction.card()


# --- conditions ---------------------------------------------------------------------------------------------


def unit(vector, attribute="x", **changes):
    vector = np.asarray(vector, dtype=np.float64)
    return Direction((vector / np.linalg.norm(vector)).astype(np.float32), attribute, "made up", **changes)


@given(arrays(np.float64, (4, 12), elements=st.floats(-1, 1)))
def test_a_conditional_direction_is_orthogonal_to_its_conditions_and_nearest_to_what_it_was(rows):
    rows = rows + np.eye(4, 12)  # of no length 0
    direction, conditions = unit(rows[0] + np.eye(1, 12, 11)[0] * 3), [unit(row) for row in rows[1:]]
    found = conditional(direction, conditions).vector.astype(np.float64)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    stacked = np.stack([condition.vector for condition in conditions]).astype(np.float64)
    basis, values, _ = np.linalg.svd(stacked.T, full_matrices=False)
    basis = basis[:, values > 1e-4]
    assert np.abs(basis.T @ found).max() < 1e-3
    rest = direction.vector - basis @ (basis.T @ direction.vector)
    assert found @ rest / np.linalg.norm(rest) > 0.999


def test_a_conditional_directions_card():
    smile = unit([1, 1, 0], "smile", generator="g", sigma=2.0, intercept=1.0, statistics={"auc": 0.9})
    young = unit([0, 1, 0], "young", generator="g")
    found = conditional(smile, [young, young])  # twice the same is no more than once
    assert found.vector == pytest.approx([1, 0, 0], abs=1e-6)
    assert (found.attribute, found.method, found.generator) == ("smile", "made up across young, young", "g")
    assert found.sigma is None and found.intercept is None
    assert found.statistics == {"left": pytest.approx(0.5**0.5, rel=1e-6)}
    assert conditional(smile, []) is smile


def test_conditions_that_do_not_fit_are_told():
    smile = unit([1, 1, 0], "smile", generator="g")
    with pytest.raises(UserError, match="nothing is left of smile across a, b"):
        conditional(smile, [unit([1, 0, 0], "a", generator="g"), unit([1, 2, 0], "b", generator="g")])
    for other, message in [
        (unit([1, 0, 0], "a", generator="h"), "its generator is h, not g"),
        (unit([1, 0, 0], "a", generator="g", layers=(1,)), "its layers is"),
        (unit([1, 0], "a", generator="g"), "its length is 2, not 3"),
    ]:
        with pytest.raises(UserError, match=message):
            conditional(smile, [other])


# --- from a table ---------------------------------------------------------------------------------------------


def table_of(n: int = 400, names=("happy", "sad")) -> SampleTable:
    w, scores, _ = population(n, noise=0.3)
    columns = np.stack([scores, 1 - scores], axis=1).astype(np.float32)[:, : len(names)]
    return SampleTable(np.arange(n), np.full(n, 0.7, np.float32), w, columns, names, "g" * 64, "s" * 64)


@pytest.mark.parametrize("method", ["svm", "mean", "ridge"])
def test_fitting_is_split_fit_and_evaluate(method):
    table = table_of()
    train, test = split(table)
    learn, judge = table.subset(train), table.subset(test)
    finder = {"svm": LinearSVM, "mean": MeanDifference, "ridge": RidgeOnLogit}[method]()
    finder.fit(learn.w, learn.column("happy") if method == "ridge" else learn.is_positive("happy"))
    expected = evaluate(finder, judge.w, judge.is_positive("happy"))
    found = fit(table, "happy", method)
    np.testing.assert_array_equal(found.direction.vector, finder.direction_.astype(np.float32))
    assert found.held_out == expected
    assert found.direction.statistics == card_figures(len(learn), expected)
    assert (found.direction.attribute, found.direction.method) == ("happy", type(finder).__name__)
    assert (found.direction.generator, found.direction.scorer) == ("g" * 64, "s" * 64)


def test_without_a_test_share_all_rows_are_learnt_on():
    table = table_of()
    finder = LinearSVM(C=1.0)
    found = fit(table, "happy", finder, name="smile", test_share=0.0)
    expected = LinearSVM(C=1.0).fit(table.w, table.is_positive("happy"))
    np.testing.assert_array_equal(found.direction.vector, expected.direction_.astype(np.float32))
    np.testing.assert_array_equal(finder.direction_, expected.direction_)
    assert found.held_out is None
    assert found.direction.attribute == "smile" and found.direction.statistics == {"n_train": 400}


def test_what_cannot_be_fitted_is_told():
    table = table_of()
    with pytest.raises(UserError, match="no score is called 'hapy'"):
        fit(table, "hapy")
    with pytest.raises(UserError, match="no finder is called 'svn'; did you mean svm"):
        fit(table, "happy", "svn")
    with pytest.raises(UserError, match="test_share"):
        fit(table, "happy", test_share=1.0)

    class Untold(MeanDifference):
        target = "probabilities"

    with pytest.raises(UserError, match="Untold must say what it learns from.*not 'probabilities'"):
        fit(table, "happy", Untold())
