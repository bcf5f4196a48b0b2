"""What is said of an edit."""

from dataclasses import replace

import numpy as np
import pytest

from latentlab.directions import Direction
from latentlab.pipelines.photos.verdicts import check_edit, check_strength
from latentlab.pipelines.strengths import FaceStrengths
from latentlab.pipelines.targets import ScoreTarget

SMILE = Direction(np.eye(4, dtype=np.float32)[0], "smile", "made up", strength_range=(-2.0, 4.0))
NAN = float("nan")


def checks(strength, before, after, identity=0.9, direction=SMILE, attribute="happy", search=None):
    found = check_edit(strength, (before, after), identity, direction, attribute, search)
    found += check_strength(strength, direction)
    return {check.name: check for check in found}


def searched(target, after):
    one = np.ones(1)
    reached = np.array([after >= target if target > 0.5 else after <= target])
    return FaceStrengths("happy", ScoreTarget(target), 6 * one, 0.1 * one, after * one, reached, 6 * one, 8 * one)


def test_an_edit_that_does_what_it_should_is_good():
    found = checks(3.0, 0.1, 0.95)
    assert {check.verdict for check in found.values()} == {"good"} and list(found) == ["effect", "identity", "strength"]
    assert found["effect"].value == pytest.approx(np.log(0.95 / 0.05) - np.log(0.1 / 0.9))
    assert found["strength"].value == 0.75


def test_a_laugh_that_stays_is_told():
    found = checks(-2.0, 0.99, 0.988)["effect"]
    assert found.verdict == "poor" and found.cause.startswith("happy went from 0.99 to 0.99")
    assert "give a larger strength" in found.told


def test_the_way_that_counts_is_that_of_the_score():
    age = replace(SMILE, attribute="age", statistics={"score": "young, reversed"})
    assert checks(3.0, 0.9, 0.1, direction=age, attribute="young")["effect"].verdict == "good"
    assert checks(3.0, 0.1, 0.9, direction=age, attribute="young")["effect"].verdict == "poor"
    assert checks(-2.0, 0.9, 0.1)["effect"].verdict == "good"


def test_a_score_that_was_there_has_nowhere_to_go():
    assert checks(2.0, 0.99, 0.98)["effect"].verdict == "good"


def test_a_target_that_is_not_reached_is_told_with_the_way_to_it():
    assert checks(6.0, 0.1, 0.95, search=searched(0.9, 0.95))["effect"].verdict == "good"
    assert checks(6.0, 0.1, 0.92, search=searched(0.9, 0.85))["effect"].verdict == "good", "it is there in the photo"
    short = checks(6.0, 0.1, 0.5, search=searched(0.9, 0.5))["effect"]
    assert short.verdict == "fair" and "short of 0.9; give a larger --cap" in short.told
    assert checks(6.0, 0.1, 0.12, search=searched(0.9, 0.12))["effect"].verdict == "poor"


def test_another_person_and_a_face_that_is_pushed_are_told():
    found = checks(7.0, 0.1, 0.99, identity=0.4)
    assert found["identity"].verdict == "poor" and "less strength" in found["identity"].told
    assert found["strength"].verdict == "poor" and "beyond +4" in found["strength"].cause
    assert checks(-3.0, 0.9, 0.1)["strength"].verdict == "fair"


def test_what_is_unknown_is_not_judged():
    assert list(checks(2.0, NAN, 0.5, identity=NAN)) == ["strength"]
    assert list(checks(2.0, 0.1, 0.9, attribute=None)) == ["identity", "strength"]
    assert list(checks(0.0, 0.1, 0.1)) == ["identity"]
