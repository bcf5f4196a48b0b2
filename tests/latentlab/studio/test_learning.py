"""Directions that are learnt from samples, kept, and opened again."""

import threading

import numpy as np
import pytest
import torch
from conftest import make_tiny

from latentlab.errors import UserError
from latentlab.pipelines import Components
from latentlab.scorers import FunctionScorer
from latentlab.studio.learning import FEWEST, learn, learnt, names_learnt, rows_of
from latentlab.studio.working import Cancelled, Finished, Report, Works
from stylegan2 import z_from_seeds


@pytest.fixture(scope="module")
def components(tiny):
    """A tiny generator, and a score that half of its images have."""
    levels = tiny(z_from_seeds(range(100), tiny.z_dim), psi=0.7).mean((1, 2, 3))
    centre, spread = levels.mean(), levels.std()

    def bright(images):
        return torch.sigmoid(2 * (images.mean((1, 2, 3)) - centre) / spread)[:, None]

    return Components.load(tiny, FunctionScorer(("bright",), bright))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("directions")


@pytest.fixture(scope="module")
def found(components, folder):
    return learn("bright", "ridge", 60, components, folder, Report())


def test_what_is_learnt_moves_the_score_and_is_written(components, folder, found):
    generator = components.generator
    moved = found.table.ws(generator.num_ws)[:20] + found.direction.sigma * torch.from_numpy(found.direction.vector)
    scores = components.scorer(generator.synthesis(moved))[:, 0]
    assert scores.mean() > found.table.column("bright")[:20].mean() + 0.1
    assert found.name == "bright-ridge"
    assert found.file.is_file() and found.walk.is_file()
    assert len(found.table) == 60


def test_rows_are_those_of_the_table(found):
    headings, rows = rows_of(found.table, 5)
    assert headings == ["seed", "psi", "bright"]
    assert [row[0] for row in rows] == found.table.seeds[:5].tolist()
    np.testing.assert_allclose([row[2] for row in rows], found.table.column("bright")[:5], atol=5e-4)


def test_samples_are_not_drawn_again(components, folder, found):
    shards = {path: path.stat().st_mtime_ns for path in (folder / "samples-60").glob("*.parquet")}
    titles = []
    works = Works()
    for update in works.follow("me", lambda report: learn("bright", "mean", 60, components, folder, report)):
        titles.append(str(update))
    assert isinstance(update, Finished)
    assert {path: path.stat().st_mtime_ns for path in (folder / "samples-60").glob("*.parquet")} == shards
    assert any(title.startswith("learning bright by mean") for title in titles)


def test_what_was_learnt_is_opened_again(components, folder, found):
    assert "bright-ridge" in names_learnt(folder)
    again = learnt("bright-ridge", folder, components)
    np.testing.assert_array_equal(again.direction.vector, found.direction.vector)
    assert (again.file, again.walk) == (found.file, found.walk)
    assert again.table.seeds.tolist() == found.table.seeds.tolist()
    for name in ("../bright-ridge", "gone", None):
        with pytest.raises(UserError, match="not there any more"):
            learnt(name, folder, components)


def test_a_direction_of_another_generator_is_not_opened(components, folder, found):
    other = make_tiny()
    next(other.parameters()).add_(1)
    with pytest.raises(UserError, match="was learnt on generator"):
        learnt("bright-ridge", folder, Components.load(other, components.scorer))


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
        learn("bright", "mean", 20, components, tmp_path, report)
    assert names_learnt(tmp_path) == []
    assert list((tmp_path / "samples-20").glob("*.parquet"))


@pytest.mark.parametrize(
    ("attribute", "finder", "samples", "said"),
    [
        ("bright", "svm", FEWEST - 1, "from 20 to 5000 samples, not 19"),
        ("happy", "svm", 20, "happy"),
        ("bright", "magic", 20, "magic"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_anything_is_drawn(
    components, tmp_path, attribute, finder, samples, said
):
    with pytest.raises(UserError, match=said):
        learn(attribute, finder, samples, components, tmp_path, Report())
    assert not list(tmp_path.iterdir())
