"""Importing the package is cheap, and its names are all there."""

import importlib
import os
import subprocess
import sys

import pytest

PACKAGES = ["stylegan2", "stylegan2.checkpoints", "stylegan2.safe_pickle"]
LIGHT = """
import sys
import stylegan2, stylegan2.config, stylegan2.protocol, stylegan2.safe_pickle
import latentlab.errors, latentlab.files, latentlab.progress, latentlab.weights
stylegan2.memory.keep_freed_memory
stylegan2.errors.CheckpointError
stylegan2.GeneratorConfig(resolution=8)
assert "load" in dir(stylegan2)
assert latentlab.weights.known()
print(*[name for name in ("torch", "numpy", "tqdm", "PIL") if name in sys.modules])
print(stylegan2.sampling.z_from_seeds is stylegan2.z_from_seeds, stylegan2.checkpoints.load is stylegan2.load)
"""


def test_nothing_heavy_is_imported_before_its_use(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["", "True True"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_promised_name_is_there(package):
    module = importlib.import_module(package)
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018
