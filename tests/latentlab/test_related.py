"""Related attributes: data, and what refuses lists that name unknown ones."""

import json

import pytest

from latentlab.errors import UserError
from latentlab.faces.means import mean_landmarks
from latentlab.faces.regions import face_region, regions_of, usual_region
from latentlab.metrics import Leakage
from latentlab.scorers import EXPRESSIONS, load_attributes, load_related, related

ONE_WAY = {"wearing_hat", "male", "eyeglasses", "bald", "young"}  # what comes with them does not bring them


def test_every_attribute_of_the_shipped_classifier_has_a_list():
    names = load_attributes().names
    for name in (*names, *EXPRESSIONS):
        assert name not in related(name) and set(related(name)) <= set(names)
    assert related("happy") == tuple(sorted(("smiling", *related("smiling"))))
    assert "mouth_slightly_open" in related("smiling") and related("grin") == ()
    assert related("smiling", ("narrow_eyes", "male")) == ("narrow_eyes",)


def test_lists_name_each_other_but_for_those_that_go_one_way():
    names = load_attributes().names
    lonely = {one for one in names for other in related(one) if one not in related(other)}
    assert lonely <= ONE_WAY


def test_a_list_that_names_an_unknown_attribute_is_refused(tmp_path):
    with pytest.raises(UserError, match="related attributes name grin, which is unknown; there are"):
        Leakage(load_attributes(), "smiling", ["grin"])
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"a": ["b"], "b": []}))
    assert load_related(path) == {"a": ("b",), "b": ()}
    for lists, message in (
        ({"a": ["c"]}, "own.json: the list of a names c, which is unknown"),
        ({"a": ["a"]}, "names a itself"),
        (["a"], "holds no related attributes"),
    ):
        path.write_text(json.dumps(lists))
        with pytest.raises(UserError, match=message):
            load_related(path)


def test_regions_lie_where_they_are_called_so():
    names = {name for attribute in load_attributes().names for name in regions_of(attribute)}
    middles = {}
    for name in (*names, "face"):
        rows, columns = (usual_region([name], 128)[0, 0] > 0).nonzero().float().mean(dim=0).tolist()
        middles[name] = rows
        assert 58 < columns < 70, name
    assert middles["brows"] < middles["eyes"] < middles["nose"] < middles["lower face"] < middles["mouth"]
    face, mouth = usual_region(["face"], 128), usual_region(["mouth"], 128)
    assert (mouth <= face).all() and 0.15 < face.mean() < 0.5 and 0.01 < mouth.mean() < 0.06
    both = face_region(mean_landmarks() * 128, 128, ["mouth", "eyes"])
    assert both.sum() == mouth.sum() + usual_region(["eyes"], 128).sum()
    with pytest.raises(UserError, match="no region of a face is called 'hair'; there are mouth"):
        usual_region(["hair"], 64)
