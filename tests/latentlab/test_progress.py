"""The bar on standard error, the stage that shows nothing, and the argument `progress` of whatever takes long."""

import ast
from pathlib import Path

import pytest
import tqdm.auto

from latentlab.comparison import compare
from latentlab.datasets import make_shapes
from latentlab.pipelines import Components, SeedSettings, edit_seeds, generate_images, walk_seeds
from latentlab.progress import bar, silent, stage_of, titled
from latentlab.projection import TuningSettings, tune
from latentlab.samples import SampleStore, draw_samples
from latentlab.scorers import FunctionScorer
from latentlab.translation import Pix2Pix, TrainingSettings, train
from tests.conftest import stage_with
from tests.latentlab.comparison.test_compare import Add, Brighter
from tests.latentlab.directions.made_up import unit
from tests.latentlab.projection.test_tuning import EdgeDistance, inputs
from tests.latentlab.test_samples import brightness, make_settings
from tests.latentlab.translation.toys import Toy

LATENTLAB = Path(__file__).parents[2] / "latentlab"


@pytest.fixture
def lines(monkeypatch):
    """The bars that are drawn."""
    drawn = []

    class Kept(tqdm.auto.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            drawn.append(self)

    monkeypatch.setattr(tqdm.auto, "tqdm", Kept)
    return drawn


def test_a_new_stage_counts_from_nothing(lines, capsys):
    with bar("drawing") as step:
        step(0, 20)
        step(8, 20)
        step(20, 20)
    (line,) = lines
    assert (line.n, line.total, line.initial) == (20, 20, 0)
    shown = capsys.readouterr().err
    assert shown.startswith("\rdrawing")
    assert "20/20" in shown.splitlines()[-1]
    assert shown.endswith("\n")


def test_resumed_work_counts_as_done_but_not_for_the_pace(lines, capsys):
    with bar("drawing") as step:
        step(12, 20)
        (line,) = lines
        assert (line.n, line.total, line.initial) == (12, 20, 12)
        step(15, 20)
    assert (line.n, line.total, line.initial) == (15, 20, 12)
    assert "15/20" in capsys.readouterr().err


def test_a_stage_that_fails_ends_its_line(capsys):
    with pytest.raises(ZeroDivisionError), bar("drawing") as step:
        step(1, 2)
        raise ZeroDivisionError
    assert capsys.readouterr().err.endswith("\n")  # what is said next has a line of its own


def test_silence(capsys):
    with silent("drawing") as step:
        step(1, 2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_title_of_ones_own():
    seen = []

    def stage(title, unit="image"):
        seen.append((title, unit))
        return stage_with(None)(title)

    with titled(stage, "tuning on face.png")("tuning", "step"), titled(stage, "walking")("editing"):
        pass
    assert seen == [("tuning on face.png", "step"), ("walking", "image")]


@pytest.mark.parametrize("wrong", [None, "bar", 1])
def test_another_value_is_refused(wrong):
    with pytest.raises(TypeError, match="True, False, or a stage"):
        stage_of(wrong)


# --- what users call ----------------------------------------------------------------------------------------


def _draw(folder, tiny, progress):
    scorer = FunctionScorer(("bright", "dark"), brightness)
    store = SampleStore.open(folder, make_settings(tiny, scorer, samples=4))
    draw_samples(tiny, scorer, store, **progress)


def _seeds(function):
    def job(folder, tiny, progress):
        parts = Components.load(tiny, FunctionScorer(("bright", "dark"), brightness))
        direction = unit(tiny.w_avg.numpy(), "bright")
        if function is generate_images:
            function([1, 2], parts, SeedSettings(), folder, **progress)
        elif function is walk_seeds:
            function([1, 2], direction, [0, 1], parts, SeedSettings(force=True), **progress)
        else:
            function([1, 2], direction, [0, 1], parts, SeedSettings(force=True), folder, **progress)

    return job


def _tune(folder, tiny, progress):
    images, ws = inputs()
    tune(images, ws, tiny, EdgeDistance(), TuningSettings(rank=2, steps=2, resolution=16, drift_seeds=(5,)), **progress)


def _train(folder, tiny, progress):
    train(Pix2Pix.configure(32, 2), Toy(2, 32), TrainingSettings(1), folder, **progress)


JOBS = {
    "drawing samples": _draw,
    "generating": _seeds(generate_images),
    "editing": _seeds(edit_seeds),
    "walking": _seeds(walk_seeds),
    "tuning": _tune,
    "training": _train,
    "drawing scenes": lambda folder, tiny, progress: make_shapes(2, folder, 32, **progress),
    "measuring a": lambda folder, tiny, progress: compare(Brighter(folder), [Add("a", 0.2)], **progress),
}


@pytest.mark.parametrize("title", JOBS)
def test_long_work_shows_one_bar_by_default_and_nothing_if_told_so(title, tiny, tmp_path, lines, capsys):
    JOBS[title](tmp_path / "shown", tiny, {})
    out, err = capsys.readouterr()
    assert title in err and out == ""
    (line,) = lines
    assert line.n == line.total > 0
    JOBS[title](tmp_path / "silent", tiny, {"progress": False})
    assert capsys.readouterr() == ("", "")
    counts = []
    JOBS[title](tmp_path / "own", tiny, {"progress": stage_with(lambda done, total, note="": counts.append(done))})
    assert counts[-1] == line.total
    assert capsys.readouterr() == ("", "")


def test_every_argument_progress_is_the_same_one():
    found = {}
    for path in sorted(LATENTLAB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = node.args.args
                defaults = [None] * (len(arguments) - len(node.args.defaults)) + node.args.defaults
                for argument, default in zip(arguments, defaults, strict=True):
                    if argument.arg == "progress" and path.name != "progress.py":
                        found[f"{path.stem}.{node.name}"] = ast.unparse(argument.annotation), default and default.value
    assert {"projector.project", "tuning.tune", "run.compare", "loop.train"} <= found.keys()
    assert {name: kind for name, kind in found.items() if kind != ("bool | Stage", True)} == {
        name: kind
        for name, kind in found.items()
        if kind == ("Step", None)  # helpers within one module
    }
