"""The comparison itself, on a toy task whose every value is known: grey images that are to become brighter."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from latentlab.comparison import (
    Measure,
    Method,
    MethodResult,
    ReportSection,
    compare,
    costs,
    draw_conclusions,
    summary_lines,
    worst_images,
    write_report,
)
from latentlab.comparison.conclusions import best_methods
from latentlab.comparison.costs import Stopwatch
from latentlab.comparison.html import table
from latentlab.comparison.metrics import load_metrics
from latentlab.errors import UserError
from latentlab.images import load_image, to_bytes
from latentlab.metrics import Interval, mean_interval
from tests.processes import Program

LEVELS = (-0.5, -0.25, 0.0, 0.25)


class Brighter:
    """The task: make every image brighter by a third."""

    title = "Making four plain pictures brighter"
    size = 16
    names = ("a", "b", "c", "d")
    training_key = {"set": 1}
    held_out_key = {"pictures": list(LEVELS)}
    limits = "It is a toy."
    measures = (
        Measure("bright", "brighter than 0", "more", share=True),
        Measure("far", "distance from what it should be", "less"),
        Measure("level", "its level", "neither"),
        Measure("spread", "spread of all", "less"),
    )

    def __init__(self, folder):
        self.folder = Path(folder)

    def inputs(self):
        return torch.tensor(LEVELS).view(-1, 1, 1, 1).expand(-1, 3, 16, 16).clone()

    def shown(self):
        return self.inputs()

    def truth(self):
        return self.inputs() + 1 / 3

    def measure(self, made):
        level = made.mean(dim=(1, 2, 3)).double().numpy()
        wanted = np.array(LEVELS) + 1 / 3
        return {"bright": (level > 0).astype(float), "far": np.abs(level - wanted), "level": level}

    def measure_set(self, made):
        spread = float(made.mean(dim=(1, 2, 3)).std())
        return {"spread": Interval(spread, spread - 0.1, spread + 0.1, len(made))}


class Add(Method):
    """Adds what it learnt, and counts how often it did."""

    def __init__(self, name, amount, prepares=0.0):
        self.name, self.amount, self.inputs = name, amount, {"amount": amount}
        self.prepares, self.learnt, self.applied = prepares, 0, 0

    def fit(self, task, folder, stage):
        path = folder / "amount.json"
        if not path.exists():
            self.learnt += 1
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.amount))
        self._amount = json.loads(path.read_text())

    def prepare(self, pictures, stage):
        return self.prepares

    def apply(self, pictures):
        self.applied += 1
        return (pictures + self._amount).clamp(-1, 1)


class Raises(Method):
    """Fails in the way that it is told."""

    def __init__(self, error):
        self.name, self.error, self.inputs = f"raises-{type(error).__name__.lower()}", error, {}

    def fit(self, task, folder, stage):
        if isinstance(self.error, BaseException):
            raise self.error

    def apply(self, pictures):
        return self.error


def test_every_figure_has_its_known_value(tmp_path):
    methods = [Add("nothing", 0.0), Add("third", 1 / 3), Add("much", 0.625, prepares=2.0)]
    comparison = compare(Brighter(tmp_path), methods)
    nothing, third, much = comparison.results
    byte = 1 / 255  # pictures are kept as files of bytes
    assert nothing.intervals["bright"].mean == 0.5  # the byte nearest to 0 lies a little above it
    assert third.intervals["bright"].mean == 0.75 and much.intervals["bright"].mean == 1.0
    for row, far in ((nothing, 1 / 3), (third, 0.0), (much, 0.625 - 1 / 3)):
        assert row.columns["far"] == pytest.approx([far] * 4, abs=1.01 * byte)
        assert row.intervals["far"].mean == pytest.approx(far, abs=byte)
        assert row.columns["level"] - nothing.columns["level"] == pytest.approx(
            row.columns["level"][0] - nothing.columns["level"][0], abs=2 * byte
        )
    assert much.costs["prepare_seconds"] == 2.0 and nothing.costs["prepare_seconds"] == 0.0
    assert {"fit_seconds", "apply_seconds", "megabytes"} <= much.costs.keys()
    assert nothing.intervals["spread"].mean == pytest.approx(float(torch.tensor(LEVELS).std()), abs=byte)


def test_what_was_made_is_found_again_and_other_inputs_are_made_anew(tmp_path):
    first = compare(Brighter(tmp_path), [Add("a", 0.2)])
    again, other = Add("a", 0.2), Add("a", 0.3)
    second = compare(Brighter(tmp_path), [again])
    assert (again.learnt, again.applied) == (0, 0)
    assert (
        torch.equal(first.results[0].images, second.results[0].images)
        and first.results[0].costs == second.results[0].costs
    )
    compare(Brighter(tmp_path), [other])
    assert (other.learnt, other.applied) == (1, 1)
    moved = Brighter(tmp_path)
    moved.held_out_key = {"pictures": "others"}
    shown_others, retrained = Add("a", 0.2), Add("a", 0.2)
    compare(moved, [shown_others])
    assert (shown_others.learnt, shown_others.applied) == (0, 1)  # what was learnt holds for other photos
    moved.training_key = {"set": 2}
    compare(moved, [retrained])
    assert (retrained.learnt, retrained.applied) == (1, 1)
    assert json.loads((tmp_path / "manifest.json").read_text())["training"] == {"set": 2}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("there are no faces"), "there are no faces"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (torch.zeros(4, 3, 8, 8), "(4, 3, 8, 8), not (4, 3, 16, 16)"),
        (torch.full((4, 3, 16, 16), torch.nan), "not finite"),
        (None, "AttributeError"),
    ],
)
def test_a_method_that_fails_says_why_and_does_not_end_the_comparison(tmp_path, error, message, caplog):
    comparison = compare(Brighter(tmp_path), [Add("before", 0.1), Raises(error), Add("after", 0.2)])
    assert [bool(one.failure) for one in comparison.results] == [False, True, False]
    failed = comparison.results[1]
    assert message in failed.failure and failed.images is None
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert failed.name in warning.getMessage()
    assert bool(warning.exc_info) != isinstance(error, UserError)  # what a user did wrong takes a line
    traceback = (tmp_path / failed.traceback).read_text()
    assert traceback.startswith("Traceback") and message in traceback
    page = write_report(comparison, "a command").read_text()
    assert failed.name in page and "failed" in page and f"failures/{failed.name}.txt" in page and "before" in page
    (line,) = [line for line in summary_lines(comparison) if "failed" in line]
    assert message in line and str(tmp_path / failed.traceback) in line


def test_the_traceback_of_a_method_that_works_again_goes(tmp_path):
    def compare_once(amount):
        broken = Add("a", amount)
        if amount is None:
            broken.inputs = {"amount": "broken"}
        return compare(Brighter(tmp_path), [broken])

    (failed,) = compare_once(None).results
    assert (tmp_path / failed.traceback).exists()
    (fine,) = compare_once(0.1).results
    assert not fine.failure and list((tmp_path / "failures").iterdir()) == []


def test_ctrl_c_is_no_failure_of_a_method(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        compare(Brighter(tmp_path), [Raises(KeyboardInterrupt())])


def test_all_failed_is_still_a_report(tmp_path):
    page = write_report(compare(Brighter(tmp_path), [Raises(ValueError("no"))]), "a command")
    assert "no" in page.read_text() and pq.read_table(tmp_path / "results.parquet").num_rows == 0


@pytest.mark.parametrize("methods", [[], [Add("a", 0.1), Add("a", 0.2)]])
def test_names_differ_and_there_is_one(tmp_path, methods):
    with pytest.raises(UserError, match="names differ"):
        compare(Brighter(tmp_path), methods)


def pixels_of(image, level):
    """How many pixels have a grey level, give or take a byte."""
    return ((to_bytes(image).int() - int(to_bytes(torch.tensor(level)))).abs() <= 1).all(dim=1).sum()


def test_the_report_and_its_tables_hold_the_same_figures(tmp_path):
    comparison = compare(Brighter(tmp_path), [Add("nothing", 0.0), Add("<third>", 1 / 3)])
    page = write_report(comparison, "latentlab <compare>", excluded=["nothing"]).read_text()
    assert "latentlab &lt;compare&gt;" in page and "&lt;third&gt;" in page and "<third>" not in page
    assert page.count("data:image/png;base64,") == 3
    results = pq.read_table(tmp_path / "results.parquet").to_pandas()
    assert len(results) == 8 and set(results["method"]) == {"nothing", "<third>"}
    table = list(csv.DictReader((tmp_path / "table.csv").open()))
    for row in comparison.results:
        own = results[results["method"] == row.name]
        for name, values in row.columns.items():
            assert own[name].to_numpy() == pytest.approx(values)
            (line,) = [x for x in table if (x["method"], x["measure"]) == (row.name, name)]
            assert float(line["mean"]) == row.intervals[name].mean and float(line["low"]) == row.intervals[name].low
    grid, measures, worst = (load_image(tmp_path / f"{name}.png") for name in ("grid", "measures", "worst"))
    for level in LEVELS:  # every image is in the grid at least twice: given, and as the method "nothing" left it
        assert pixels_of(grid, level) > 1.9 * (1.1 * 150) ** 2
    assert (to_bytes(measures) != 255).any(dim=1).sum() > 1000
    assert pixels_of(worst, LEVELS[0] + 1 / 3) > 0.9 * (1.1 * 150) ** 2  # all are alike: the first is the worst


def test_a_second_run_writes_the_same_report(tmp_path):
    pages = [
        write_report(compare(Brighter(tmp_path), [Add("a", 0.1), Add("b", 0.3)]), "a command").read_bytes()
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


def test_a_section_with_a_row_that_ends_early_is_drawn(tmp_path):
    section = ReportSection(
        "Strengths", "Of all.", ("method", "strength", "reached"), (("a", "0.5 [0.1, 0.9]", "1"), ("b",))
    )
    page = write_report(compare(Brighter(tmp_path), [Add("a", 0.1)]), "a command", [section]).read_text()
    assert '<td class="text">b</td><td></td><td></td>' in page
    assert "<td>0.5<br><span class=interval>[0.1, 0.9]</span></td><td>1</td>" in page


def test_the_best_value_is_bold_also_where_its_interval_is_a_point():
    page = table(["", "a", "b"], [["x", "0", "-0.5 [-0.6, -0.4]"]], [(0, 1), (0, 2)])
    assert "<td><b>0</b></td>" in page and "<td><b>\N{MINUS SIGN}0.5</b><br>" in page


# --- conclusions -----------------------------------------------------------------------------------------------


def result_of(name, values, measure="x"):
    values = np.asarray(values, dtype=float)
    images = torch.zeros(len(values), 3, 1, 1)
    return MethodResult(name, images, {measure: values}, {measure: mean_interval(values)}, {})


NOISE = np.linspace(-0.1, 0.1, 12)


@pytest.mark.parametrize("better", ["more", "less"])
def test_conclusions_follow_from_the_differences_on_the_same_images(better):
    sign = 1.0 if better == "more" else -1.0
    measures = [Measure("x", "X", better)]
    far, near, best = (
        result_of(name, sign * (value + spread))
        for name, value, spread in (("far", 0.0, NOISE), ("near", 0.995, NOISE[::-1]), ("best", 1.0, NOISE))
    )
    (ahead,) = draw_conclusions([far, best], measures)
    assert ahead.startswith("X: best is best, ")
    (close,) = draw_conclusions([far, near, best], measures)
    assert "best has the best mean" in close and close.endswith("cannot be told from near.")
    (all_close,) = draw_conclusions([near, best], measures)
    assert all_close.endswith("cannot be told from any other method.")
    assert draw_conclusions([best], measures) == [] and draw_conclusions([far, best], measures, excluded=["far"]) == []
    assert draw_conclusions([far, best], [Measure("x", "X", "neither")]) == []
    assert draw_conclusions([far, result_of("none", [np.nan] * 12)], measures) == []


def test_images_that_differ_much_do_not_hide_a_difference_on_each_of_them():
    """The intervals overlap, the differences of pairs do not."""
    images = np.linspace(0, 10, 12)
    one, other = result_of("one", images + 0.1 + NOISE / 10), result_of("other", images)
    assert one.intervals["x"].overlaps(other.intervals["x"])
    measures = [Measure("x", "X", "more")]
    assert draw_conclusions([one, other], measures)[0].startswith("X: one is best")
    assert best_methods([one, other], measures) == {"x": "one"}


def test_no_method_wins_on_few_images_however_far_it_is_ahead():
    measures = [Measure("x", "X", "more"), Measure("y", "Y", "more")]
    few = [result_of(name, value + NOISE[:9]) for name, value in (("far", 0.0), ("ahead", 100.0))]
    assert draw_conclusions(few, measures[:1]) == [
        "No method is called best: 9 held-out images are too few, it takes 10."
    ]
    assert best_methods(few, measures[:1]) == {}
    both = [
        replace(one, intervals={**one.intervals, "y": Interval(k, k - 0.1, k + 0.1, 12)}) for k, one in enumerate(few)
    ]
    first, second = draw_conclusions(both, measures)
    assert first.startswith("Y: ahead is best") and second.startswith("No method is called best by X: 9 held-out")


def test_the_best_of_many_has_to_be_further_ahead_than_the_better_of_two():
    """A t of 2.3 with 11 degrees of freedom: 0.04 for a pair, and too much for one of five pairs."""
    spread = NOISE - NOISE.mean()
    step = 2.3 * spread.std(ddof=1) / 12**0.5
    best, *others = [result_of("best", spread + step), *(result_of(f"other{k}", np.zeros(12)) for k in range(5))]
    measures = [Measure("x", "X", "more")]
    assert best_methods([best, others[0]], measures) == {"x": "best"}
    assert best_methods([best, *others], measures) == {}


def test_the_worst_are_the_worst():
    results = [result_of("one", [0.3, np.nan, 0.1, 0.2]), result_of("none", [np.nan] * 4)]
    more, less = Measure("x", "X", "more"), Measure("x", "X", "less")
    assert [(w.method, w.index, w.value) for w in worst_images(results, [more])] == [("one", 2, 0.1)]
    assert [(w.method, w.index, w.value) for w in worst_images(results, [less])] == [("one", 0, 0.3)]
    assert worst_images(results, [Measure("x", "X", "more", share=True), Measure("x", "X", "neither")]) == []
    assert worst_images(results, [more], excluded=["one"]) == []


# --- costs, and a killed run --------------------------------------------------------------------------------


def test_a_stopwatch_goes_on_where_it_was(tmp_path):
    first = Stopwatch(tmp_path / "seconds.json")
    first.note()
    (tmp_path / "seconds.json").write_text('{"seconds": 40.0}')
    assert 40.0 <= Stopwatch(tmp_path / "seconds.json").seconds < 50.0


class Slow(Add):
    """Tells how far it is while it learns, which takes a while, and when it finds again what it learnt."""

    def fit(self, task, folder, stage):
        super().fit(task, folder, stage)
        with stage("learning") as step:
            step(1, 1)


def test_a_run_that_finds_all_done_leaves_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "_SAVE_SECONDS", -1.0)
    left = []
    for _ in range(2):
        compare(Brighter(tmp_path), [Slow("slow", 0.1)])
        left.append({path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()})
    assert left[0] == left[1] and not [path for path in left[0] if path.name == "seconds.json"]


PEAKS = """
import json
import torch
from latentlab.comparison.costs import PeakMemory

def peak_of(gigabytes):
    before = PeakMemory()
    block = torch.ones(round(gigabytes * 1e9 / 4))
    assert block[-1] == 1
    return before.gigabytes()["memory_gigabytes"]

print(json.dumps([peak_of(size) for size in (0.01, 0.4, 0.01)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not report it")
def test_memory_is_that_of_what_happens_now():
    """In a process of its own: this one may hold memory that earlier tests have freed."""
    printed = subprocess.run([sys.executable, "-c", PEAKS], check=True, capture_output=True, text=True).stdout
    small, large, again = json.loads(printed)
    assert small + 0.3 < large
    if sys.platform == "linux":  # elsewhere the peak is that of the whole process
        assert again < large - 0.3


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_compare import Add, Brighter, compare

class Slow(Add):
    def apply(self, pictures):
        print("applying", flush=True)
        sys.stdin.read()  # until it is killed
        return super().apply(pictures)

compare(Brighter({folder!r}), [Add("quick", 0.2), Slow("slow", 0.3)])
print("done", flush=True)
"""


def test_a_killed_comparison_goes_on_to_the_same_result(tmp_path):
    text = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "killed"))
    process = Program(textwrap.dedent(text))
    assert process.stdout.readline() == "applying\n"
    process.kill()
    assert process.wait() == -signal.SIGKILL
    made = next((tmp_path / "killed" / "made").glob("quick-*/a.png"))
    os.utime(made, (0, 0))
    stopped = compare(Brighter(tmp_path / "killed"), [Add("quick", 0.2), Add("slow", 0.3)])
    assert made.stat().st_mtime == 0  # it was not made again
    whole = compare(Brighter(tmp_path / "whole"), [Add("quick", 0.2), Add("slow", 0.3)])
    for one, other in zip(stopped.results, whole.results, strict=True):
        assert torch.equal(one.images, other.images) and one.intervals == other.intervals


# --- metrics beyond the task's own --------------------------------------------------------------------------


class MeanShift:
    """A metric of somebody else's: how much brighter the images are than those they are compared with."""

    title = "brighter than the truth"
    higher_is_better = False

    def __init__(self):
        self.reset()

    def reset(self):
        self.shifts = []

    def update(self, before, after):
        self.shifts.append((after - before).mean(dim=(1, 2, 3)).double().numpy())

    @property
    def values(self):
        return np.concatenate(self.shifts)

    def compute(self):
        return mean_interval(self.values)


def test_a_metric_of_ones_own_is_measured_of_every_method(tmp_path):
    comparison = compare(Brighter(tmp_path), [Add("nothing", 0.0), Add("third", 1 / 3)], metrics={"shift": MeanShift()})
    assert comparison.measures[-1] == Measure("shift", "brighter than the truth", "less")
    nothing, third = comparison.results
    assert nothing.intervals["shift"].mean == pytest.approx(-1 / 3, abs=1 / 255)
    assert third.columns["shift"] == pytest.approx([0] * 4, abs=1 / 255)
    assert "Brighter than the truth" in write_report(comparison, "a command").read_text()
    assert "shift" in pq.read_table(tmp_path / "results.parquet").column_names


def test_metrics_are_found_by_name_and_their_names_differ_from_the_tasks(tmp_path):
    assert list(load_metrics(["outside-change", "sharpness"])) == ["outside_change", "sharpness"]
    with pytest.raises(UserError, match="no metric is called 'sharpnes'; did you mean sharpness"):
        load_metrics(["sharpnes"])
    with pytest.raises(UserError, match="measures far already"):
        compare(Brighter(tmp_path), [Add("a", 0.1)], metrics={"far": MeanShift()})


def test_what_cannot_be_measured_is_unknown_and_the_report_says_why(tmp_path):
    class TooSmall(MeanShift):
        title = "likeness"

        def update(self, before, after):
            raise UserError("images of 16 pixels are too small")

    class Lit(Brighter):
        """Of dark images there is no level."""

        measures = (*Brighter.measures[:2], Measure("level", "its level", "neither", unknown="it is dark"))
        labels = ("first", "second", "third", "fourth")

        def measure(self, made):
            found = super().measure(made)
            return found | {"level": np.where(found["level"] > 0, found["level"], np.nan)}

        def measure_set(self, made):
            return {}

    methods = [Add("dark", -0.5), Add("half", 0.0), Add("light", 0.9)]
    comparison = compare(Lit(tmp_path), methods, metrics={"likeness": TooSmall()})
    assert not any(one.failure for one in comparison.results)
    page = write_report(comparison, "a command").read_text()
    assert "Likeness is unknown for dark, half, light: images of 16 pixels are too small." in page
    assert "Its level is unknown for dark: it is dark." in page
    assert "Its level is unknown for 2 of 4 images of half, which are left out of the mean: it is dark." in page
    assert "<td>unknown</td>" in page and "nan" not in page.split("base64")[0]
    assert '<td class="text">fourth</td>' in page and '<td class="text">d</td>' not in page  # of the worst images
    assert "No method is called best: 4 held-out images are too few" in page and "<b>" not in page


def test_a_metric_without_an_interval_is_told(tmp_path):
    class Number(MeanShift):
        def compute(self):
            return 3.0

    (result,) = compare(Brighter(tmp_path), [Add("a", 0.1)], metrics={"shift": Number()}).results
    assert "compute of the metric shift returns float, not a latentlab Interval" in result.failure
