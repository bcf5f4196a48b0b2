"""Directions that are learnt from samples, kept, and opened again."""

import threading

import numpy as np
import pytest

from latentlab.datasets import KnownFactors
from latentlab.directions import Direction, cosine
from latentlab.errors import UserError
from latentlab.pipelines import Components
from latentlab.studio.learning import FEWEST, headings_of, learn, learnt, names_learnt, rows_of
from latentlab.studio.working import Cancelled, Finished, Report, Works


@pytest.fixture(scope="module")
def components():
    generator = KnownFactors()
    return Components.load(generator, generator.scorer("stripe"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("directions")


@pytest.fixture(scope="module")
def found(components, folder):
    return learn("stripe", "ridge", 200, components, folder, Report())


def test_what_is_learnt_is_what_drives_the_score_and_is_written(components, found):
    truth = Direction(components.generator.direction("stripe"), "stripe", "truth")
    assert cosine(found.direction, truth) > 0.9
    assert found.name == "stripe-ridge"
    assert found.file.is_file() and found.walk.is_file()
    assert len(found.table) == 200


def test_rows_are_those_of_the_table(found):
    assert headings_of(found.table.names) == ["seed", "psi", "stripe"]
    rows = rows_of(found.table, 5)
    assert [row[0] for row in rows] == found.table.seeds[:5].tolist()
    np.testing.assert_allclose([row[2] for row in rows], found.table.column("stripe")[:5], atol=5e-4)


def test_samples_are_not_drawn_again(components, folder, found):
    shards = {path: path.stat().st_mtime_ns for path in (folder / "samples-200").glob("*.parquet")}
    titles = []
    works = Works()
    for update in works.follow("me", lambda report: learn("stripe", "mean", 200, components, folder, report)):
        titles.append(str(update))
    assert isinstance(update, Finished)
    assert {path: path.stat().st_mtime_ns for path in (folder / "samples-200").glob("*.parquet")} == shards
    assert any(title.startswith("learning stripe by mean") for title in titles)


def test_what_was_learnt_is_opened_again(components, folder, found):
    assert "stripe-ridge" in names_learnt(folder)
    again = learnt("stripe-ridge", folder, components)
    np.testing.assert_array_equal(again.direction.vector, found.direction.vector)
    assert (again.file, again.walk) == (found.file, found.walk)
    assert again.table.seeds.tolist() == found.table.seeds.tolist()
    for name in ("../stripe-ridge", "gone", None):
        with pytest.raises(UserError, match="not there any more"):
            learnt(name, folder, components)


def test_a_direction_of_another_generator_is_not_opened(components, folder, found):
    other = KnownFactors(seed=1)
    with pytest.raises(UserError, match="was learnt on generator"):
        learnt("stripe-ridge", folder, Components.load(other, components.scorer))


def test_a_cancelled_learning_is_not_offered_and_goes_on(components, tmp_path):
    report, begun = Report(), threading.Event()
    stage = report.stage

    def once(title, unit="image"):
        if begun.is_set():
            report.cancel()
        begun.set()
        return stage(title, unit)

    report.stage = once
    with pytest.raises(Cancelled):
        learn("stripe", "mean", 20, components, tmp_path, report)
    assert names_learnt(tmp_path) == []
    assert list((tmp_path / "samples-20").glob("*.parquet"))


@pytest.mark.parametrize(
    ("attribute", "finder", "samples", "said"),
    [
        ("stripe", "svm", FEWEST - 1, "from 20 to 5000 samples, not 19"),
        ("happy", "svm", 20, "happy"),
        ("stripe", "magic", 20, "magic"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_anything_is_drawn(
    components, tmp_path, attribute, finder, samples, said
):
    with pytest.raises(UserError, match=said):
        learn(attribute, finder, samples, components, tmp_path, Report())
    assert not list(tmp_path.iterdir())
