"""A direction and its card, on disk and off it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import save_file

from latentlab.directions import Direction, LinearSVM, cosine, evaluate, load_direction
from latentlab.directions.teaching import Teacher, teacher_of, with_teacher
from latentlab.errors import UserError
from tests.latentlab.directions.made_up import DIM, make, population, unequal, unit


def test_a_direction_comes_back_from_its_file(tmp_path):
    direction = make(layers=(2, 3), space="w+")
    direction.save(tmp_path / "a.safetensors")
    back = Direction.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.vector, direction.vector)
    assert replace(back, vector=direction.vector).__dict__ == direction.__dict__


def test_the_calibrated_range_comes_back_and_shows(tmp_path):
    direction = make(strength_range=(-1.5, 2.25))
    direction.save(tmp_path / "a.safetensors")
    back = Direction.load(tmp_path / "a.safetensors")
    assert back.strength_range == (-1.5, 2.25)
    assert (-back).strength_range == (-2.25, 1.5)
    assert "| strength range | -1.5 to 2.25 |" in back.card()
    assert "| strength range | unknown |" in make().card()


def test_the_card_says_which_score_taught_and_whether_it_was_turned_round():
    statistics = {"held_out_auc": 0.9, "held_out_n": 10, "held_out_n_positive": 7}
    young = with_teacher(make(statistics=statistics), Teacher("attributes:young"))
    assert "| learnt from | attributes:young |" in young.card()
    old = -young
    assert teacher_of(old) == Teacher("attributes:young", reversed=True)
    assert "| learnt from | attributes:young, reversed: it falls along the direction |" in old.card()
    assert old.statistics["held_out_n_positive"] == 3 and old.statistics["held_out_auc"] == 0.9
    assert (-old).statistics == young.statistics
    assert teacher_of(-make()) is None and "| learnt from | unknown |" in make().card()


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
        ({"strength_range": (1.0, 2.0)}, "a negative and a positive strength"),
        ({"strength_range": (-1.0, float("inf"))}, "a negative and a positive strength"),
        ({"strength_range": (-1.0, 0.5, 2.0)}, "a negative and a positive strength"),
    ],
)
def test_impossible_directions_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        make(**change)
    with pytest.raises(UserError, match="of length 1"):
        Direction(np.ones(4, dtype=np.float32), "happy", "m")
    with pytest.raises(UserError, match="of length 1"):
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


def test_a_direction_shows_itself():
    direction = make()
    assert repr(direction) == "Direction('happy', 'LinearSVM', 'w', shape (24,))"
    assert direction._repr_markdown_() == direction.card()


# --- a row for each layer -----------------------------------------------------------------------------------


def test_a_row_a_layer_comes_back_from_its_file(tmp_path):
    direction = Direction(unequal(), "happy", "m", "w+", sigma=0.5, intercept=1.0)
    direction.save(tmp_path / "a.safetensors")
    back = load_direction(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(back.vector, direction.vector)
    assert replace(back, vector=direction.vector).__dict__ == direction.__dict__
    assert "3 rows of 24 numbers" in back.card()
    np.testing.assert_array_equal((-back).vector, -direction.vector)
    assert (-back).intercept == -1.0


@pytest.mark.parametrize(
    ("rows", "change", "message"),
    [
        (unequal(), {"space": "w"}, "of space w"),
        (unequal(), {"layers": (0, 1)}, "takes no layers"),
        (2 * unequal(), {}, "longest row has length 1"),
        (unequal()[None], {}, "longest row has length 1"),
        (0 * unequal(), {}, "longest row has length 1"),
    ],
)
def test_impossible_rows_are_refused(rows, change, message):
    with pytest.raises(UserError, match=message):
        Direction(rows, **{"attribute": "happy", "method": "m", "space": "w+", **change})


def test_rows_must_fit_the_generator(tiny):
    fits = Direction(unequal(tiny.num_ws, tiny.w_dim), "happy", "m", "w+")
    fits.check(tiny, force=True)
    with pytest.raises(UserError, match="has 3 rows, the generator's ws have 6 rows.*--layers all"):
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
    found = direction.orthogonal_to(condition, -condition)
    assert abs(cosine(found, condition)) < 1e-5
    rest = direction.vector.ravel() - cosine(direction, condition) * np.linalg.norm(
        direction.vector
    ) * condition.vector.ravel() / np.linalg.norm(condition.vector)
    assert cosine(found.vector, rest.reshape(3, DIM)) == pytest.approx(1)
    assert found.statistics["left"] == pytest.approx(np.linalg.norm(rest) / np.linalg.norm(direction.vector), rel=1e-5)
    with pytest.raises(UserError, match="its length is 2x24, not 3x24"):
        direction.orthogonal_to(Direction(unequal(2), "short", "m", "w+"))
    with pytest.raises(UserError, match="its space is w, not w"):
        direction.orthogonal_to(make(generator=None))


# --- conditions ---------------------------------------------------------------------------------------------


@given(arrays(np.float64, (4, 12), elements=st.floats(-1, 1)))
def test_a_conditional_direction_is_orthogonal_to_its_conditions_and_nearest_to_what_it_was(rows):
    rows = rows + 2 * np.eye(4, 12)  # of no length 0, not even where a number is -1
    direction, conditions = unit(rows[0] + np.eye(1, 12, 11)[0] * 3), [unit(row) for row in rows[1:]]
    found = direction.orthogonal_to(*conditions).vector.astype(np.float64)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    stacked = np.stack([condition.vector for condition in conditions]).astype(np.float64)
    basis, values, _ = np.linalg.svd(stacked.T, full_matrices=False)
    basis = basis[:, values > 1e-4]
    assert np.abs(basis.T @ found).max() < 1e-3
    rest = direction.vector - basis @ (basis.T @ direction.vector)
    assert found @ rest / np.linalg.norm(rest) > 0.999


def test_a_conditional_directions_card():
    smile = unit(
        [1, 1, 0],
        "smile",
        generator="g",
        sigma=2.0,
        intercept=1.0,
        strength_range=(-1, 2),
        statistics={"held_out_auc": 0.9, "n_train": 7},
    )
    young = unit([0, 1, 0], "young", generator="g")
    found = smile.orthogonal_to(young, young)  # twice the same is no more than once
    assert found.vector == pytest.approx([1, 0, 0], abs=1e-6)
    assert (found.attribute, found.method, found.generator) == ("smile", "made up across young, young", "g")
    assert found.sigma == 2.0 and found.intercept is None, "the plane is unknown, as that of the condition is"
    assert found.statistics == {"n_train": 7, "left": pytest.approx(0.5**0.5, rel=1e-6)}
    assert found.strength_range == pytest.approx((-(2**0.5), 2 * 2**0.5))
    assert smile.orthogonal_to() is smile


def test_conditions_that_do_not_fit_are_told():
    smile = unit([1, 1, 0], "smile", generator="g")
    with pytest.raises(UserError, match="nothing is left of smile across a, b"):
        smile.orthogonal_to(unit([1, 0, 0], "a", generator="g"), unit([1, 2, 0], "b", generator="g"))
    for other, message in [
        (unit([1, 0, 0], "a", generator="h"), "its generator is h, not g"),
        (unit([1, 0, 0], "a", generator="g", layers=(1,)), "its layers is"),
        (unit([1, 0], "a", generator="g"), "its length is 2, not 3"),
    ]:
        with pytest.raises(UserError, match=message):
            smile.orthogonal_to(other)
