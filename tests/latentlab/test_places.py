"""Samples and studies at an address of an object store: the same files as in a folder."""

from pathlib import Path

import fsspec
import numpy as np
import pytest

from latentlab.errors import UserError
from latentlab.pipelines import Components, LabelSettings, label_samples, study_attribute
from latentlab.places import is_address, place_of
from latentlab.samples import SampleStore
from latentlab.scorers import FunctionScorer
from tests.latentlab.pipelines.test_study import SETTINGS, make_generator, make_scorer
from tests.latentlab.test_samples import brightness

LABELS = LabelSettings(samples=100)


@pytest.fixture
def address(tmp_path):
    """An address in memory, of this test alone."""
    return f"memory://{tmp_path.name}/run"


@pytest.fixture
def components(tiny):
    return Components.load(tiny, FunctionScorer(("bright", "dark"), brightness))


def files_at(address: str) -> dict[str, bytes]:
    system, path = fsspec.core.url_to_fs(address)
    return {name.removeprefix(path): system.cat_file(name) for name in system.find(path)}


def files_in(folder: Path) -> dict[str, bytes]:
    return {f"/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_addresses_are_told_from_folders():
    assert is_address("s3://bucket/run") and is_address("memory://x") and is_address(Path("s3://bucket"))
    assert not any(map(is_address, ("run", "/a/run", "C:/run", "C:\\run", "./a:/b", Path("run"))))


def test_samples_are_the_same_files_and_a_stopped_run_goes_on(components, address, tmp_path):
    label_samples(components, LABELS, tmp_path / "plain", progress=False)
    table = label_samples(components, LABELS, address, progress=False)
    whole = files_in(tmp_path / "plain")
    assert files_at(address) == whole
    place_of(address).remove("shard-00001.parquet")
    system, path = fsspec.core.url_to_fs(address)
    system.pipe_file(f"{path}/shard-00000.parquet", whole["/shard-00000.parquet"][:1000])
    with pytest.warns(UserWarning, match=f"^{address}/shard-00000.parquet is broken"):
        again = label_samples(components, LABELS, address, progress=False)
    assert files_at(address) == whole
    np.testing.assert_array_equal(again.scores, table.scores)
    assert SampleStore.load(address).has_w
    with pytest.raises(UserError, match=f"{address} holds samples whose psi is 0.7, not 1.0"):
        label_samples(components, LabelSettings(samples=100, psi=1.0), address, progress=False)


@pytest.mark.slow
def test_a_study_is_published_when_it_is_done(address, tmp_path):
    components = Components.load(make_generator(), make_scorer())
    study_attribute(components, SETTINGS, tmp_path / "plain", "the command", progress=False)
    study_attribute(components, SETTINGS, address, "the command", progress=False)
    found, plain = files_at(address), files_in(tmp_path / "plain")
    assert {name for name in found if "/_" not in name} == {name for name in plain if "/_" not in name}
    assert found["/samples/shard-00000.parquet"] == plain["/samples/shard-00000.parquet"]
    assert found["/report.md"] == plain["/report.md"]
    with pytest.raises(UserError, match="holds a study whose edited_faces"):
        from dataclasses import replace

        study_attribute(components, replace(SETTINGS, edited_faces=9), address, progress=False)


def test_an_object_is_read_up_to_a_size(address):
    place = place_of(address)
    place.write("a.json", lambda file: file.write(b"[" + b" " * (1 << 24) + b"]"))
    with pytest.raises(UserError, match=f"{address}/a.json is longer than the 16 MiB"):
        place.read_json("a.json", list)
    place.write("b.json", lambda file: file.write(b"[" + b" " * 1000 + b"]"))
    assert place.read_json("b.json", list) == []


def test_bad_addresses_are_refused_in_a_line(refused):
    assert "cannot use nowhere://x/y: Protocol not known: nowhere" in refused("label", "--out", "nowhere://x/y")
    for words in (("generate",), ("walk", "--direction", "smile")):
        assert "is an address, and this command writes to a folder" in refused(*words, "--out", "s3://bucket/a.png")
