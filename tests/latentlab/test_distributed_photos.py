"""Photos on workers by a real Ray, where the command is killed, or a photo ends whoever works on it."""

from __future__ import annotations

import filecmp
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from latentlab import images
from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.perceptual import load_perceptual
from latentlab.pipelines import Components, PhotoEditSettings, PhotoSettings, edit_photos, project_photos
from latentlab.projection import DEFAULTS
from latentlab.scorers import FunctionScorer
from tests.conftest import TINY, make_tiny
from tests.latentlab.deadly import Deadly, DeadlyDetector
from tests.latentlab.projection.interrupted import kill_at
from tests.latentlab.test_samples import brightness

pytest.importorskip("ray")

from latentlab.distributed import cluster

pytestmark = [pytest.mark.weights, pytest.mark.slow]

SHORT = DEFAULTS["w+"].shortened(3)


def components_in(folder, deaths=0):
    """Tiny networks, and a detector that kills its process at a black photo, so many times."""
    network = make_tiny(replace(TINY, resolution=32))
    detector = DeadlyDetector(Deadly(folder, deaths))
    scorer = FunctionScorer(("bright", "dark"), brightness)
    return Components.load(network, scorer, detector, perceptual=load_perceptual("alex"))


def write_photos(folder, black=()):
    """Six small photos."""
    rng = torch.Generator().manual_seed(0)
    folder.mkdir()
    for k in range(6):
        noise = torch.rand(1, 3, 8, 8, generator=rng) * 2 - 1
        photo = torch.nn.functional.interpolate(noise, (96, 96), mode="bicubic").clamp(-0.9, 1)
        images.save_image(torch.full_like(photo, -1) if k in black else photo, folder / f"{k}.png")
    return sorted(folder.iterdir())


def edited(folder, out, progress=False):
    """Edit the photos of a folder into another one; results by photo, as they come."""
    components = components_in(folder)
    generator = components.generator
    along = Direction(np.eye(generator.w_dim, dtype=np.float32)[0], "glow", "m", generator=generator.fingerprint)
    settings = PhotoEditSettings(SHORT, None, attribute="bright")
    yield from edit_photos(sorted(folder.glob("*.png")), along, [1.0], components, settings, out, progress)


JOB = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from latentlab.distributed import cluster
from tests.latentlab.test_distributed_photos import edited

place = Path(sys.argv[1])
with cluster(workers=2):
    for done, (path, result) in enumerate(edited(place / "photos", place / "killed"), 1):
        if done == 2:
            print("two", flush=True)
            sys.stdin.read()
"""


def files_of(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def searches_begun(folder, out):
    """Edit the photos in this process, and count the projections that begin with their first step."""
    seen = []

    @contextmanager
    def stage(title, unit="image"):
        yield lambda done, total, note="": seen.append((title, done, total))

    list(edited(folder, out, stage))
    return seen.count(("projecting", 1, 3))


def test_a_killed_edit_of_photos_goes_on_with_nothing_lost_and_nothing_twice(tmp_path):
    photos = write_photos(tmp_path / "photos")
    kill_at(JOB, tmp_path, "two")
    finished = len(list((tmp_path / "killed").glob("*/report.md")))
    assert 2 <= finished < 6
    shutil.copytree(tmp_path / "killed", tmp_path / "alone")
    with cluster(workers=2):
        found = [path for path, _ in edited(tmp_path / "photos", tmp_path / "killed")]
    assert sorted(found) == photos
    assert searches_begun(tmp_path / "photos", tmp_path / "alone") <= 6 - finished
    assert searches_begun(tmp_path / "photos", tmp_path / "whole") == 6
    names = files_of(tmp_path / "whole")
    assert names == files_of(tmp_path / "killed")
    assert filecmp.cmpfiles(tmp_path / "whole", tmp_path / "killed", names, shallow=False)[1:] == ([], [])


def test_a_photo_that_ends_whoever_works_on_it_is_tried_twice_and_named(tmp_path):
    photos = write_photos(tmp_path / "photos", black=[3])
    components = components_in(tmp_path, deaths=99)
    with cluster(workers=2):
        found = dict(project_photos(photos, components, PhotoSettings(SHORT, None), tmp_path / "out", False))
    lost = found.pop(photos[3])
    assert isinstance(lost, UserError) and str(lost).startswith(f"{photos[3]}: the process that worked on it ended")
    assert components.detector.deadly.deaths == 2
    assert [path.name for path in found] == ["0.png", "1.png", "2.png", "4.png", "5.png"]
    assert all((tmp_path / "out" / path.stem / "projected.png").is_file() for path in found)
