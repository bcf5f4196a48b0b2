"""The score that an edit is judged by, where nobody names one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab.directions import Direction, Edits, load_direction
from latentlab.directions.shipped import shipped_directions
from latentlab.directions.teaching import Teacher, teacher_of, with_teacher
from latentlab.errors import UserError
from latentlab.pipelines import Components, PhotoEditSettings, SeedSettings, edit_seeds
from latentlab.pipelines.photos import PHOTO_TARGETS, has_editor
from latentlab.pipelines.photos.job import _goals
from latentlab.pipelines.scoring import scored_by
from latentlab.scorers import FunctionScorer
from tests.conftest import TINY, make_tiny


@pytest.fixture(scope="module")
def components():
    """Networks whose generator is quick, and whose scorer is left open."""
    return Components.load(make_tiny(replace(TINY, resolution=128)), device="cpu")


def direction(generator, attribute: str = "glee", taught_by: str | None = None) -> Direction:
    made = Direction(
        np.eye(generator.w_dim, dtype=np.float32)[0], attribute, "made up", generator=generator.fingerprint
    )
    return made if taught_by is None else with_teacher(made, Teacher(taught_by))


@pytest.mark.parametrize("name", shipped_directions())
def test_shipped_directions_are_judged_by_what_taught_them(components, name):
    shipped = load_direction(name)
    found, attribute = scored_by(components, shipped)
    scorer, _, score = teacher_of(shipped).score.rpartition(":")
    assert (found.scorer_name, attribute) == (scorer, score)
    assert attribute in found.scorer.names
    assert found.generator is components.generator  # it is loaded once
    assert scored_by(components, shipped)[0] is found  # and so is the scorer
    assert scored_by(found, shipped, attribute) == (found, attribute)


def test_a_scorer_or_a_score_that_is_named_stays(components):
    age = load_direction("age")
    chosen = Components.load(components.generator, "fer", device="cpu")
    assert scored_by(chosen, age) == (chosen, "happy")
    assert scored_by(chosen, age, "sad") == (chosen, "sad")
    assert scored_by(components, age, "happy") == (components, "happy")
    bright = Components.load(components.generator, FunctionScorer(("bright",), lambda images: images.mean((1, 2, 3))))
    assert scored_by(bright, age) == (bright, "bright")
    several = Components.load(components.generator, "fer,attributes", device="cpu")
    assert scored_by(several, age) == (several, "attributes:young")


@pytest.mark.parametrize("taught_by", [None, "glee", "mine:glee", "fer:glee", "fer-library:happy\0", "\n:" * 1000])
def test_what_cannot_be_loaded_leaves_the_default(components, taught_by):
    assert scored_by(components, direction(components.generator, "glee", taught_by)) == (components, "happy")


def test_an_attribute_without_a_card_is_judged_by_the_scorer_that_knows_it(components):
    found, attribute = scored_by(components, direction(components.generator, "young"))
    assert (found.scorer_name, attribute) == ("attributes:young", "young")
    found, attribute = scored_by(components, direction(components.generator, "smile"))
    assert (found, attribute) == (components, "happy")
    age, smile = direction(components.generator, "young"), direction(components.generator, "smile")
    assert scored_by(components, Edits(((age, 1.0), (smile, 2.0))))[1] == "young"


def test_photos_are_brought_to_both_ends_of_the_score_that_taught(components):
    young = direction(components.generator, "age", "attributes:young")
    found, attribute = scored_by(components, young)
    goals = _goals(None, young, found, PhotoEditSettings(), attribute)
    assert (goals.attribute, tuple(goals.targets)) == ("young", PHOTO_TARGETS)
    assert not has_editor(young, None, components, PhotoEditSettings())  # none comes with the package


def test_seeds_are_scored_and_searched_by_what_taught_the_direction(components, tmp_path):
    young = direction(components.generator, "age", "attributes:young")
    with torch.inference_mode():
        table = edit_seeds([600], young, [0.0, 1.0], components, SeedSettings(), tmp_path / "series", False)
        aimed = edit_seeds([600], young, None, components, SeedSettings(target=0.5), tmp_path / "aimed", False)
    assert "young" in table.names and "happy" not in table.names
    assert "young" in aimed.names and aimed.reached is not None
    with pytest.raises(UserError, match="no score is called 'yung'"):
        edit_seeds([600], young, None, components, SeedSettings(attribute="yung", target=0.5), tmp_path / "no", False)
