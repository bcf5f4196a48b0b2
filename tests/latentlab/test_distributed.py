"""Work on workers, by a real Ray on this machine: the same to the bit as without, whatever dies."""

import filecmp
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import stylegan2
from latentlab import images
from latentlab.comparison import compare
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.mirroring import published
from latentlab.pipelines import (
    Components,
    LabelSettings,
    PhotoEditSettings,
    PhotoSettings,
    SeedSettings,
    check_photos,
    edit_photos,
    edit_seeds,
    label_samples,
    project_photos,
)
from latentlab.pipelines.measuring import measure_directions
from latentlab.pipelines.photos import PhotoResult
from latentlab.pipelines.photos.aligning import WaitingPhoto
from latentlab.pipelines.photos.groups import Group, work_on
from latentlab.projection import DEFAULTS, TuningSettings
from latentlab.samples import SampleStore
from latentlab.scorers import AttributeScorer, FunctionScorer
from latentlab.scorers.attributes.network import AttributeNet
from latentlab.work import run, share_out, working_on
from stylegan2.sampling import z_from_seeds
from tests.conftest import TINY, make_tiny
from tests.latentlab.comparison.test_compare import Add, Brighter, Raises
from tests.latentlab.deadly import Deadly, DeadlyDetector, DeadlyScorer
from tests.latentlab.pipelines.test_measuring import ATTRIBUTE, SETTINGS, Judge, components_of
from tests.latentlab.projection.interrupted import kill_at
from tests.latentlab.test_samples import brightness

ray = pytest.importorskip("ray")

from latentlab.distributed import cluster  # noqa: E402
from latentlab.distributed.actors import Place  # noqa: E402
from latentlab.distributed.addresses import check_reachable  # noqa: E402
from latentlab.distributed.pool import Pool  # noqa: E402
from latentlab.distributed.sending import pack, unpack  # noqa: E402

ROOT = Path(__file__).parents[2]
LABELS = LabelSettings(samples=400, precision="float32")
STORE = 100_000_000  # bytes


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


PORT = free_port()
ENVIRONMENT = {
    "RAY_worker_niceness": "0",
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
}


@pytest.fixture(scope="module", autouse=True)
def running():
    """One Ray for all: four processors, and a GPU that it believes in."""
    patch = pytest.MonkeyPatch()
    for name, value in ENVIRONMENT.items():  # workers have the environment that Ray begins with
        patch.setenv(name, value)
    ray.init("local", num_cpus=4, num_gpus=1, include_dashboard=False, object_store_memory=STORE, log_to_driver=False)
    yield
    ray.shutdown()
    patch.undo()


@pytest.fixture(scope="module")
def two(running):
    """Two workers for all."""
    return Pool(2)


@pytest.fixture
def components(tiny):
    return Components.load(tiny, FunctionScorer(("bright", "dark"), brightness))


def assert_same_files(one: Path, other: Path, but: tuple[str, ...] = ()) -> None:
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file() and path.name not in but)
    found = sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file() and path.name not in but)
    assert names and names == found
    assert filecmp.cmpfiles(one, other, names, shallow=False)[1:] == ([], [])


def stage_into(seen):
    """A stage that keeps whatever is shown."""

    @contextmanager
    def stage(title, unit="image"):
        yield lambda done, total, note="": seen.append((title, unit, done, total))

    return stage


# --- items and workers --------------------------------------------------------------------------------------


def test_items_are_taken_as_workers_get_free(two):
    taken = []

    def items():
        for k in range(100):
            taken.append(k)
            yield k

    with working_on(two):
        for done, _ in enumerate(run(lambda here: lambda k: time.sleep(0.06), items(), None), 1):
            assert len(taken) <= done + 2 * 4 + 1
            if done == 20:
                break


def test_what_the_work_raises_is_raised_here(two):
    def make(here):
        def work(number):
            raise UserError(f"number {number} is bad")

        return work

    with working_on(two), pytest.raises(UserError, match="^number 3 is bad$"):
        list(run(make, [3], None))


def test_workers_that_end_before_they_are_ready_are_no_endless_loop(monkeypatch):
    def make(here):
        os.abort()

    monkeypatch.setattr("latentlab.distributed.pool._MOST_FAILED", 1)
    with working_on(Pool(1)), pytest.raises(UserError, match="workers end before they are ready"):
        list(run(make, [3], None))


def test_warnings_and_the_folder_and_the_threads_are_this_process_s(two, tmp_path, monkeypatch):
    def make(here):
        def work(number):
            import warnings

            warnings.warn("look out", stacklevel=2)
            return os.getcwd(), torch.get_num_threads()

        return work

    monkeypatch.chdir(tmp_path)
    with working_on(two), pytest.warns(UserWarning, match="look out"):
        assert list(run(make, [1], None)) == [(0, (str(tmp_path), torch.get_num_threads()))]


def test_a_folder_that_a_machine_lacks_is_missed_only_for_relative_paths(two, tmp_path, monkeypatch):
    lacking = Place(str(tmp_path / "lacking"), 1)
    monkeypatch.setattr(Place, "here", classmethod(lambda cls: lacking))

    def saying(path):
        return lambda here: lambda item: f"{path} {item}"

    with working_on(two):
        assert list(run(saying("s3://bucket/out"), [tmp_path], None)) == [(0, f"s3://bucket/out {tmp_path}")]
        with pytest.raises(UserError, match=r"'out' is a path from .*lacking, and a worker's machine has no such"):
            list(run(saying(Path("out")), [1], None))
        with pytest.raises(UserError, match="'a.png' is a path from"):
            list(run(saying("s3://bucket/out"), [(1, Path("a.png"))], None))


def test_fractions_of_gpus_are_given_out():
    def make(here):
        return lambda number: os.environ.get("CUDA_VISIBLE_DEVICES")

    with cluster(workers=1, gpus_per_worker=0.5):
        assert list(run(make, [1], None)) == [(0, "0")]
    with pytest.raises(UserError, match="2 workers of 1 GPUs each need more GPUs than the 1"), cluster(2, None, 1):
        pass
    with pytest.raises(UserError, match="a fraction of a GPU or whole ones"), cluster(1, None, 1.5):
        pass


def test_networks_are_sent_with_their_devices(tiny):
    sent, device = unpack(pack((tiny, torch.device("cuda", 3))))
    assert sent.fingerprint == tiny.fingerprint and device == torch.device("cuda", 0)
    with pytest.raises(UserError, match="cannot be sent to workers"):
        pack(threading.Lock())


# --- the jobs -----------------------------------------------------------------------------------------------


def test_samples_are_the_same_files(two, components, tmp_path):
    label_samples(components, LABELS, tmp_path / "plain", progress=False)
    with working_on(two):
        label_samples(components, LABELS, tmp_path / "workers", progress=False)
    assert_same_files(tmp_path / "plain", tmp_path / "workers")


def test_a_killed_worker_costs_nothing(two, tiny, tmp_path):
    plain, deadly = tmp_path / "plain", Deadly(tmp_path, 1)
    components = Components.load(tiny, DeadlyScorer(deadly, image_of(700, tiny)))
    label_samples(components, LABELS, plain, progress=False)
    assert deadly.deaths == 0
    with working_on(two):
        label_samples(components, LABELS, tmp_path / "workers", progress=False)
    assert deadly.deaths == 1
    assert_same_files(plain, tmp_path / "workers")


def test_seeds_that_end_workers_are_named_and_all_others_are_there(two, tiny, tmp_path):
    components = Components.load(tiny, DeadlyScorer(Deadly(tmp_path, 2), image_of(700, tiny)))
    with working_on(two), pytest.raises(UserError, match="the seeds 664 to 727 could not be drawn: the process"):
        label_samples(components, LABELS, tmp_path / "samples", progress=False)
    settings = LABELS.for_components(components)
    assert list(SampleStore.open(tmp_path / "samples", settings).missing()) == [1]


def image_of(seed, generator):
    ws = generator.mapping(z_from_seeds([seed], generator.z_dim), psi=0.7)
    return generator.synthesis(ws, noise_mode="const")


JOB = """
import sys, torch
torch.set_num_threads(1)
from latentlab.distributed import cluster
from latentlab.pipelines import Components, LabelSettings, label_samples
from latentlab.scorers import FunctionScorer
from tests.conftest import make_tiny, stage_with
from tests.latentlab.test_samples import brightness

def wait(done, total):
    if done >= 128:
        print("samples", flush=True)
        sys.stdin.read()

components = Components.load(make_tiny(), FunctionScorer(("bright", "dark"), brightness))
with cluster(workers=2):
    label_samples(components, LabelSettings(samples=400, precision="float32"), sys.argv[1], progress=stage_with(wait))
"""


def test_a_killed_command_goes_on_and_leaves_no_process(two, components, tmp_path):
    kill_at(f"import os\nos.environ[{MARK!r}] = '1'\n{JOB}", tmp_path / "killed", "samples")
    assert 2 <= len(list((tmp_path / "killed").glob("shard-*.parquet"))) < 7
    with working_on(two):
        label_samples(components, LABELS, tmp_path / "killed", progress=False)
    label_samples(components, LABELS, tmp_path / "whole", progress=False)
    assert_same_files(tmp_path / "whole", tmp_path / "killed")
    ends = time.monotonic() + 120  # Ray's own look now and then whether the others are there
    while _marked():
        assert time.monotonic() < ends, "processes of the killed command live on"
        time.sleep(0.2)


MARK = "LATENTLAB_TEST_OF_A_KILLED_COMMAND"


def _marked() -> list[Path]:
    """Processes that have the mark in their environment; none where the system does not tell."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}=".encode() in path.read_bytes():
                found.append(path)
    return found


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four small photos; the third, black one ends the process that looks for its face."""
    folder = tmp_path_factory.mktemp("photos")
    rng = torch.Generator().manual_seed(0)
    for k in range(4):
        noise = torch.rand(1, 3, 8, 8, generator=rng) * 2 - 1
        photo = torch.nn.functional.interpolate(noise, (96, 96), mode="bicubic").clamp(-0.9, 1)
        images.save_image(torch.full_like(photo, -1) if k == 2 else photo, folder / f"{k}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def small():
    return make_tiny(replace(TINY, resolution=32))


SHORT = DEFAULTS["w+"].shortened(2)


@pytest.mark.weights
def test_projected_photos_are_the_same_and_one_that_ends_workers_is_named(two, photos, small, tmp_path):
    scorer = FunctionScorer(("bright", "dark"), brightness)
    components = Components.load(small, scorer, DeadlyDetector(Deadly(tmp_path, 99)), perceptual=_alex())
    settings = PhotoSettings(SHORT, TuningSettings(steps=2, drift_seeds=(1,)))
    good = [photos[0], photos[1], photos[3]]
    plain = dict(project_photos(good, components, settings, tmp_path / "plain", False))
    with working_on(two):
        found = dict(project_photos(photos[:4], components, settings, tmp_path / "workers", False))
    lost = found.pop(photos[2])
    assert isinstance(lost, UserError) and str(lost).startswith(f"{photos[2]}: the process that worked on it ended")
    assert_same_files(tmp_path / "plain", tmp_path / "workers")
    for path, one in plain.items():
        other = found[path]
        assert torch.equal(one.portrait.ws, other.portrait.ws)
        assert torch.equal(one.portrait.generator.synthesis(one.portrait.ws), other.portrait.rendered)
        assert other.portrait.generator.original is small
        assert torch.equal(other.portrait.render(other.portrait.latents), one.portrait.rendered)


@pytest.mark.weights
def test_edited_photos_are_the_same_in_groups(two, photos, small, tmp_path):
    scorer = FunctionScorer(("bright", "dark"), brightness)
    components = Components.load(small, scorer, DeadlyDetector(Deadly(tmp_path, 0)), perceptual=_alex())
    direction = Direction(np.eye(small.w_dim, dtype=np.float32)[0], "glow", "made up", generator=small.fingerprint)
    settings = PhotoEditSettings(SHORT, None, batch_size=2, attribute="bright")
    assert len(list(edit_photos(photos, direction, [1.0], components, settings, tmp_path / "plain", False))) == 4
    with working_on(two):
        list(edit_photos(photos, direction, [1.0], components, settings, tmp_path / "workers", False))
    assert_same_files(tmp_path / "plain", tmp_path / "workers")


@pytest.mark.weights
def test_photos_are_counted_as_they_come_back_those_of_a_lost_group_too(two, photos, small, tmp_path):
    scorer = FunctionScorer(("bright", "dark"), brightness)
    components = Components.load(small, scorer, DeadlyDetector(Deadly(tmp_path, 0)), perceptual=_alex())
    settings, deadly, seen = PhotoSettings(SHORT, None, batch_size=2), Deadly(tmp_path, 2), []

    def finish(path, portraits, progress):
        if path.stem == "2":
            deadly()
        yield from ((path, PhotoResult(portrait, (), tmp_path)) for portrait in portraits)

    waiting = [WaitingPhoto.of(photo) for _, photo in check_photos(photos, components, settings, False)]
    with working_on(two):
        found = dict(work_on(waiting, partial(Group, components, settings, tmp_path, finish), stage_into(seen)))
    assert deadly.deaths == 2 and {type(one) for one in found.values()} == {PhotoResult} and set(found) == set(photos)
    assert seen == [("projecting photos", "photo", done, 4) for done in (0, 2, 3, 4)]


def _alex():
    from latentlab.perceptual import load_perceptual

    return load_perceptual("alex")


def test_edited_seeds_are_the_same(two, components, tiny, tmp_path):
    direction = Direction(np.eye(tiny.w_dim, dtype=np.float32)[0], "glow", "made up", generator=tiny.fingerprint)
    settings = SeedSettings(attribute="bright", batch_size=3)
    edit_seeds(range(7), direction, [-1, 1.0], components, settings, tmp_path / "plain", False)
    with working_on(two):
        edit_seeds(range(7), direction, [-1, 1.0], components, settings, tmp_path / "workers", False)
    assert_same_files(tmp_path / "plain", tmp_path / "workers")


def test_measured_directions_are_the_same(two, tmp_path):
    from latentlab.datasets.known_factors import KnownFactors

    generator = KnownFactors()
    components = components_of(generator, Judge(generator.scorer()))
    truth, rng = generator.direction("mouth"), np.random.default_rng(0)
    named = {
        name: Direction(
            (vector / np.linalg.norm(vector)).astype(np.float32), "mouth", "known", generator=generator.fingerprint
        )
        for name, vector in {"truth": truth, "stray": truth + 0.15 * rng.standard_normal(16)}.items()
    }
    measure_directions(named, ATTRIBUTE, components, tmp_path / "plain", SETTINGS, progress=False)
    with working_on(two):
        measure_directions(named, ATTRIBUTE, components, tmp_path / "workers", SETTINGS, progress=False)
    timed = ("results.json", "report.md", "report.html")  # seconds of an edit
    parts = tuple(path.name for path in (tmp_path / "plain" / "parts").iterdir())
    assert_same_files(tmp_path / "plain", tmp_path / "workers", (*timed, *parts))
    assert _untimed(tmp_path / "plain") == _untimed(tmp_path / "workers")


def _untimed(folder: Path) -> str:
    import re

    return re.sub(r'"edit_seconds": [\d.e-]+', "", (folder / "results.json").read_text())


def test_compared_methods_have_the_same_results_and_have_learnt_here(two, tmp_path):
    methods = [Add("third", 1 / 3), Raises(UserError("no"))]
    plain = compare(Brighter(tmp_path / "plain"), [Add("third", 1 / 3), Raises(UserError("no"))], progress=False)
    with working_on(two):
        found = compare(Brighter(tmp_path / "workers"), methods, progress=False)
    for one, other in zip(plain.results, found.results, strict=True):
        assert (one.name, one.failure, one.intervals) == (other.name, other.failure, other.intervals)
    assert torch.equal(plain.results[0].images, found.results[0].images)
    assert methods[0].applied == 0 and methods[0]._amount == 1 / 3


def test_what_is_shared_and_compared_is_counted_as_it_comes_back(two, tmp_path):
    class Shares(Add):
        def share_out(self, pictures, stage):
            share_out(lambda here: torch.mean, torch.split(pictures, 1), stage, "looking")

    seen = []
    with working_on(two):
        compare(Brighter(tmp_path), [Shares("third", 1 / 3), Raises(UserError("no"))], progress=stage_into(seen))
    looks, methods = [("looking", "image", k, 4) for k in range(5)], [("comparing", "method", k, 2) for k in range(3)]
    assert seen == looks + methods


# --- commands -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def label(tmp_path_factory):
    """Runs `latentlab label` with a tiny network and a tiny scorer, in a process of its own."""
    folder = tmp_path_factory.mktemp("label")
    network, scorer = folder / "tiny.safetensors", folder / "scorer.safetensors"
    stylegan2.save(make_tiny(replace(TINY, resolution=64)), network)
    torch.manual_seed(0)
    known = AttributeNet(2, 2), ("smiling", "young"), torch.ones(2), torch.zeros(2), {"data": "none"}
    AttributeScorer(*known).save(scorer)

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "latentlab", "label", "--network", network, "--scorer", scorer, *words]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            list(map(str, line)), env=environment, capture_output=True, text=True, timeout=120, cwd=folder
        )

    return call


@pytest.fixture(scope="module")
def labelled(label, tmp_path_factory):
    """What the command prints and writes by itself."""
    folder = tmp_path_factory.mktemp("labelled") / "plain"
    done = label(*FEW, "--out", folder)
    assert done.returncode == 0, done.stderr
    return done.stdout, folder


FEW = ["--samples", 130, "--batch", 8]


def assert_the_same(labelled, done, folder):
    printed, plain = labelled
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == printed.splitlines()[:-1]
    assert_same_files(plain, folder)


def test_a_command_on_workers_makes_the_same_files(label, labelled, tmp_path):
    done = label(*FEW, "--workers", 2, "--out", tmp_path / "workers")
    assert_the_same(labelled, done, tmp_path / "workers")


def test_a_command_joins_a_ray_by_its_address(label, labelled, tmp_path):
    with _head() as address:
        done = label(*FEW, "--ray", address, "--out", tmp_path / "workers")
    assert_the_same(labelled, done, tmp_path / "workers")


@pytest.mark.slow
def test_a_ray_that_asks_for_a_token_says_so(label, tmp_path, monkeypatch):
    with _head() as address, monkeypatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        done = label(*FEW, "--ray", address, "--out", tmp_path / "workers")
    assert done.returncode == 2
    assert "it asks for a token: set RAY_AUTH_MODE=token" in done.stderr.splitlines()[-1]


@contextmanager
def _head():
    """A Ray that a command has started; gives its address."""
    port = free_port()
    options = ["--num-cpus", "2", "--include-dashboard", "false", "--object-store-memory", str(STORE), "--block"]
    with tempfile.TemporaryDirectory(prefix="ray") as short:  # sockets have short names
        words = ["ray.scripts.scripts", "start", "--head", "--port", str(port), "--temp-dir", short, *options]
        head = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # it ends all of its group
        )
        try:
            assert any("Ray runtime started" in line for line in head.stdout)
            yield f"localhost:{port}"
        finally:
            head.send_signal(signal.SIGINT)  # at SIGTERM it would wait for half a minute
            head.communicate(timeout=60)


def test_an_address_where_nobody_answers_is_told_at_once(label, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    done = label("--ray", address, "--samples", 8, "--out", tmp_path / "samples")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"latentlab: no Ray cluster answers at {address} (") and "`ray start --head`" in line


@pytest.mark.parametrize("address", ["", "head", "head:", "head:port", "head:0", "head:65536", ":6379", "::1:6379"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UserError, match="^the address of a Ray cluster is HOST:PORT, .*; not "):
        check_reachable(address)


def test_addresses_are_tried_as_ray_reads_them(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"localhost:{port}", f"ray://127.0.0.1:{port}", "auto", "other://x"):
            check_reachable(address)
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", f"{'a' * 70}:{port}"):
        with pytest.raises(UserError, match="^no Ray cluster answers at"):
            check_reachable(address)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with pytest.raises(UserError, match=f"^no Ray cluster answers at 127.0.0.1:{port}"):
        check_reachable("auto")


# --- options ------------------------------------------------------------------------------------------------


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'latentlab-gan\[cluster\]'"), cluster(workers=2):
        pass


def test_without_the_options_ray_is_not_imported(tmp_path):
    code = (
        "import sys; from latentlab.pipelines import *; from tests.conftest import make_tiny;"
        "from latentlab.scorers import FunctionScorer; from tests.latentlab.test_samples import brightness;"
        "c = Components.load(make_tiny(), FunctionScorer(('bright', 'dark'), brightness));"
        "label_samples(c, LabelSettings(samples=8), sys.argv[1], progress=False); assert 'ray' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "samples"], check=True, cwd=ROOT)


def test_options_without_effect_are_refused(refused, tmp_path):
    assert "no effect without --workers or --ray" in refused("label", "--gpus-per-worker", "1", "--out", tmp_path)
    assert "workers" in refused("label", "--workers", "0", "--out", tmp_path)
    reason = "has no effect with --video"
    film = tmp_path / "film.gif"
    film.touch()
    assert reason in refused("edit", "--direction", "smile", "--video", film, "--strength", "1", "--workers", "2")


def test_workers_write_to_an_object_store(two, components, tmp_path):
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", PORT, verbose=False)
    server.start()
    try:
        boto3.client("s3").create_bucket(Bucket="bucket")
        with working_on(two):
            table = label_samples(components, LABELS, "s3://bucket/samples", progress=False)
        plain = label_samples(components, LABELS, tmp_path / "plain", progress=False)
        for path in (tmp_path / "plain").iterdir():
            stored = boto3.client("s3").get_object(Bucket="bucket", Key=f"samples/{path.name}")["Body"].read()
            assert stored == path.read_bytes()
        np.testing.assert_array_equal(table.scores, plain.scores)
        direction = Direction(np.eye(components.generator.w_dim, dtype=np.float32)[0], "glow", "made up")
        more = (range(7), direction, [-1, 1.0], components, SeedSettings(attribute="bright", batch_size=3, force=True))
        with working_on(two), published("s3://bucket/edits") as folder:
            edit_seeds(*more, folder, False)
            listed = boto3.client("s3").list_objects_v2(Bucket="bucket", Prefix="edits/")["Contents"]
            # Workers have sent the images, and this process the table.
            assert {one["Key"]: one["Size"] for one in listed} == {
                f"edits/{path.name}": path.stat().st_size for path in folder.iterdir()
            }
            assert len(listed) == 15
    finally:
        server.stop()


LEAVING = """
import ray
from ray.cluster_utils import Cluster
from latentlab.distributed import cluster
from latentlab.work import Lost, run

def make(here):
    import time
    machine = ray.get_runtime_context().get_node_id()
    return lambda number: (time.sleep(0.2), machine)[1]

machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000})
second = machines.add_node(num_cpus=1, object_store_memory=100_000_000)
ray.init(address=machines.address, log_to_driver=False)
found = {}
with cluster(workers=2):
    for number, machine in run(make, range(60), None):
        found[number] = machine
        if second is not None and len(set(found.values())) == 2:
            machines.remove_node(second, allow_graceful=False)
            second = None
assert second is None and sorted(found) == list(range(60))
assert not any(isinstance(one, Lost) for one in found.values())
ray.shutdown()
machines.shutdown()
"""


@pytest.mark.slow
def test_a_machine_that_leaves_takes_no_item_with_it():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", LEAVING], check=True, env=environment, timeout=300, capture_output=True)
