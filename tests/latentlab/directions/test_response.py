"""Responses to edits: interpolated, reversed, kept in a direction's card."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from latentlab.directions import Direction
from latentlab.directions.response import Response
from latentlab.errors import UserError


def test_a_response_is_interpolated_from_zero_outwards():
    response = Response((0.0, 1.0, 2.0, 4.0), (0.1, 0.3, 0.7, 0.6))
    assert [response(s) for s in (-1.0, 0.0, 1.5, 3.0, 9.0)] == pytest.approx([0.1, 0.1, 0.5, 0.65, 0.6])
    assert response.first_reaching(0.5) == pytest.approx(1.5)
    assert response.first_reaching(0.1) == 0.0 and response.first_reaching(0.71) is None
    assert response.strongest() == 2.0
    assert Response((0.0, 1.0, 1.5, 2.0), (0.0, 0.4, 0.4, 0.2)).strongest() == 1.0


def test_each_side_is_asked_by_itself():
    response = Response((2.0, -1.0, -2.0, -4.0, 1.0), (0.9, 0.1, 0.3, 0.7, 0.2))
    assert response.strengths == (-4, -2, -1, 1, 2)
    assert response.first_reaching(0.5, -1) == pytest.approx(-3.0)
    assert response.first_reaching(0.55) == pytest.approx(1.5)
    assert (response.strongest(-1), (-response).strongest(1)) == (-4.0, 4.0)
    with pytest.raises(UserError, match="no negative strength"):
        Response((1.0,), (0.5,)).strongest(-1)


@pytest.mark.parametrize(("strengths", "values"), [((), ()), ((1.0,), ()), ((1.0, 1.0), (0.0, 1.0))])
def test_what_is_no_series_is_refused(strengths, values):
    with pytest.raises(UserError, match="each of several different strengths"):
        Response(strengths, values)


def test_a_card_keeps_the_response_and_earlier_files_have_none(tmp_path):
    response = Response((-1.0, 0.0, 0.5, 2.0), (1.0, 0.0, 0.25, 1.0))
    found = Direction(np.eye(1, 4, dtype=np.float32)[0], "a", "m", response=response)
    found.save(tmp_path / "a.safetensors")
    assert Direction.load(tmp_path / "a.safetensors").response == response
    assert "100% at -1, 25% at +0.5, 100% at +2" in found.card()
    assert (-found).response == Response((1.0, 0.0, -0.5, -2.0), (1.0, 0.0, 0.25, 1.0))
    other = replace(found, vector=np.array([0.6, 0.8, 0, 0], np.float32), response=None)
    assert found.orthogonal_to(other).response is None
    _rewrite_without(tmp_path / "a.safetensors", "response")
    assert Direction.load(tmp_path / "a.safetensors").response is None


def _rewrite_without(path, field):
    """The file as a version wrote it that did not know a field of the card."""
    import json

    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    (key,) = [key for key, text in metadata.items() if field in text]
    card = json.loads(metadata[key])
    holder = card if field in card else card["card"]
    del holder[field]
    save_file(load_file(path), path, {**metadata, key: json.dumps(card)})
