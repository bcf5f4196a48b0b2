"""Folders that are kept in a store: what is there when, and that a killed command goes on from it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import stylegan2
from latentlab import images, mirroring
from latentlab.comparison import compare
from latentlab.datasets.known_factors import KnownFactors
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.files import LISTENERS, remove, write_text
from latentlab.mirroring import Mirror, mirrored, published, shown
from latentlab.pipelines.measuring import measure_directions
from latentlab.projection.projector import Projector
from tests.conftest import TINY, make_tiny
from tests.latentlab.comparison.test_compare import Add, Brighter
from tests.latentlab.pipelines.test_measuring import ATTRIBUTE, SETTINGS, Judge, components_of
from tests.latentlab.pipelines.test_study import SETTINGS as STUDY_SETTINGS
from tests.latentlab.pipelines.test_study import make_generator, make_scorer, one_thread, run_study
from tests.latentlab.projection.interrupted import kill_at
from tests.latentlab.test_places import files_at, files_in


@pytest.fixture
def address(tmp_path):
    """An address in memory, of this test alone."""
    return f"memory://{tmp_path.name}/run"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An address that outlives a process, and makes folders as stores do."""
    monkeypatch.setenv("FSSPEC_FILE", json.dumps({"auto_mkdir": True}))  # of the processes to come
    monkeypatch.setitem(fsspec.config.conf, "file", {"auto_mkdir": True})
    return f"file://{tmp_path}/store/run"


@pytest.fixture
def written():
    """Names of the files that are written in folders that are kept in a store."""
    names = []

    def note(path):
        for one in mirrored() if path.exists() else ():
            names.append(path.relative_to(one.root).as_posix())

    LISTENERS.append(note)
    yield names
    LISTENERS.remove(note)


# --- what is there, and when --------------------------------------------------------------------------------


def test_each_file_is_there_as_soon_as_it_is_whole(address):
    with pytest.raises(ValueError, match="half"), published(address) as folder:
        write_text(folder / "a.txt", "one")
        assert files_at(address) == {"/a.txt": b"one"}
        write_text(folder / "in" / "b.txt", "two")
        write_text(folder / ".hidden" / "c.txt", "three")
        write_text(folder / "a.txt", "four")
        assert files_at(address) == {"/a.txt": b"four", "/in/b.txt": b"two"}
        remove(folder / "in")
        assert files_at(address) == {"/a.txt": b"four"}
        (folder / "untold.txt").write_text("of another package")
        raise ValueError("half")
    assert files_at(address) == {"/a.txt": b"four"} and not folder.exists() and not mirrored()


def test_the_next_run_begins_with_what_is_wanted_of_it(address):
    with published(address) as folder:
        write_text(folder / "state" / "a.txt", "one")
        (folder / "untold.txt").write_text("two")
    assert files_at(address) == {"/state/a.txt": b"one", "/untold.txt": b"two"}
    with published(address + "/", lambda name: name.startswith("state/")) as folder:
        assert files_in(folder) == {"/state/a.txt": b"one"}
        assert shown(folder / "state") == f"{address}/state" and shown(folder) == address
        assert shown(folder.parent) == str(folder.parent)
        with pytest.raises(UserError, match=f"^{address}/b is in the way"), published(address):
            raise UserError(f"{mirrored()[-1].root}/b is in the way")
    assert set(files_at(address)) == {"/state/a.txt", "/untold.txt"}


def test_a_folder_is_given_as_it_is(tmp_path):
    with published(tmp_path / "run") as folder:
        assert folder == tmp_path / "run" and not mirrored() and shown(folder) == str(folder)


class Flaky(MemoryFileSystem):
    """A store that is out of reach for some time."""

    protocol, down, store, pseudo_dirs = "flaky", False, {}, [""]

    def pipe_file(self, *arguments, **options):
        if Flaky.down:
            raise ConnectionError("no route to host")
        super().pipe_file(*arguments, **options)


@pytest.fixture
def flaky(monkeypatch, tmp_path):
    fsspec.register_implementation("flaky", Flaky, clobber=True)
    monkeypatch.setattr(Flaky, "down", False)
    monkeypatch.setattr(mirroring, "_PAUSE", 0.0)
    return f"flaky://{tmp_path.name}/run"


def test_a_store_that_comes_back_gets_what_it_missed_in_order(flaky):
    with published(flaky) as folder:
        Flaky.down = True
        with pytest.warns(UserWarning, match=f"cannot use {flaky}: no route to host; the work goes on"):
            write_text(folder / "a.txt", "one")
        Flaky.down = False
        write_text(folder / "done.txt", "two")
        names = [name for one in LISTENERS if isinstance(one, Mirror) for name in one._sent]
        assert names == ["a.txt", "done.txt"]
    assert files_at(flaky) == {"/a.txt": b"one", "/done.txt": b"two"}


def test_what_a_store_never_took_is_kept_here(flaky):
    with pytest.raises(UserError, match="no route to host; what is missing there is in ") as error:  # noqa: SIM117
        with published(flaky) as folder:
            Flaky.down = True
            with pytest.warns(UserWarning, match="sent later"):
                write_text(folder / "a.txt", "one")
    kept = Path(re.search(r"is in (\S+)$", str(error.value))[1])
    assert files_in(kept) == {"/run/a.txt": b"one"}
    remove(kept)


# --- the commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("label",), ("smile",), ("project", "a.png"), ("edit", "--direction", "smile"), ("compare", "shapes"),
        ("edit", "--direction", "smile", "--photo", "a.png"), ("directions", "measure", "smile"),
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused_before_any_work(refused, words):
    assert "nowhere://x/y: Protocol not known: nowhere" in refused(*words, "--out", "nowhere://x/y")
    for address in ("s3://", "s3:///run", "gs:/bucket/run"):
        assert f"{address} names no place in a store" in refused(*words, "--out", address)


KILLED = """
import sys
import fsspec.config
from latentlab.files import LISTENERS

fsspec.config.set_conf_env(fsspec.config.conf)  # this test's: what is imported already has read another

pattern, *given = sys.argv[1].split("|")

def wait(path):
    if path.match(pattern):
        print("there", flush=True)
        sys.stdin.read()

LISTENERS.append(wait)
{}
"""

COMPARE = """
from latentlab.comparison import compare
from latentlab.mirroring import published
from tests.latentlab.comparison.test_compare import Add, Brighter

with published(given[0]) as folder:
    compare(Brighter(folder), [Add("third", 1 / 3), Add("half", 0.5)], progress=False)
"""


def test_a_comparison_that_was_killed_goes_on_from_the_store(store, written, tmp_path):
    kill_at(KILLED.format(COMPARE), f"made/half-*/c.png|{store}", "there")
    found = files_at(store)
    assert {name.split("/")[-1] for name in found if "half" in name} == {"amount.json", "done.json", "a.png", "b.png"}
    third, half = Add("third", 1 / 3), Add("half", 0.5)
    with published(store) as folder:
        compare(Brighter(folder), [third, half], progress=False)
    assert (third.learnt, third.applied, half.learnt, half.applied) == (0, 0, 0, 1)
    assert [name for name in written if "third" in name] == []
    compare(Brighter(tmp_path / "plain"), [Add("third", 1 / 3), Add("half", 0.5)], progress=False)
    assert untimed(files_at(store)) == untimed(files_in(tmp_path / "plain"))


STUDY = """
import torch
from tests.latentlab.pipelines.test_study import SETTINGS, make_generator, make_scorer, run_study

torch.set_num_threads(1)
run_study(make_generator(), make_scorer(), SETTINGS, given[0], "the command")
"""


@pytest.mark.slow
def test_a_study_that_was_killed_goes_on_from_the_store(store, written, tmp_path):
    kill_at(KILLED.format(STUDY), f"edits/*-away/part-000.parquet|{store}", "there")
    found = files_at(store)
    assert len([name for name in found if name.startswith("/samples/shard-")]) == 3
    assert "/run.json" in found and not {"/walk.gif", "/report.md"} & found.keys()
    begun = [name for name in found if name.endswith("part-000.parquet")]
    with one_thread():
        run_study(make_generator(), make_scorer(), STUDY_SETTINGS, store, "the command")
        run_study(make_generator(), make_scorer(), STUDY_SETTINGS, tmp_path / "plain", "the command")
    assert begun and not {name.removeprefix("/") for name in begun} & set(written)
    assert files_at(store) == files_in(tmp_path / "plain")


def untimed(files):
    """All but files with seconds in them, of which only the names."""
    return {name: b"" if name.endswith(("done.json", "seconds.json")) else files[name] for name in files}


def test_the_command_compares_into_a_store(run, address):
    words = ["compare", "shapes", "--scenes", 4, "--held-out", 2, "--methods", "nothing", "--out", address]
    code, out, err = run(*words)
    assert code == 0, err
    assert f"The report is {address}/report.html" in out
    first = files_at(address)
    assert {"/manifest.json", "/report.html", "/results.parquet"} < set(first)
    assert run(*words)[0] == 0
    assert untimed(files_at(address)).keys() == first.keys()
    assert files_at(address)["/results.parquet"] == first["/results.parquet"]


def test_directions_are_measured_into_a_store_and_found_again(address, written, tmp_path):
    generator = KnownFactors()
    components = components_of(generator, Judge(generator.scorer()))
    truth = generator.direction("mouth").astype(np.float32)
    named = {"truth": Direction(truth, "mouth", "known", generator=generator.fingerprint)}
    settings = replace(SETTINGS, faces=4, samples=40)
    with pytest.raises(KeyboardInterrupt), published(address) as folder:
        measure_directions(named, ATTRIBUTE, components, folder, settings, progress=StopAfterADirection)
    kept = files_at(address)
    assert [name for name in kept if name.startswith("/parts/")] and "/report.md" not in kept
    written.clear()
    with published(address) as folder:
        measure_directions(named, ATTRIBUTE, components, folder, settings, progress=False)
    assert [name for name in written if name.startswith(("parts/", "samples/"))] == []
    measure_directions(named, ATTRIBUTE, components, tmp_path / "plain", settings, progress=False)
    assert files_at(address).keys() == files_in(tmp_path / "plain").keys()
    plain, found = files_in(tmp_path / "plain"), files_at(address)
    same = [name for name in plain if name.endswith((".png", ".parquet", "measurement.json"))]
    assert all(found[name] == plain[name] for name in same)


class StopAfterADirection:
    """A stage that interrupts when a direction is done."""

    def __init__(self, title, unit="image"):
        self.unit = unit

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def __call__(self, done, total, note=""):
        if self.unit == "direction" and done:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    stylegan2.save(make_tiny(replace(TINY, resolution=32)), path)
    return path


@pytest.fixture(scope="module")
def photos(network, tmp_path_factory):
    """Two aligned faces, as far as a generator without training has any."""
    generator, folder = stylegan2.load(network), tmp_path_factory.mktemp("photos")
    for seed in (1, 2):
        ws = generator.mapping(stylegan2.z_from_seeds([seed], generator.z_dim), psi=0.7)
        images.save_image(generator.synthesis(ws, noise_mode="const"), folder / f"{seed}.png")
    return [folder / "1.png", folder / "2.png"]


COMMAND = """
from latentlab.cli import main

sys.argv = ["latentlab", *given]
main()
"""


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize(
    "words",
    [
        ("project",),
        ("edit", "--direction", "light.safetensors", "--strengths=-1,1", "--batch", "1", "--photo"),
    ],
    ids=["project", "edit"],
)
def test_photos_that_were_killed_go_on_from_the_store(run, store, network, photos, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    vector = np.eye(TINY.w_dim, dtype=np.float32)[0]
    Direction(vector, "light", "made up", generator=stylegan2.load(network).fingerprint).save("light.safetensors")
    given = [photos[0], "--photo", photos[1]] if words[0] == "edit" else photos
    words = [*words, *given, "--aligned", "--steps", "2", "--no-tune", "--network", network, "--device", "cpu"]
    kill_at(KILLED.format(COMMAND), "|".join(map(str, ["2/aligned.png", *words, "--out", store])), "there")
    found = files_at(store)
    assert {"/1/report.json", "/1/projection.safetensors"} <= found.keys() and "/2/aligned.png" not in found
    with monkeypatch.context() as patch:
        patch.setattr(Projector, "_take_step", None)  # none is to be taken again
        code, out, err = run(*words, "--out", store)
    assert code == 0 and f"written to {store}/2" in out, err
    assert run(*words, "--out", tmp_path / "plain")[0] == 0
    plain, command = files_in(tmp_path / "plain"), (str(tmp_path / "plain").encode(), store.encode())
    assert files_at(store) == {name: one.replace(*command) for name, one in plain.items()}


# --- a real server of S3 ------------------------------------------------------------------------------------


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a server on this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3fs = pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    s3fs.S3FileSystem.clear_instance_cache()
    pytest.importorskip("boto3").client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_comparison_that_was_killed_goes_on_from_s3(bucket, run, refused, tmp_path):
    words = ["compare", "shapes", "--scenes", 4, "--held-out", 2, "--methods", "nothing", "--out"]
    address = f"{bucket}/run"
    kill_at(KILLED.format(COMMAND), "|".join(map(str, ["made/*/done.json", *words, address])), "there")
    made = [name.rpartition("/")[2] for name in files_at(address) if name.startswith("/made/")]
    assert len(made) == 2 and "done.json" not in made
    code, out, err = run(*words, address)
    assert code == 0 and f"The report is {address}/report.html" in out, err
    assert run(*words, tmp_path / "plain")[0] == 0
    plain, found = files_in(tmp_path / "plain"), files_at(address)
    assert found.keys() == plain.keys()
    assert all(
        found[name] == one for name, one in plain.items() if name.endswith((".png", ".parquet", "manifest.json"))
    )
    assert "The specified bucket does not exist" in refused(*words, "s3://other/run")
