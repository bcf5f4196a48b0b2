"""A study end to end on a tiny generator: its files, its figures, and runs that are killed and go on."""

import json
import re
import signal
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, make_tiny
from PIL import Image
from sklearn.metrics import roc_auc_score

from latentlab.directions import Direction
from latentlab.editing import in_sigmas
from latentlab.errors import UserError
from latentlab.pipelines import Components, StudySettings, study_attribute
from latentlab.pipelines.study import summary
from latentlab.pipelines.study.settings import begun_precision, claim
from latentlab.samples import SampleTable, split
from latentlab.scorers import FunctionScorer
from tests.processes import Program

SETTINGS = StudySettings(
    name="light", attribute="bright", network="tiny", scorer="brightness", samples=160, edited_faces=10
)
METHODS = ("style-correlation", "svm")
SIDES = {"towards": "towards", "away": "away from"}  # and how the report calls them


def brightness(pictures: torch.Tensor) -> torch.Tensor:
    """Two scores that add up to one: (b, 2). The generator's pictures are bright in a third of the cases."""
    bright = torch.sigmoid(8 * (pictures.mean(dim=(1, 2, 3)) - OFFSET))
    return torch.stack([1 - bright, bright], dim=1)


OFFSET = 0.15


def make_generator():
    """As the suite's tiny generator, but its w is not nearly the same for every z."""
    return make_tiny(replace(TINY, z_dim=16, w_dim=16, mapping_lr_multiplier=1.0))


@pytest.fixture(scope="module")
def lively():
    return make_generator()


def run_study(generator, scorer, settings, folder, *options, **more):
    """`study_attribute` with networks that are loaded already."""
    return study_attribute(Components.load(generator, scorer), settings, folder, *options, **more)


def make_scorer() -> FunctionScorer:
    return FunctionScorer(("dark", "bright"), brightness, fingerprint="brightness 1")


class Counting:
    """A generator that counts the pictures it renders."""

    def __init__(self, generator) -> None:
        self.generator, self.pictures = generator, 0

    def __getattr__(self, name: str):
        return getattr(self.generator, name)

    @property
    def synthesis(self):
        return CountingSynthesis(self)


class CountingSynthesis:
    """The synthesis of a generator that counts."""

    def __init__(self, counting: Counting) -> None:
        self.counting, self.synthesis = counting, counting.generator.synthesis

    def __call__(self, ws, **options):
        self.counting.pictures += len(ws)
        return self.synthesis(ws, **options)

    def styles(self, ws):
        return self.synthesis.styles(ws)

    def from_styles(self, styles, *options):
        self.counting.pictures += len(next(iter(styles.values())))
        return self.synthesis.from_styles(styles, *options)


@contextmanager
def one_thread() -> Iterator[None]:
    """As in the killed runs: sums in another order would differ in the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def finished(lively, tmp_path_factory):
    """One whole study: what it found, and its folder."""
    folder = tmp_path_factory.mktemp("study") / "run"
    with one_thread():
        study = run_study(lively, make_scorer(), SETTINGS, folder, "the command")
    return study, folder


def report_of(folder: Path) -> str:
    return (folder / "report.md").read_text(encoding="utf-8")


def content(folder: Path) -> dict[str, bytes]:
    """All files by name, but those that a killed process left unfinished."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def edits_of(folder: Path, part: str) -> pd.DataFrame:
    """An edit table as pandas reads it, (faces, strengths) by seed and strength."""
    frame = pd.read_parquet(folder / "edits" / part)
    frame["changed"] = (frame["bright"] > frame["dark"]) == part.endswith("towards")
    return frame


# --- what is found ------------------------------------------------------------------------------------------


def test_the_files_are_there(finished):
    _, folder = finished
    names = {name for name in content(folder) if not name.startswith("walk.mp4")}
    assert names == {
        "run.json", "report.md", "walk.png", "walk.gif", "response.png", "samples/_manifest.json",
        *(f"light-{m}.safetensors" for m in METHODS), *(f"calibration-{m}.json" for m in METHODS),
        *(f"samples/shard-{k:05d}.parquet" for k in range(3)),
        *(f"edits/{m}-{side}/part-{k:03d}.parquet" for m in METHODS for side in SIDES for k in (0, 1)),
    }  # fmt: skip
    with Image.open(folder / "walk.gif") as animation:
        assert animation.n_frames == 60 and animation.info["duration"] == 40
        assert animation.size == (3 * 16, 16)
    for figure in ("walk.png", "response.png"):
        with Image.open(folder / figure) as image:
            assert min(image.size) > 200


def test_both_classes_occur_and_are_told_apart(finished):
    study, _ = finished
    share = study.table.is_positive("bright").mean()
    assert 0.15 < share < 0.85
    assert list(study.fits) == list(METHODS)
    for fit in study.fits.values():
        assert fit.held_out.auc > 0.85
        assert fit.held_out.n == study.test.sum()


def test_edits_move_the_label(finished):
    study, _ = finished
    for method, edits in study.edits.items():
        reach = study.reach[method]
        assert reach.towards > 0 > reach.away
        assert (edits.towards.strengths[-1], edits.away.strengths[-1]) == (reach.towards, reach.away)
        for table, before, sign in ((edits.towards, False, 1), (edits.away, True, -1)):
            labels = table.is_positive("bright")
            assert (labels[:, 0] == before).all()  # strength 0 is the face as it was
            steps = np.diff(table.column("bright").mean(axis=0)) * sign
            assert (steps > 0).all()
    # Ten channels of so small a generator do less.
    assert (study.edits["svm"].towards.is_positive("bright")[:, -1]).mean() >= 0.8
    assert (~study.edits["svm"].away.is_positive("bright")[:, -1]).mean() >= 0.8


def test_edited_faces_are_held_out_ones(finished):
    study, _ = finished
    held_out = study.table.subset(study.test)
    bright = held_out.is_positive("bright")
    for edits in study.edits.values():
        assert edits.towards.seeds.tolist() == held_out.seeds[~bright][:10].tolist()
        assert edits.away.seeds.tolist() == held_out.seeds[bright][:10].tolist()
    assert not set(study.table.seeds[study.train]) & set(edits.towards.seeds)


def test_strength_zero_scores_as_the_sample_did(finished):
    study, _ = finished
    scores = dict(zip(study.table.seeds.tolist(), study.table.column("bright"), strict=True))
    for edits in study.edits.values():
        for table in (edits.towards, edits.away):
            again = [scores[seed] for seed in table.seeds.tolist()]
            np.testing.assert_allclose(table.column("bright")[:, 0], again, atol=1e-4)


def test_the_report_is_that_of_the_tables(finished, lively):
    """Every figure is computed anew from the files, by other means than the study's."""
    _, folder = finished
    report = report_of(folder)
    samples = pd.read_parquet(folder / "samples").sort_values("seed")
    w = np.stack(samples["w"]).astype(np.float64)
    bright = (samples["bright"] > samples["dark"]).to_numpy()
    assert re.search(
        rf" {100 * bright.mean():.0f} % \[\d+, \d+\] \({bright.sum()} of 160\) count as \*bright\*\.", report
    )
    assert f"| bright | {bright.sum()} | {bright.mean():.1%} |" in report
    assert f"| dark | {(~bright).sum()} | {(~bright).mean():.1%} |" in report
    seeds = samples["seed"].to_numpy()
    nothing = np.zeros((160, 0), np.float32)
    _, test = split(SampleTable(seeds, np.zeros(160, np.float32), nothing, nothing, ()))
    assert f"Directions are learnt on {(~test).sum()} samples; {test.sum()} are held out" in report
    with torch.no_grad():
        ws = torch.from_numpy(w.astype(np.float32))[:, None].expand(-1, lively.num_ws, -1)
        styles = {layer: found.numpy() for layer, found in lively.synthesis.styles(ws).items()}
    for method in METHODS:
        direction = Direction.load(folder / f"light-{method}.safetensors")
        if direction.space == "w":
            position = w @ direction.vector.astype(np.float64)
        else:
            places = list(zip(direction.channels.layers, direction.channels.indices, strict=True))
            spread = np.array([styles[layer][~test, index].std() for layer, index in places])
            np.testing.assert_allclose(direction.channels.scales, spread, rtol=1e-4)
            position = sum(
                move * styles[layer][:, index] / sd
                for (layer, index), move, sd in zip(places, direction.vector, spread, strict=True)
            )
        decision = position + direction.intercept
        accuracy = ((decision > 0) == bright)[test].mean()
        auc = roc_auc_score(bright[test], decision[test])
        (found,) = [one for one in report.splitlines() if one.startswith(f"| {method} |")]
        _, _, share, area, *counts, _ = (cell.strip() for cell in found.split("|"))
        assert share.endswith(f" ({round(accuracy * test.sum())} of {test.sum()})")
        assert float(area.split(" [")[0]) == pytest.approx(auc, abs=0.006)
        assert counts == [str(bright[test].sum()), str((~bright)[test].sum())]
        assert direction.statistics["held_out_auc"] == pytest.approx(auc, abs=1e-3)
        lines = report.split(f"### {method}\n")[1].splitlines()
        for side, word in SIDES.items():
            frame = edits_of(folder, f"{method}-{side}")
            start = samples.set_index("seed").loc[frame["seed"].unique(), "bright"].mean()
            for strength, rows in frame.groupby("strength"):
                k, n = rows["changed"].sum(), len(rows)
                sigmas = strength / np.std(position[~test])
                assert in_sigmas(direction, strength) == pytest.approx(sigmas, rel=1e-4)
                line = f"| {word} bright | {strength:+.2f} ({sigmas:+.1f} σ) | {100 * k / n:.0f} % ["
                found = next(one for one in lines if one.startswith(line))
                assert found.endswith(f" ({k} of {n}) | {start:.2f} → {rows['bright'].mean():.2f} |")
    main = Direction.load(folder / "light-style-correlation.safetensors")
    strongest = int(np.abs(main.vector).argmax())
    assert f"in standard deviations of each: {main.channels.names[strongest]} {main.vector[strongest]:+.2f}, " in report


def test_the_report_says_how_to_make_it_again(finished, lively):
    study, folder = finished
    report = report_of(folder)
    assert "Seeds 600 … 759 at psi 0.7, rendered at the full resolution (16×16) and scored by `brightness`" in report
    for words in ("`the command`", lively.fingerprint, "brightness 1", f"torch {version('torch')}"):
        assert words in report
    lines = summary(study)
    assert len(lines) == 3
    for method, line in zip(METHODS, lines[1:], strict=True):
        assert f"{method}: held-out AUC {study.fits[method].held_out.auc:.2f}" in line


def test_directions_carry_their_cards(finished, lively):
    _, folder = finished
    for method, kind in (("style-correlation", "StyleCorrelation"), ("svm", "LinearSVM")):
        direction = Direction.load(folder / f"light-{method}.safetensors")
        assert (direction.method, direction.attribute) == (kind, "light")
        assert (direction.generator, direction.scorer) == (lively.fingerprint, "brightness 1")
        direction.check(lively)


# --- once more ----------------------------------------------------------------------------------------------


def test_once_more_renders_nothing_and_gives_the_same(finished, lively):
    study, folder = finished
    before = content(folder)
    counting = Counting(lively)
    seen = []

    @contextmanager
    def stage(title, unit="image"):
        yield lambda done, total: seen.append((title, done, total))

    with one_thread():
        again = run_study(counting, make_scorer(), SETTINGS, folder, "the command", progress=stage)
    assert counting.pictures == 0
    assert content(folder) == before
    assert summary(again) == summary(study)
    assert seen[0] == ("drawing samples", 160, 160)
    assert {title for title, _, _ in seen} == {"drawing samples", *(f"editing ({method})" for method in METHODS)}


def test_what_was_removed_is_made_again(finished, lively, tmp_path):
    _, folder = finished
    before = content(folder)
    lost = {"report.md", "walk.gif", "edits/style-correlation-away/part-001.parquet", "light-svm.safetensors"}
    for name, data in before.items():
        if name not in lost:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
    counting = Counting(lively)
    with one_thread():
        run_study(counting, make_scorer(), SETTINGS, tmp_path, "the command")
    assert content(tmp_path) == before
    assert counting.pictures == 2 * 3 + 3 * 31  # two faces at three strengths; the animation, one way


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"psi": 0.5}, "psi is 0.7, not 0.5"),
        ({"samples": 200}, "samples is 160, not 200"),
        ({"seed_start": 0}, "seed_start is 600, not 0"),
        ({"attribute": "dark"}, "attribute is bright, not dark"),
        ({"network": "other"}, "network is tiny, not other"),
        ({"edited_faces": 11}, "edited_faces is 10, not 11"),
        ({"rendering": "full"}, "rendering is auto, not full"),
        ({"threshold": 0.4}, "threshold is none, not 0.4"),
        ({"method": "svm"}, "method is style-correlation, not svm"),
    ],
)
def test_other_settings_are_refused(finished, lively, change, words):
    _, folder = finished
    before = content(folder)
    with pytest.raises(UserError, match=f"{re.escape(words)}; ask for the same, or choose another folder"):
        run_study(lively, make_scorer(), replace(SETTINGS, **change), folder)
    assert content(folder) == before


def test_other_networks_are_refused(finished, lively):
    _, folder = finished
    other = FunctionScorer(("dark", "bright"), brightness, fingerprint="brightness 2")
    with pytest.raises(UserError, match="scorer_weights is brightness 1, not brightness 2"):
        run_study(lively, other, SETTINGS, folder)
    changed = make_generator()
    changed.synthesis.b4.const.data += 1
    with pytest.raises(UserError, match="generator is "):
        run_study(changed, make_scorer(), SETTINGS, folder)


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"psi": 0.0}, "psi"),
        ({"psi": float("nan")}, "psi"),
        ({"psi": 2.5}, "psi"),
        ({"seed_start": -1}, "seeds"),
        ({"seed_start": 2**32 - 100}, "seeds"),
        ({"samples": 0}, "20 samples or more"),
        ({"edited_faces": 0}, "edited_faces"),
        ({"attribute": "loud"}, "no score is called 'loud'; there are dark, bright"),
        ({"rendering": "preview"}, "no preview"),
        ({"rendering": "half"}, "not 'half'"),
        ({"threshold": "high"}, "a threshold is a number"),
        ({"name": "a/b"}, "it is no path"),
        ({"method": "mean"}, "by the method style-correlation or svm, not 'mean'"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_and_nothing_is_written(lively, tmp_path, change, words):
    with pytest.raises(UserError, match=words):
        run_study(lively, make_scorer(), replace(SETTINGS, **change), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("offset", [100.0, -100.0])
def test_one_class_is_told(lively, tmp_path, offset):
    scorer = FunctionScorer(("dark", "bright"), lambda pictures: brightness(pictures - offset))
    missing = "0 negative" if offset < 0 else "0 positive"
    with pytest.raises(UserError, match=f"the training rows have .*{missing}.*draw more samples"):
        run_study(lively, scorer, replace(SETTINGS, samples=20), tmp_path)
    assert len(list((tmp_path / "samples").glob("*.parquet"))) == 1  # what was drawn stays


def test_the_networks_are_called_as_the_components_were_loaded(lively, tmp_path):
    settings = replace(SETTINGS, network=None, scorer=None, samples=80, edited_faces=2)
    found = run_study(lively, make_scorer(), settings, tmp_path)
    assert (found.settings.network, found.settings.scorer) == ("Generator", "FunctionScorer")
    assert "in S of `Generator`" in report_of(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["scorer"] == "FunctionScorer"


def test_a_study_of_an_earlier_version_is_left_alone(lively, tmp_path):
    (tmp_path / "run.json").write_text('{"format_version": 1, "samples": 160}')
    with pytest.raises(UserError, match="an earlier version of latentlab made.*choose another folder"):
        run_study(lively, make_scorer(), SETTINGS, tmp_path)
    assert list(content(tmp_path)) == ["run.json"]


def test_the_svm_is_studied_in_w(lively, tmp_path):
    """By --method svm, also of a generator without styles, which ten channels of are refused before any work."""

    class WithoutStyles(Counting):
        def synthesis(self, ws, **options):
            return self.generator.synthesis(ws, **options)

    with pytest.raises(UserError, match="no styles that could be moved.*--method svm"):
        run_study(WithoutStyles(lively), make_scorer(), SETTINGS, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    settings = replace(SETTINGS, method="svm", samples=80, edited_faces=1)
    study = run_study(WithoutStyles(lively), make_scorer(), settings, tmp_path)
    report = report_of(tmp_path)
    vectors = [study.fits[method].direction.vector for method in ("svm", "mean")]
    assert "in W of `tiny`" in report and f"Cosine between svm and mean: {vectors[0] @ vectors[1]:.2f}." in report
    assert len(study.edits["svm"].towards.strengths) == 4


def test_a_foreign_folder_is_left_alone(lively, tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no run; choose another folder"):
        run_study(lively, make_scorer(), SETTINGS, tmp_path)
    assert content(tmp_path) == {"diary.txt": b"mine"}
    with pytest.raises(UserError, match="holds no run; choose another folder"):
        run_study(lively, make_scorer(), SETTINGS, tmp_path / "diary.txt")


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_broken_manifest_is_told(lively, tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        run_study(lively, make_scorer(), SETTINGS, tmp_path)


def test_a_single_score_has_two_sides(lively, tmp_path):
    scorer = FunctionScorer(("bright",), lambda pictures: brightness(pictures)[:, 1], fingerprint="single")
    study = run_study(lively, scorer, replace(SETTINGS, samples=80, edited_faces=2), tmp_path)
    share = study.table.is_positive("bright").mean()
    assert 0 < share < 1
    report = report_of(tmp_path)
    assert f"| samples | bright | not bright |\n| --- | ---: | ---: |\n| all | {round(80 * share)} | " in report
    assert "above one half" in report
    few = "Edits of 2 faces are a first look: it takes 10 of each label to tell methods apart."
    assert f"**{few}**" in report and summary(study)[-1] == few


# --- other attributes, other scales -------------------------------------------------------------------------


def light(pictures: torch.Tensor) -> torch.Tensor:
    """Mean brightness from 0 to 255: (b,)."""
    return 127.5 + 127.5 * pictures.clamp(-1, 1).mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def on_another_scale(lively, tmp_path_factory):
    """A study of a score from 0 to 255, cut at two quantiles, and its folder."""
    folder = tmp_path_factory.mktemp("scale") / "run"
    scorer = FunctionScorer(("light",), light, fingerprint="light 1", threshold="q0.3,q0.7")
    settings = StudySettings(attribute="light", network="tiny", samples=80, edited_faces=2)
    return run_study(lively, scorer, settings, folder), folder, scorer, settings


def test_two_quantiles_part_the_samples(on_another_scale):
    """Cut at one half all samples were positive, and nothing could be learnt."""
    study, folder, _, _ = on_another_scale
    assert study.settings.name == "light" and (folder / "light-style-correlation.safetensors").exists()
    scores = pd.read_parquet(folder / "samples").sort_values("seed")["light"].to_numpy().astype(np.float64)
    low, high = np.quantile(scores[study.train], [0.3, 0.7])
    positive, negative = scores > high, scores < low
    between = ~(positive | negative)
    lines = report_of(folder).splitlines()
    for part, rows in (("all", slice(None)), ("training", study.train), ("held out", study.test)):
        assert f"| {part} | {positive[rows].sum()} | {negative[rows].sum()} | {between[rows].sum()} |" in lines
    assert f"above {high:.4g}, and as *not light* where it is below {low:.4g} (q0.3,q0.7 of" in report_of(folder)
    for found in study.fits.values():
        held_out = (positive | negative)[study.test]
        assert (found.held_out.n, found.held_out.n_positive) == (held_out.sum(), positive[study.test].sum())
        # The SVM learns from classes, style channels from all scores.
        learnt = positive | negative if found.direction.space == "w" else np.ones(80, bool)
        assert found.direction.statistics["n_train"] == learnt[study.train].sum()
    seeds = study.table.seeds
    for edits in study.edits.values():
        assert edits.towards.seeds.tolist() == seeds[study.test & negative][:2].tolist()
        assert edits.away.seeds.tolist() == seeds[study.test & positive][:2].tolist()
        np.testing.assert_array_equal(edits.towards.is_positive("light"), edits.towards.column("light") > high)
        assert (edits.away.labels("light")[:, 0] == 1).all()


def test_studies_at_other_thresholds_do_not_mix(on_another_scale, lively):
    _, folder, scorer, settings = on_another_scale
    before = content(folder)
    for threshold, shown in (("median", "median"), ("q0.5", "median"), (100.0, "100")):
        with pytest.raises(UserError, match=f"threshold is q0.3,q0.7, not {shown};"):
            run_study(lively, scorer, replace(settings, threshold=threshold), folder)
    counting = Counting(lively)
    plain = FunctionScorer(("light",), light, fingerprint="light 1")
    run_study(counting, plain, replace(settings, threshold="q0.3,q0.7"), folder)  # asked for in another place
    assert counting.pictures == 0
    assert content(folder) == before


def test_a_study_without_a_threshold_was_written_without_one(finished, lively, tmp_path):
    """A folder of an earlier version, whose files know of no thresholds and no shares, goes on."""
    _, folder = finished
    for name, data in content(folder).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((folder / name).read_bytes() if name.endswith(".safetensors") else data)
    for name in ("run.json", "calibration-svm.json", "samples/_manifest.json"):
        stored = json.loads((tmp_path / name).read_text())
        for key in ("threshold", "changed_towards", "changed_away"):
            stored.pop(key, None)
        (tmp_path / name).write_text(json.dumps(stored))
    counting = Counting(lively)
    run_study(counting, make_scorer(), SETTINGS, tmp_path)
    assert counting.pictures == 0


def test_the_range_travels_with_each_direction(finished):
    study, folder = finished
    for method in METHODS:
        direction, reach = Direction.load(folder / f"light-{method}.safetensors"), study.reach[method]
        ends, changed = (reach.away, reach.towards), (reach.changed_away, reach.changed_towards)
        assert direction.strength_range == (ends if changed == (1, 1) else None)
        low, high = (f"{s:+.2f} ({in_sigmas(direction, s):+.1f} σ)" for s in ends)
        assert f"Along {method} edits go from {low} to {high}." in report_of(folder)


def test_a_range_that_does_not_do_is_told(lively, tmp_path):
    """Scores that edits do not raise: the weakest strength does as little as any, and the report says so."""
    seen = {}

    def fixed(pictures: torch.Tensor) -> torch.Tensor:
        # The first 80 pictures are the samples; whatever is rendered later is an edit of a negative or positive one.
        seen["n"] = seen.get("n", 0) + len(pictures)
        return brightness(pictures)[:, 1] if seen["n"] <= 80 else torch.full((len(pictures),), 0.45)

    scorer = FunctionScorer(("bright",), fixed, fingerprint="fixed")
    study = run_study(lively, scorer, StudySettings(attribute="bright", samples=80, edited_faces=1), tmp_path)
    report = report_of(tmp_path)
    for method, reach in study.reach.items():
        assert (reach.changed_towards, reach.changed_away) == (0.0, 1.0)
        assert f"0% of these faces changed their label at {reach.towards:+.2f} (+1.0 σ), and no more at any" in report
        assert f"{method} is saved without a range" in report
        assert Direction.load(tmp_path / f"bright-{method}.safetensors").strength_range is None
    assert report.count("changed their label") == 2


# --- killed -------------------------------------------------------------------------------------------------

DRIVER = """
    import sys
    sys.path[:0] = {path!r}
    import torch
    from contextlib import contextmanager
    torch.set_num_threads(1)
    from test_study import SETTINGS, make_generator, make_scorer, run_study

    @contextmanager
    def stage(title, unit="image"):
        def step(done, total):
            print(title, done, total, sep=",", flush=True)
            sys.stdin.readline()  # goes on when it is told to
        yield step

    run_study(make_generator(), make_scorer(), SETTINGS, {folder!r}, "the command", progress=stage)
"""


class Driven:
    """A study in another process, step by step."""

    def __init__(self, folder: Path) -> None:
        here = Path(__file__).parent
        path = [str(here.parents[1]), str(here), str(here.parent)]
        script = textwrap.dedent(DRIVER.format(path=path, folder=str(folder)))
        self.process = Program(script)
        self.steps: list[tuple[str, int, int]] = []

    def go(self, title: str | None = None, done: int = 0) -> None:
        """Go on until the step of `title` at which `done` pictures are done; to the end without one."""
        for line in self.process.stdout:
            name, count, total = line.strip().split(",")
            self.steps.append((name, int(count), int(total)))
            if name == title and int(count) >= done:
                return
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        assert title is None, f"{title} never came: {self.steps}"

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL

    def end(self) -> None:
        self.go()
        assert self.process.wait() == 0


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_gives_the_same(finished, tmp_path):
    _, whole = finished
    folder = tmp_path / "killed"
    points = [("drawing samples", 100), ("editing (style-correlation)", 24), ("drawing the walk", 20)]
    kept: dict[str, bytes] = {}
    for title, done in points:
        run = Driven(folder)
        run.go(title, done)
        run.kill()
        assert not (folder / "report.md").exists()
        found = content(folder)
        assert found.items() >= kept.items()  # what was done stays as it was
        assert len(found) > len(kept)
        kept = found
        if title == "drawing samples":
            assert [name for name in found if name.endswith(".parquet")] == ["samples/shard-00000.parquet"]
    last = Driven(folder)
    last.end()
    assert last.steps[0] == ("drawing samples", 160, 160)
    assert "calibrating" not in {title for title, _, _ in last.steps}
    assert content(folder) == content(whole)
    assert json.loads((folder / "run.json").read_text())["samples"] == 160


def test_a_run_killed_as_it_began_goes_on(lively, tmp_path):
    (tmp_path / ".0123456789abcdef.json").write_text('{"format_ver')  # half a manifest, beside its name
    with one_thread():
        run_study(lively, make_scorer(), replace(SETTINGS, samples=80, edited_faces=1), tmp_path)
    assert (tmp_path / "report.md").exists()


def test_a_study_goes_on_in_its_own_precision(tmp_path):
    settings, manifest = StudySettings(precision="bfloat16"), tmp_path / "run.json"
    assert begun_precision(tmp_path) is None
    claim(tmp_path, settings, {})
    assert begun_precision(tmp_path) == "bfloat16"
    with pytest.raises(UserError, match="precision is bfloat16, not float32"):
        claim(tmp_path, replace(settings, precision="float32"), {})
    stored = json.loads(manifest.read_text())
    del stored["precision"]  # as studies of before are
    manifest.write_text(json.dumps(stored))
    assert begun_precision(tmp_path) == "float32"
    claim(tmp_path, replace(settings, precision="float32"), {})
    with pytest.raises(UserError, match="precision is float32, not bfloat16"):
        claim(tmp_path, settings, {})
    with pytest.raises(UserError, match="precision is auto, float32 or bfloat16"):
        StudySettings(precision="half")
