"""The sample table: its rows, its shards, and a run that is killed and goes on."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab import precision
from latentlab.errors import UserError
from latentlab.pipelines import Components, LabelSettings, label_samples
from latentlab.samples import SampleSettings, SampleStore, SampleTable, concatenate, draw_samples, join, split
from latentlab.scorers import (
    AttributeScorer,
    FunctionScorer,
    ScorerSet,
    load_scorer,
    parse_threshold,
    scores_and_logits,
)
from stylegan2.sampling import z_from_seeds
from tests.conftest import stage_with
from tests.latentlab.projection.interrupted import kill_at


def brightness(pictures: torch.Tensor) -> torch.Tensor:
    """Two scores that add up to one: (b, 2)."""
    bright = torch.sigmoid(3 * pictures.mean(dim=(1, 2, 3)))
    return torch.stack([bright, 1 - bright], dim=1)


@pytest.fixture(scope="session")
def scorer():
    return FunctionScorer(("bright", "dark"), brightness)


def make_settings(tiny, scorer, **changes) -> SampleSettings:
    values = {
        "generator": tiny.fingerprint, "scorer": scorer.fingerprint, "names": scorer.names, "psi": 0.7,
        "seed_start": 600, "samples": 22, "resolution": 16, "shard_size": 6,
    }  # fmt: skip
    return SampleSettings(**{**values, **changes})


def make_table(seeds, w_dim=3, names=("a", "b")) -> SampleTable:
    rng = np.random.default_rng(0)
    n = len(seeds)
    return SampleTable(
        seeds=np.asarray(seeds, dtype=np.int64),
        psi=np.full(n, 0.7, dtype=np.float32),
        w=rng.standard_normal((n, w_dim)).astype(np.float32),
        scores=rng.random((n, len(names))).astype(np.float32),
        names=names,
    )


def assert_same(a: SampleTable, b: SampleTable) -> None:
    assert a.names == b.names
    for name in ("seeds", "psi", "w", "scores"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_rows_are_what_their_seeds_give(tiny, scorer, tmp_path):
    store = SampleStore.open(tmp_path / "samples", make_settings(tiny, scorer))
    table = draw_samples(tiny, scorer, store, batch_size=4)
    assert table.seeds.tolist() == list(range(600, 622))
    seed = 613
    ws = tiny.mapping(z_from_seeds([seed], tiny.z_dim), psi=0.7)
    row = table.subset(table.seeds == seed)
    np.testing.assert_allclose(row.w[0], ws[0, 0], atol=1e-5)
    np.testing.assert_allclose(row.scores, scorer(tiny.synthesis(ws)), atol=1e-5)
    assert row.ws(tiny.num_ws).shape == ws.shape
    torch.testing.assert_close(row.ws(tiny.num_ws), ws, atol=1e-5, rtol=0)


def test_the_batch_size_does_not_change_the_table(tiny, scorer, tmp_path):
    tables = []
    for size in (1, 4, 100):
        store = SampleStore.open(tmp_path / str(size), make_settings(tiny, scorer, samples=9))
        tables.append(draw_samples(tiny, scorer, store, batch_size=size))
    for table in tables[1:]:
        np.testing.assert_allclose(table.w, tables[0].w, atol=1e-5)
        np.testing.assert_allclose(table.scores, tables[0].scores, atol=1e-4)


def test_pandas_reads_the_folder(tiny, scorer, tmp_path):
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    table = draw_samples(tiny, scorer, store)
    frame = pd.read_parquet(tmp_path)
    assert list(frame.columns) == ["seed", "psi", "w", "bright", "dark"]
    assert {k: str(v) for k, v in frame.dtypes.items() if k != "w"} == {
        "seed": "int64", "psi": "float32", "bright": "float32", "dark": "float32"
    }  # fmt: skip
    frame = frame.sort_values("seed")
    np.testing.assert_array_equal(np.stack(frame["w"]), table.w)
    np.testing.assert_array_equal(frame["bright"], table.column("bright"))


def test_progress_counts_every_sample_once(tiny, scorer, tmp_path):
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    seen = []
    stage = stage_with(lambda done, total: seen.append((done, total)))
    draw_samples(tiny, scorer, store, batch_size=4, progress=stage)
    assert seen == [(n, 22) for n in (0, 4, 6, 10, 12, 16, 18, 22)]
    seen.clear()
    draw_samples(tiny, scorer, store, progress=stage)
    assert seen == [(22, 22)]


JOB = """
import sys, torch
torch.set_num_threads(1)
from latentlab.samples import SampleStore, draw_samples
from latentlab.scorers import FunctionScorer
from tests.conftest import make_tiny, stage_with
from tests.latentlab.test_samples import brightness, make_settings

def wait(done, total):
    print("samples", done, flush=True)
    if done >= 40:
        sys.stdin.read()

tiny, scorer = make_tiny(), FunctionScorer(("bright", "dark"), brightness)
store = SampleStore.open(sys.argv[1], make_settings(tiny, scorer, samples=160))
draw_samples(tiny, scorer, store, batch_size=4, progress=stage_with(wait))
"""


def test_a_killed_run_goes_on_and_gives_the_same_table(tiny, scorer, tmp_path):
    settings = make_settings(tiny, scorer, samples=160)
    kill_at(JOB, tmp_path / "killed", "samples 40")
    shards = {p: p.stat().st_mtime_ns for p in (tmp_path / "killed").glob("shard-*.parquet")}
    assert len(shards) == 6
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the script: sums in another order would differ in the last bit
    steps: list[tuple[int, int]] = []
    store = SampleStore.open(tmp_path / "killed", settings)
    draw_samples(tiny, scorer, store, batch_size=4, progress=stage_with(lambda *done: steps.append(done)))
    whole = draw_samples(tiny, scorer, SampleStore.open(tmp_path / "whole", settings), batch_size=4)
    torch.set_num_threads(threads)
    assert steps[0] == (6 * len(shards), 160)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in shards.items())
    assert_same(SampleStore.open(tmp_path / "killed", settings).table(), whole)


SLOW_JOB = """
import sys, torch
torch.set_num_threads(1)
from latentlab.samples import SampleStore, draw_samples, drawing
from latentlab.scorers import FunctionScorer
from tests.conftest import make_tiny, stage_with
from tests.latentlab.test_samples import brightness, make_settings

def wait(done, total):
    print("samples", done, flush=True)
    if done >= 32:
        sys.stdin.read()

drawing.KEEP_SECONDS = -1.0  # as if every batch took longer
tiny, scorer = make_tiny(), FunctionScorer(("bright", "dark"), brightness)
store = SampleStore.open(sys.argv[1], make_settings(tiny, scorer, samples=60, shard_size=64))
draw_samples(tiny, scorer, store, batch_size=4, progress=stage_with(wait))
"""


def test_of_a_shard_that_a_kill_cut_short_only_the_last_batch_is_drawn_again(tiny, scorer, tmp_path):
    settings = make_settings(tiny, scorer, samples=60, shard_size=64)
    kill_at(SLOW_JOB, tmp_path / "killed", "samples 32")
    assert not list((tmp_path / "killed").glob("shard-*"))
    assert len(pd.read_parquet(tmp_path / "killed" / "_begun.parquet")) == 32
    shutil.copytree(tmp_path / "killed", tmp_path / "damaged")
    begun = tmp_path / "damaged" / "_begun.parquet"
    begun.write_bytes(begun.read_bytes()[:-9])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the script
    steps: dict[str, list[int]] = {"whole": [], "killed": [], "damaged": []}
    for name, seen in steps.items():
        store = SampleStore.open(tmp_path / name, settings)
        stage = stage_with(lambda done, total, seen=seen: seen.append(done))
        with pytest.warns(UserWarning, match="is broken") if name == "damaged" else nullcontext():
            draw_samples(tiny, scorer, store, batch_size=4, progress=stage)
    torch.set_num_threads(threads)
    assert steps["killed"] == [0, *range(32, 61, 4)] and steps["damaged"] == steps["whole"] == [*range(0, 61, 4)]
    files = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in steps}
    assert files["killed"] == files["damaged"] == files["whole"]
    assert sorted(files["whole"]) == ["_manifest.json", "shard-00000.parquet"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "other seeds", "other columns"])
def test_a_broken_shard_is_drawn_again(tiny, scorer, tmp_path, damage):
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    table = draw_samples(tiny, scorer, store)
    path = store.path(1)
    content = path.read_bytes()
    middle = content.index(table.w[6:12].tobytes()[:16])  # in the page of the w's
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    other = SampleStore.open(tmp_path / "other", replace(store.settings, names=("x", "y")))
    other.write(1, replace(table.subset(slice(6, 12)), names=("x", "y")))
    damaged = {
        "truncate": content[: len(content) // 2],
        "flip": flipped,
        "empty": b"",
        "other seeds": store.path(0).read_bytes(),
        "other columns": other.path(1).read_bytes(),
    }[damage]
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="shard-00001.parquet is broken"):
        assert store.missing() == {1: range(606, 612)}
    with pytest.warns(UserWarning), pytest.raises(UserError, match="lacks 1 of its 4 shards"):
        store.table()
    with pytest.warns(UserWarning):
        assert_same(draw_samples(tiny, scorer, store), table)
    assert store.missing() == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"psi": 0.5}, "psi is 0.7, not 0.5"),
        ({"samples": 23}, "samples is 22, not 23"),
        ({"generator": "other"}, "generator is .*, not other"),
        ({"resolution": 8}, "resolution is 16, not 8"),
        ({"names": ("bright",)}, "names is .*, not"),
    ],
)
def test_a_folder_of_other_settings_is_refused(tiny, scorer, tmp_path, change, words):
    settings = make_settings(tiny, scorer)
    SampleStore.open(tmp_path, settings)
    with pytest.raises(UserError, match=f"{words}.*choose another folder"):
        SampleStore.open(tmp_path, replace(settings, **change))
    SampleStore.open(tmp_path, settings)


def test_a_store_is_found_without_its_settings(tiny, scorer, tmp_path):
    settings = make_settings(tiny, scorer)
    SampleStore.open(tmp_path, settings)
    assert SampleStore.load(tmp_path).settings == settings
    with pytest.raises(UserError, match="no samples in"):
        SampleStore.load(tmp_path / "none")


@pytest.mark.parametrize("content", ["{", "[]", '{"psi": 1}', '{"format_version": 99}'])
def test_a_broken_manifest_is_refused(tiny, scorer, tmp_path, content):
    (tmp_path / "_manifest.json").write_text(content)
    with pytest.raises(UserError):
        SampleStore.open(tmp_path, make_settings(tiny, scorer))
    with pytest.raises(UserError):
        SampleStore.load(tmp_path)


def test_foreign_folders_are_refused(tiny, scorer, tmp_path):
    (tmp_path / "mine.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="choose another folder"):
        SampleStore.open(tmp_path, make_settings(tiny, scorer))
    with pytest.raises(UserError, match="cannot write"):
        SampleStore.open(tmp_path / "mine.parquet" / "deep", make_settings(tiny, scorer))


def test_scores_of_one_name_are_refused_by_name(tiny, scorer):
    with pytest.raises(UserError, match=r"distinct names other than .*; got 'sad'$"):
        make_settings(tiny, scorer, names=("happy", *["sad"] * 1000))
    with pytest.raises(UserError, match="one score at least"):
        make_settings(tiny, scorer, names=())


@pytest.mark.parametrize(
    "change",
    [
        {"psi": 0.0}, {"psi": float("nan")}, {"psi": 2.5}, {"samples": 0}, {"seed_start": -1},
        {"seed_start": 2**32 - 21}, {"shard_size": 0}, {"noise_mode": "random"}, {"names": ()},
        {"names": ("a", "a")}, {"names": ("w",)},
    ],
    ids=str,
)  # fmt: skip
def test_settings_out_of_range_are_refused(tiny, scorer, change):
    with pytest.raises(UserError):
        make_settings(tiny, scorer, **change)


def test_the_last_seed_is_allowed(tiny, scorer):
    settings = make_settings(tiny, scorer, seed_start=2**32 - 22)
    assert settings.seeds_of(settings.shards - 1)[-1] == 2**32 - 1


def test_strangers_are_refused(tiny, scorer, tmp_path):
    store = SampleStore.open(tmp_path / "a", make_settings(tiny, scorer, generator="other"))
    with pytest.raises(UserError, match="generator is other, not [0-9a-f]{12};"):
        draw_samples(tiny, scorer, store)
    store = SampleStore.open(tmp_path / "b", make_settings(tiny, scorer, resolution=32))
    with pytest.raises(UserError, match="16×16.*32"):
        draw_samples(tiny, scorer, store)


@pytest.mark.parametrize(
    ("function", "words"),
    [(lambda p: p.mean(dim=(1, 2, 3)), "shape"), (lambda p: brightness(p) / 0 - brightness(p) / 0, "finite")],
)
def test_a_scorer_that_breaks_its_promise_is_refused(tiny, tmp_path, function, words):
    class Careless:
        names, fingerprint = ("a", "b"), "careless"

        def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
            return function(pictures)

    scorer = Careless()
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    with pytest.raises(UserError, match=words):
        draw_samples(tiny, scorer, store)


def test_labels_and_columns():
    table = replace(make_table(range(3)), scores=np.array([[0.9, 0.1], [0.2, 0.3], [0.5, 0.4]], np.float32))
    assert table.is_positive("a").tolist() == [True, False, True]
    assert table.is_positive("b").tolist() == [False, True, False]
    alone = replace(table, scores=table.scores[:, :1], names=("a",))
    assert alone.is_positive("a").tolist() == [True, False, False]
    with pytest.raises(UserError, match="'c'; there are a, b"):
        table.column("c")
    with pytest.raises(ValueError, match="do not fit"):
        replace(table, names=("a",))


@given(st.integers(0, 2**32 - 300), st.integers(1, 299), st.integers(0, 5), st.floats(0.05, 0.95))
def test_growing_the_samples_never_moves_a_row(start, n, seed, share):
    whole = make_table(range(start, start + 300))
    train, test = split(whole, share, seed)
    assert (train ^ test).all()
    rows = np.random.default_rng(n).permutation(300)[:n]
    np.testing.assert_array_equal(split(whole.subset(rows), share, seed)[1], test[rows])


@pytest.mark.parametrize("start", [0, 600, 10**9])
def test_the_split_has_its_share_and_knows_no_neighbours(start):
    table = make_table(range(start, start + 8000))
    test = split(table, 0.25)[1].astype(float)
    assert abs(test.mean() - 0.25) < 0.02
    for lag in (1, 2, 8, 64):
        assert abs(np.corrcoef(test[:-lag], test[lag:])[0, 1]) < 0.05
    assert abs(np.corrcoef(test, split(table, 0.25, seed=1)[1])[0, 1]) < 0.05
    with pytest.raises(UserError):
        split(table, 1.0)


def test_only_like_tables_join():
    with pytest.raises(ValueError, match="same scores"):
        concatenate([make_table(range(2)), make_table(range(2), names=("x",))])


# --- logits, rows without a score, and several scorers ------------------------------------------------------


class Sure:
    """Knows its logits where its probabilities are 1; one image in three cannot be scored."""

    names, fingerprint, img_channels = ("sure", "size"), "sure", 3

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.logits(pictures)[:, 0].sigmoid(), self.logits(pictures)[:, 1]], dim=1)

    def logits(self, pictures: torch.Tensor) -> torch.Tensor:
        mean = pictures.mean(dim=(1, 2, 3))
        lost = (mean * 1e4).long() % 3 == 0
        return torch.stack([30 + mean, mean.masked_fill(lost, torch.nan)], dim=1)


def test_logits_are_kept_where_the_scorer_knows_them(tiny, tmp_path):
    scorer = Sure()
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    draw_samples(tiny, scorer, store, batch_size=4)
    table = store.table()
    ws = table.ws(tiny.num_ws)
    with torch.no_grad():
        wanted = scorer.logits(tiny.synthesis(ws)).numpy()
    assert (table.column("sure") == 1).all()
    np.testing.assert_allclose(table.logits("sure"), wanted[:, 0], rtol=1e-5)
    np.testing.assert_allclose(table.logits("size"), wanted[:, 1], atol=1e-5)
    missing = table.missing("size")
    assert 0 < missing.sum() < 22 and (table.labels("size", "median")[missing] == 0).all()
    assert list(pd.read_parquet(tmp_path).columns[3:]) == ["sure", "size", "logit(sure)", "logit(size)"]
    part = table.subset(table.seeds < 605)
    np.testing.assert_array_equal(part.logits("sure"), table.logits("sure")[:5])
    with pytest.raises(UserError, match="no score is called 'x'"):
        table.logits("x")


def test_shards_without_logits_are_read_among_those_with_them(tiny, tmp_path):
    """Those of earlier versions have none."""
    scorer = Sure()
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    whole = draw_samples(tiny, scorer, store, batch_size=4)
    store.write(1, replace(whole.subset(slice(6, 12)), known_logits={}))
    mixed = store.table()
    assert_same(mixed, whole)
    np.testing.assert_allclose(mixed.logits("sure")[6:12], np.log(1e6), rtol=1e-2)  # of scores, clipped
    np.testing.assert_array_equal(mixed.logits("sure")[12:], whole.logits("sure")[12:])
    bare = replace(mixed, known_logits={})
    np.testing.assert_allclose(bare.logits("size"), bare.column("size"))  # below 0: no probabilities


def test_a_scorer_that_scores_nothing_is_refused_before_all_is_rendered(tiny, tmp_path):
    blind = FunctionScorer(("x", "y"), lambda p: torch.stack([p.mean((1, 2, 3)), torch.full((len(p),), torch.nan)], 1))
    store = SampleStore.open(tmp_path, make_settings(tiny, blind))
    with pytest.raises(UserError, match=r"seeds 600 to 605 could be scored: .* \(NaN\) for y"):
        draw_samples(tiny, blind, store)
    assert len(store.missing()) == 4


def test_tables_of_the_same_samples_are_joined_as_a_set_of_scorers_would_draw_them(tiny, scorer, tmp_path):
    scorers = {"light": scorer, "odd": Sure()}
    both = ScorerSet(scorers)
    tables = {}
    for name, one in (*scorers.items(), ("both", both)):
        store = SampleStore.open(tmp_path / name, make_settings(tiny, one, samples=12, threshold=one_threshold(name)))
        tables[name] = draw_samples(tiny, one, store)
    whole = tables.pop("both")
    joined = join(tables)
    assert_same(joined, replace(whole))
    assert joined.names == ("light:bright", "light:dark", "odd:sure", "odd:size")
    assert (joined.generator, joined.scorer) == (whole.generator, whole.scorer)
    for name in joined.names:
        np.testing.assert_array_equal(joined.logits(name), whole.logits(name))
        np.testing.assert_array_equal(joined.labels(name), whole.labels(name))


def one_threshold(name: str):
    return parse_threshold(
        {"odd": "median", "light": "dark=0.25", "both": "light:dark=0.25,odd:sure=median,odd:size=median"}[name]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": np.arange(3)}, r"seeds \(3 from 600 to 602, and 3 from 0 to 2\)"),
        ({"generator": "other"}, "generators"),
        ({"psi": np.ones(3, np.float32)}, "truncation psi"),
        ({"w": np.zeros((3, 3), np.float32)}, "latents w"),
    ],
)
def test_tables_of_other_samples_are_not_joined(change, words):
    table = replace(make_table(range(600, 603)), generator="g")
    with pytest.raises(UserError, match=f"the samples x and y cannot be joined: they differ in their {words}"):
        join({"x": table, "y": replace(table, **change)})
    with pytest.raises(UserError, match="two tables or more are joined, not 1"):
        join({"x": table})


def test_a_table_knows_its_networks(tiny, scorer, tmp_path):
    store = SampleStore.open(tmp_path, make_settings(tiny, scorer))
    networks = (tiny.fingerprint, scorer.fingerprint)
    for table in (draw_samples(tiny, scorer, store), store.table()):
        assert (table.generator, table.scorer) == networks
        part = table.subset(table.seeds < 605)
        assert (part.generator, part.scorer) == networks
    with pytest.raises(ValueError, match="same generator"):
        concatenate([part, replace(part, generator="other")])


def precisions(tiny, scorer, folder, *asked):
    """Precisions of the tables that these give, one after the other, in one folder."""
    components = Components.load(tiny, scorer)
    return [LabelSettings(4, precision=one).for_components(components, folder).precision for one in asked]


def test_precision_is_what_the_hardware_is_built_for(tiny, scorer, tmp_path, monkeypatch):
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(precision, "fast_dtype", lambda device, dtype=dtype: dtype)
        assert precisions(tiny, scorer, tmp_path, "auto", "float32", "bfloat16") == [
            str(dtype).removeprefix("torch."),
            "float32",
            "bfloat16",
        ]
    with pytest.raises(UserError, match="precision is auto, float32 or bfloat16, not 'half'"):
        LabelSettings(precision="half")
    with pytest.raises(UserError, match="float32 or bfloat16, not 'auto'"):
        make_settings(tiny, scorer, precision="auto")


def test_a_table_goes_on_in_its_own_precision(tiny, scorer, tmp_path, monkeypatch):
    components = Components.load(tiny, scorer)
    for begun, other in (("float32", "bfloat16"), ("bfloat16", "float32")):
        folder = tmp_path / begun
        label_samples(components, LabelSettings(4, precision=begun), folder, progress=False)
        (folder / "shard-00000.parquet").unlink()
        for dtype in (torch.float32, torch.bfloat16):
            monkeypatch.setattr(precision, "fast_dtype", lambda device, dtype=dtype: dtype)
            label_samples(components, LabelSettings(4), folder, progress=False)
        assert json.loads((folder / "_manifest.json").read_text())["precision"] == begun
        assert SampleStore.load(folder).settings.precision == begun
        with pytest.raises(UserError, match=f"holds samples whose precision is {begun}, not {other}"):
            label_samples(components, LabelSettings(4, precision=other), folder, progress=False)


def test_tables_of_before_are_in_float32(tiny, scorer, tmp_path, monkeypatch):
    components = Components.load(tiny, scorer)
    table = label_samples(components, LabelSettings(4, precision="float32"), tmp_path, progress=False)
    manifest = tmp_path / "_manifest.json"
    stored = json.loads(manifest.read_text())
    del stored["precision"]
    manifest.write_text(json.dumps(stored))
    monkeypatch.setattr(precision, "fast_dtype", lambda device: torch.bfloat16)
    assert SampleStore.load(tmp_path).settings.precision == "float32"
    assert_same(label_samples(components, LabelSettings(4), tmp_path, progress=False), table)
    with pytest.raises(UserError, match="precision is float32, not bfloat16"):
        label_samples(components, LabelSettings(4, precision="bfloat16"), tmp_path, progress=False)


def test_w_depends_on_neither_batch_nor_precision(tiny, scorer, tmp_path):
    settings = [LabelSettings(9, precision="float32"), LabelSettings(9, precision="bfloat16")]
    components = Components.load(tiny, scorer)
    tables = [
        label_samples(components, one, tmp_path / f"{k}-{size}", size, progress=False)
        for k, one in enumerate(settings)
        for size in (1, 4)
    ]
    for table in tables[1:]:
        np.testing.assert_array_equal(table.w, tables[0].w)
    assert (tables[2].scores != tables[0].scores).any()
    np.testing.assert_allclose(tables[2].scores, tables[0].scores, atol=0.05)


def test_scores_and_logits_come_of_one_look(tiny, tmp_path):
    class Counted(AttributeScorer):
        looks = 0

        def logits(self, images):
            Counted.looks += len(images)
            return super().logits(images)

    whole = load_scorer("attributes").of("young", "male")
    counted = Counted(whole.network, whole.all_names, whole.slopes, whole.offsets, whole.card, whole.names)
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    scores, logits = scores_and_logits(counted, images)
    assert Counted.looks == 3
    torch.testing.assert_close(torch.from_numpy(scores), whole(images))
    torch.testing.assert_close(torch.from_numpy(logits["young"]), whole.logits(images)[:, 0])
