"""A stop costs a batch, not the part that was being made, and leaves no trace in the result."""

from pathlib import Path

import numpy as np
import pytest

from latentlab.batching import Batches
from latentlab.datasets import KnownFactors
from latentlab.directions import Direction
from latentlab.pipelines import (
    Components,
    GeneratorMetricSettings,
    LabelSettings,
    StudySettings,
    begun,
    label_samples,
    measure_generator,
)
from latentlab.pipelines.begun import BegunRows
from latentlab.pipelines.study.context import StudyContext
from latentlab.pipelines.study.edits import edit_held_out, find_reach
from latentlab.progress import stage_of
from latentlab.samples import drawing

GENERATOR = KnownFactors()
BATCH, LIMIT = 5, 25  # images at once, and those that a run scores before it is stopped


class Stopped(Exception):
    """The end of a process."""


class Scorer:
    """Scores that end a run after so many images."""

    def __init__(self):
        self.known = GENERATOR.scorer("mouth", "size")
        self.names, self.fingerprint, self.threshold = self.known.names, self.known.fingerprint, self.known.threshold
        self.left, self.scored = LIMIT, 0

    def __call__(self, images):
        if self.left <= 0:
            raise Stopped
        self.left -= len(images)
        self.scored += len(images)
        return self.known(images)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Keeps what was made after every batch, as if each took longer than the interval."""
    monkeypatch.setattr(begun, "KEEP_SECONDS", -1.0)
    monkeypatch.setattr(drawing, "KEEP_SECONDS", -1.0)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_until_done(work, scorer: Scorer) -> int:
    """Start `work` again and again; returns how often it was stopped."""
    stops = 0
    while True:
        scorer.left = LIMIT
        try:
            work()
            return stops
        except Stopped:
            stops += 1
            assert stops < 50, "it begins from nothing every time"


def edit(scorer: Scorer, folder: Path) -> None:
    components = Components.load(GENERATOR, scorer=scorer)
    train = label_samples(components, LabelSettings(60, psi=1.0, resolution=32), folder / "samples", BATCH, False)
    context = StudyContext(
        components,
        StudySettings(attribute="mouth", edited_faces=9),
        folder,
        components.renderer(32),
        Batches(BATCH, 32),
        BATCH,
        stage_of(False),
    )
    vector = GENERATOR.direction("mouth").astype(np.float32)
    along = Direction(vector, "mouth", "svm", sigma=1.0, generator=GENERATOR.fingerprint)
    reach = find_reach(context, "svm", along, train)
    edit_held_out(context, "svm", along, train, reach, (0.5, 1.0))


def test_samples_strengths_and_edits_of_a_study(tmp_path):
    scorer, whole = Scorer(), Scorer()
    whole.left = 10_000
    edit(whole, tmp_path / "whole")
    stops = run_until_done(lambda: edit(scorer, tmp_path / "stopped"), scorer)
    assert files_in(tmp_path / "stopped") == files_in(tmp_path / "whole")
    assert stops >= 5 and whole.scored <= scorer.scored <= whole.scored + 12 * stops  # of a strength, all faces again


def test_samples_of_metrics(tmp_path):
    scorer, whole = Scorer(), Scorer()
    whole.left = 10_000

    def measure(own: Scorer, name: str):
        settings = GeneratorMetricSettings(("dci-w",), samples=100)
        measure_generator(
            Components.load(GENERATOR, scorer=own), settings, tmp_path / name, batch_size=BATCH, progress=False
        )

    measure(whole, "whole")
    stops = run_until_done(lambda: measure(scorer, "stopped"), scorer)
    assert files_in(tmp_path / "stopped") == files_in(tmp_path / "whole")
    assert stops == 3 and scorer.scored == whole.scored == 100


def test_what_was_kept_of_another_part_or_is_broken_is_not_taken(tmp_path):
    def make(rows, kinds):
        for k in rows:
            if k == stop:
                raise Stopped
            made.append(k)
            yield {kind: np.array([[float(k)]]) for kind in kinds}

    def finish(part, kinds=("a",)):
        made.clear()
        return BegunRows(tmp_path / "begun.npz").finish(part, kinds, make)

    made, stop = [], 7
    with pytest.raises(Stopped):
        finish(range(5, 9))
    stop = None
    kept = (tmp_path / "begun.npz").read_bytes()
    assert finish(range(5, 9))["a"].ravel().tolist() == [5, 6, 7, 8] and made == [7, 8]
    for other in (lambda: finish(range(4, 9)), lambda: finish(range(5, 9), ("b",)), lambda: finish(range(5, 6))):
        (tmp_path / "begun.npz").write_bytes(kept)
        other()
        assert made[0] in (4, 5)
    for broken in (b"", kept[:40], kept[:-30]):
        (tmp_path / "begun.npz").write_bytes(broken)
        assert finish(range(5, 9))["a"].ravel().tolist() == [5, 6, 7, 8] and made == [5, 6, 7, 8]
    BegunRows(tmp_path / "begun.npz").forget()
    assert not list(tmp_path.iterdir())
