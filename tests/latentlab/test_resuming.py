"""What kept work depends on, compared with what is asked for; and files whose card cannot be read."""

import json

import pytest

from latentlab import cards
from latentlab.errors import UserError
from latentlab.resuming import check_same
from stylegan2.errors import CheckpointError

KIND = cards.Kind("latentlab.test", 1, "a test", "write it again")


@pytest.mark.parametrize(
    ("stored", "wanted", "difference"),
    [
        ({"seed": 1}, {"seed": 2}, "seed is 1, not 2"),
        ({"seed": 1, "psi": 0.5}, {"seed": 2, "psi": 0.7}, "seed is 1, not 2, psi is 0.5, not 0.7"),
        ({"plan": {"steps": 4, "seed": 0}}, {"plan": {"steps": 8, "seed": 0}}, "plan.steps is 4, not 8"),
        ({"phases": [{"n": 1}, {"n": 2}]}, {"phases": [{"n": 1}, {"n": 3}]}, "phases[1].n is 2, not 3"),
        ({"names": ["a", "b"]}, {"names": ("a", "c")}, 'names is ["a", "b"], not ["a", "c"]'),
        ({}, {"detector": "dlib5"}, "detector is none, not dlib5"),
        ({"key": "0123456789abcdef" * 4}, {"key": "f" * 64}, "key is 0123456789ab, not ffffffffffff"),
        (
            dict.fromkeys("abcde", 0),
            dict.fromkeys("abcde", 1),
            "a is 0, not 1, b is 0, not 1, c is 0, not 1 and 2 more",
        ),
    ],
)
def test_what_differs_is_named_with_both_values(stored, wanted, difference):
    with pytest.raises(UserError) as caught:
        check_same("out", "a run", stored, wanted)
    assert str(caught.value) == f"out holds a run whose {difference}; ask for the same, or choose another folder"
    check_same("out", "a run", json.loads(json.dumps({**wanted, "of": "a newer version"})), wanted)


def test_a_description_that_is_none_is_refused():
    with pytest.raises(UserError, match="out does not say what it depends on; remove it"):
        check_same("out", "a run", ["seed"], {"seed": 1}, "remove it")


@pytest.mark.parametrize("kind", [UserError, CheckpointError])
def test_an_error_of_the_project_is_not_taken_for_a_broken_card(kind):
    with pytest.raises(kind) as caught, cards.guard("out/x.safetensors", KIND):
        raise kind("out/x.safetensors is of another run")
    assert str(caught.value) == "out/x.safetensors is of another run"
    with pytest.raises(kind) as caught, cards.guard("out/x.safetensors", KIND):
        raise kind("psi must be above 0")
    assert str(caught.value) == "out/x.safetensors: psi must be above 0"


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("epochs"), TypeError("no")])
def test_any_other_is(error):
    with pytest.raises(UserError, match=r"the card in x is broken \(.*\); write it again"), cards.guard("x", KIND):
        raise error
