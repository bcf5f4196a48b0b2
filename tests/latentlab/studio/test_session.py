"""What a session holds: an edit, the way back, and faces."""

import math

import pytest

from latentlab.errors import UserError
from latentlab.studio.faces import Mix, SeedFace
from latentlab.studio.session import GESTURE_SECONDS, Edit, History, Session


def after(*steps):
    """A history of edits by their strengths and times."""
    history = History()
    for strengths, now in steps:
        history = history.to(Edit.of(strengths), now)
    return history


def test_an_edit_holds_what_is_moved():
    edit = Edit.of({"smile": 2, "age": 0.0, "beard": -1})
    assert edit.strengths == (("beard", -1.0), ("smile", 2.0))
    assert (edit.strength("age"), edit.strength("smile")) == (0, 2)


@pytest.mark.parametrize(("strengths", "layers"), [({"smile": math.nan}, None), ({"a": math.inf}, None), ({}, (3, 2))])
def test_an_impossible_edit_is_refused(strengths, layers):
    with pytest.raises(UserError):
        Edit.of(strengths, layers)


def test_a_slider_on_its_way_is_one_step():
    history = after(({"smile": 1}, 0.0), ({"smile": 2}, 0.5), ({"smile": 3}, 1.0))
    assert history.present.strength("smile") == 3
    assert history.undone().present == Edit()


def test_another_slider_and_a_pause_are_steps_of_their_own():
    history = after(({"smile": 1}, 0.0), ({"smile": 1, "age": 2}, 0.1), ({"smile": 1, "age": 5}, 9.0))
    ages = []
    while history.past:
        history = history.undone()
        ages.append(history.present.strength("age"))
    assert ages == [2, 0, 0]


def test_a_move_after_an_undo_is_a_step():
    history = after(({"smile": 1}, 0.0)).undone().to(Edit.of({"smile": 2}), 0.1)
    assert history.undone().present == Edit()


def test_nothing_moved_is_no_step():
    history = after(({"smile": 1}, 0.0))
    assert history.to(history.present, GESTURE_SECONDS + 5) is history


def test_undo_at_the_beginning_changes_nothing():
    assert Session().undone() == Session()


def test_another_face_is_unedited():
    session = Session(SeedFace(1)).to(Edit.of({"smile": 1}), 0.0).pick(SeedFace(2))
    assert session.edit == Edit()
    assert session.undone().edit == Edit()


def test_a_session_without_a_face_says_what_to_do():
    with pytest.raises(UserError, match="pick a face"):
        Session().picked()


@pytest.mark.parametrize(
    "make", [lambda: SeedFace(-1), lambda: SeedFace(2**32), lambda: Mix(1, 4, 3), lambda: SeedFace(1, 0)]
)
def test_impossible_faces_are_refused(make):
    with pytest.raises(UserError):
        make()
