"""Related attributes: data, and what refuses lists that name unknown ones."""

import json

import pytest

from latentlab.errors import UserError
from latentlab.faces.regions import mean_region, region_of
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
        ({"a": ["c"]}, "own.json: the list of 'a' names 'c', which is unknown"),
        ({"a": ["a"]}, "names 'a' itself"),
        (["a"], "holds no related attributes"),
    ):
        path.write_text(json.dumps(lists))
        with pytest.raises(UserError, match=message):
            load_related(path)


def test_regions_lie_where_they_are_called_so():
    named = {region_of(attribute) for attribute in load_attributes().names} - {None}
    assert region_of("happy") == region_of("smiling") == "mouth" and region_of("young") is None
    rows = {}
    for name in named:
        middle = (mean_region(name, 128)[0, 0] > 0).nonzero().float().mean(dim=0)
        rows[name], column = middle.tolist()
        assert 58 < column < 70, name
        assert (mean_region(name, 128) <= mean_region("face", 128)).float().mean() > 0.98
    assert rows["eyes"] < rows["nose"] < rows["mouth"] < 128
