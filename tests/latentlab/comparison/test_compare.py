"""The comparison itself, on a toy task whose every figure is known: grey pictures that are to become brighter."""

import csv
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from latentlab.comparison import Figure, Method, compare, findings, summary_lines, worst, write_report
from latentlab.comparison.costs import PeakMemory, Stopwatch
from latentlab.comparison.run import Row
from latentlab.errors import UserError
from latentlab.metrics import Interval, mean_interval

LEVELS = (-0.5, -0.25, 0.0, 0.25)


class Brighter:
    """The task: every picture a third brighter than it is."""

    title = "Making four plain pictures brighter"
    size = 16
    names = ("a", "b", "c", "d")
    training_key = {"set": 1}
    held_out_key = {"pictures": list(LEVELS)}
    limits = "It is a toy."
    figures = (
        Figure("bright", "brighter than 0", "more", share=True),
        Figure("far", "distance from what it should be", "less"),
        Figure("level", "its level", "neither"),
        Figure("spread", "spread of all", "less"),
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

    def over_all(self, made):
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
    nothing, third, much = comparison.rows
    byte = 1 / 255  # pictures are kept as files of bytes
    assert nothing.figures["bright"].mean == 0.5  # the byte nearest to 0 lies a little above it
    assert third.figures["bright"].mean == 0.75 and much.figures["bright"].mean == 1.0
    for row, far in ((nothing, 1 / 3), (third, 0.0), (much, 0.625 - 1 / 3)):
        assert row.columns["far"] == pytest.approx([far] * 4, abs=1.01 * byte)
        assert row.figures["far"].mean == pytest.approx(far, abs=byte)
        assert row.columns["level"] - nothing.columns["level"] == pytest.approx(
            row.columns["level"][0] - nothing.columns["level"][0], abs=2 * byte
        )
    assert much.costs["prepare_seconds"] == 2.0 and nothing.costs["prepare_seconds"] == 0.0
    assert {"fit_seconds", "apply_seconds", "megabytes"} <= much.costs.keys()
    assert nothing.figures["spread"].mean == pytest.approx(float(torch.tensor(LEVELS).std()), abs=byte)


def test_what_was_made_is_found_again_and_other_inputs_are_made_anew(tmp_path):
    first = compare(Brighter(tmp_path), [Add("a", 0.2)])
    again, other = Add("a", 0.2), Add("a", 0.3)
    second = compare(Brighter(tmp_path), [again])
    assert (again.learnt, again.applied) == (0, 0)
    assert torch.equal(first.rows[0].pictures, second.rows[0].pictures) and first.rows[0].costs == second.rows[0].costs
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
    ("error", "told"),
    [
        (UserError("there are no faces"), "there are no faces"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (torch.zeros(4, 3, 8, 8), "(4, 3, 8, 8), not (4, 3, 16, 16)"),
        (torch.full((4, 3, 16, 16), torch.nan), "not finite"),
        (None, "AttributeError"),
    ],
)
def test_a_method_that_fails_says_why_and_takes_nobody_down(tmp_path, error, told):
    task = Brighter(tmp_path)
    comparison = compare(task, [Add("before", 0.1), Raises(error), Add("after", 0.2)])
    assert [bool(row.failure) for row in comparison.rows] == [False, True, False]
    assert told in comparison.rows[1].failure and comparison.rows[1].pictures is None
    page = write_report(comparison, "a command").read_text()
    assert comparison.rows[1].name in page and "failed" in page and "before" in page
    assert any("failed" in line for line in summary_lines(comparison))


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


def test_the_report_and_its_tables_hold_the_same_figures(tmp_path):
    comparison = compare(Brighter(tmp_path), [Add("nothing", 0.0), Add("<third>", 1 / 3)])
    page = write_report(comparison, "latentlab <compare>", floors=["nothing"]).read_text()
    assert "latentlab &lt;compare&gt;" in page and "&lt;third&gt;" in page and "<third>" not in page
    assert page.count("data:image/png;base64,") == 3
    results = pq.read_table(tmp_path / "results.parquet").to_pandas()
    assert len(results) == 8 and set(results["method"]) == {"nothing", "<third>"}
    table = list(csv.DictReader((tmp_path / "table.csv").open()))
    for row in comparison.rows:
        own = results[results["method"] == row.name]
        for name, values in row.columns.items():
            assert own[name].to_numpy() == pytest.approx(values)
            (line,) = [x for x in table if (x["method"], x["figure"]) == (row.name, name)]
            assert float(line["mean"]) == row.figures[name].mean and float(line["low"]) == row.figures[name].low
    for name in ("grid.png", "measures.png", "worst.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_a_second_run_writes_the_same_report(tmp_path):
    pages = [
        write_report(compare(Brighter(tmp_path), [Add("a", 0.1), Add("b", 0.3)]), "a command").read_bytes()
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


# --- findings -----------------------------------------------------------------------------------------------


def row_of(name, values, figure="x"):
    values = np.asarray(values, dtype=float)
    return Row(name, torch.zeros(len(values), 3, 1, 1), {figure: values}, {figure: mean_interval(values)}, {})


@pytest.mark.parametrize("better", ["more", "less"])
def test_findings_follow_from_the_intervals(better):
    sign = 1.0 if better == "more" else -1.0
    figure = Figure("x", "X", better)
    spread = np.array([-0.1, 0.0, 0.1, 0.0])
    far, near, best = (row_of(n, sign * (v + spread)) for n, v in (("far", 0.0), ("near", 0.95), ("best", 1.0)))
    assert findings([far, best], [figure])[0].startswith("X: best leads beyond the interval")
    told = findings([far, near, best], [figure])[0]
    assert "best has the best mean" in told and told.endswith("not told apart from near.")
    assert "no method is told apart" in findings([near, best], [figure])[0]
    assert findings([best], [figure]) == [] and findings([far, best], [figure], floors=["far"]) == []
    assert findings([far, best], [Figure("x", "X", "neither")]) == []
    assert findings([far, row_of("none", [np.nan] * 4)], [figure]) == []


def test_the_worst_are_the_worst():
    rows = [row_of("one", [0.3, np.nan, 0.1, 0.2]), row_of("none", [np.nan] * 4)]
    more, less = Figure("x", "X", "more"), Figure("x", "X", "less")
    assert [(w.method, w.index, w.value) for w in worst(rows, [more])] == [("one", 2, 0.1)]
    assert [(w.method, w.index, w.value) for w in worst(rows, [less])] == [("one", 0, 0.3)]
    assert worst(rows, [Figure("x", "X", "more", share=True), Figure("x", "X", "neither")]) == []
    assert worst(rows, [more], floors=["one"]) == []


# --- costs, and a killed run --------------------------------------------------------------------------------


def test_a_stopwatch_goes_on_where_it_was(tmp_path):
    first = Stopwatch(tmp_path / "seconds.json")
    first.note()
    (tmp_path / "seconds.json").write_text('{"seconds": 40.0}')
    assert 40.0 <= Stopwatch(tmp_path / "seconds.json").seconds < 50.0


def test_memory_is_that_of_what_happens_now():
    before = PeakMemory()
    block = torch.zeros(30_000_000)  # 120 MB
    block.add_(1)
    held = before.gigabytes()
    assert "memory_gigabytes" not in held or held["memory_gigabytes"] > 0.12


SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
from test_compare import Add, Brighter, compare

class Slow(Add):
    def apply(self, pictures):
        print("applying", flush=True)
        time.sleep(600)
        return super().apply(pictures)

compare(Brighter({folder!r}), [Add("quick", 0.2), Slow("slow", 0.3)])
print("done", flush=True)
"""


def test_a_killed_comparison_goes_on_to_the_same_result(tmp_path):
    text = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "killed"))
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(text)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "applying\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = next((tmp_path / "killed" / "made").glob("quick-*/a.png"))
    age = made.stat().st_mtime_ns
    time.sleep(0.01)
    stopped = compare(Brighter(tmp_path / "killed"), [Add("quick", 0.2), Add("slow", 0.3)])
    assert made.stat().st_mtime_ns == age  # it was not made again
    whole = compare(Brighter(tmp_path / "whole"), [Add("quick", 0.2), Add("slow", 0.3)])
    for one, other in zip(stopped.rows, whole.rows, strict=True):
        assert torch.equal(one.pictures, other.pictures) and one.figures == other.figures
