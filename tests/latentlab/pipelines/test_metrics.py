"""Metrics by one call: closed forms, resuming, what cannot be measured, and the command line."""

import csv
import json

import numpy as np
import pytest
import torch
from conftest import stage_with
from torch import nn

from latentlab.datasets import KnownFactors
from latentlab.errors import UserError
from latentlab.images import save_image
from latentlab.pipelines import (
    Components,
    FolderMetricSettings,
    GeneratorMetricSettings,
    measure_folders,
    measure_generator,
)
from latentlab.pipelines.metrics.names import GENERATOR_METRICS, PATHS, select
from stylegan2.checkpoints import save
from stylegan2.progressive import ProgressiveConfig, ProgressiveGenerator
from stylegan2.sampling import z_from_seeds

DIM, SIZE = 8, 32


class Linear(nn.Module):
    """A generator whose images are linear in w, every step three times as long in them; and w is z."""

    z_dim, w_dim, c_dim, num_ws, img_channels = DIM, DIM, 0, 1, 3
    resolution, resolutions, fingerprint = SIZE, (SIZE,), "linear"

    def __init__(self):
        super().__init__()
        weight = torch.randn(3 * SIZE**2, DIM, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weight", 3 * torch.linalg.qr(weight)[0])
        self.register_buffer("w_avg", torch.zeros(DIM))

    def mapping(self, z, c=None, psi=1.0, cutoff=None):
        return psi * z[:, None]

    def synthesis(self, ws, noise_mode="const", rng=None, resolution=None):
        return (ws[:, 0] @ self.weight.T).view(-1, 3, SIZE, SIZE)


class Squares(nn.Module):
    """A distance that everyone can compute: the sum of squared differences."""

    def __init__(self):
        super().__init__()
        self.unit = nn.Parameter(torch.ones(()))

    def forward(self, images, target):
        return self.unit * (images - target).square().sum(dim=(1, 2, 3))


def known():
    generator = KnownFactors()
    return Components.load(generator, scorer=generator.scorer("mouth", "size"), perceptual=Squares())


def read(folder):
    return json.loads((folder / "metrics.json").read_text("utf-8"))


# --- a generator --------------------------------------------------------------------------------------------


def test_path_lengths_of_a_linear_generator(tmp_path):
    """In W the speed is the distance of the ends, in Z that of a great circle: its angle. Both times 3, squared."""
    components = Components.load(Linear(), perceptual=Squares())
    settings = GeneratorMetricSettings(("ppl",), pairs=40, seed_start=5, face_crop=False)
    report = measure_generator(components, settings, tmp_path, progress=False)
    z = z_from_seeds(range(5, 85), DIM).double().numpy()
    one, other = z[::2], z[1::2]
    of_w = 9 * np.square(one - other).sum(axis=1)
    cosine = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    of_z = 9 * np.square(np.arccos(cosine))
    for name, speeds in zip(PATHS, (of_z, of_z, of_w, of_w), strict=True):
        kept = np.concatenate([np.load(tmp_path / f"parts/{name}-whole/{part}.npy") for part in ("0-31", "32-39")])
        assert kept == pytest.approx(speeds, rel=0.02), name
        assert report.values[name].mean == pytest.approx(np.sort(speeds).mean(), rel=0.02)
        assert report.values[name].low < report.values[name].mean < report.values[name].high
    assert read(tmp_path)["metrics"]["ppl-w-end"]["mean"] == report.values["ppl-w-end"].mean
    assert "129.4" in (tmp_path / "report.md").read_text("utf-8")


def test_truncation_shortens_paths_in_w(tmp_path):
    components = Components.load(Linear(), perceptual=Squares())
    found = [
        measure_generator(
            components,
            GeneratorMetricSettings(("ppl-w-end",), pairs=8, psi=psi, face_crop=False),
            tmp_path / f"{psi:g}",
            progress=False,
        )
        for psi in (1.0, 0.5)
    ]
    full, half = (one.values["ppl-w-end"].mean for one in found)
    assert half == pytest.approx(full / 4, rel=0.05)
    assert "psi is 0.5" in found[1].notes[1]


def test_the_images_of_a_pair_have_the_same_noise_and_batches_do_not_matter(tiny, tmp_path):
    components = Components.load(tiny, perceptual=Squares())
    settings = GeneratorMetricSettings(("ppl-w-full",), pairs=6, face_crop=False)
    kept = []
    for batch in (1, 6):
        measure_generator(components, settings, tmp_path / str(batch), batch_size=batch, progress=False)
        kept.append(np.load(tmp_path / str(batch) / "parts/ppl-w-full-whole/0-5.npy"))
    assert kept[0] == pytest.approx(kept[1], rel=0.5)  # these images hardly change: rounding is a third of their steps
    noise = np.square(0.2) * 3 * tiny.resolution**2 / 1e-8  # what two draws of noise would differ by, about
    assert 0 < kept[0].max() < noise / 1000


def test_what_needs_real_images_or_styles_is_unknown_with_the_reason(tmp_path):
    generator = Linear()
    components = Components.load(generator, scorer=KnownFactors().scorer(), perceptual=Squares())
    report = measure_generator(components, GeneratorMetricSettings(("dci-s",), samples=20), tmp_path, progress=False)
    assert "no space s" in report.values["dci-s-completeness"].why
    everything = measure_generator(
        known(), GeneratorMetricSettings(pairs=2, samples=40), tmp_path / "all", progress=False
    )
    assert list(everything.values) == list(GENERATOR_METRICS)
    assert "--real" in everything.values["fid"].why and not everything.values["recall"].known
    assert everything.values["dci-s-disentanglement"].mean > everything.values["dci-w-disentanglement"].mean
    strongest = read(tmp_path / "all")["details"]["dci-s"]
    assert strongest["mouth"][0][0] == "b8.conv1:7"
    assert read(tmp_path / "all")["metrics"]["kid"]["mean"] is None
    assert "unknown: no real images" in (tmp_path / "all/report.md").read_text("utf-8")


def test_what_goes_through_w_is_unknown_without_w(tmp_path):
    network = ProgressiveGenerator(ProgressiveConfig(SIZE, z_dim=DIM, channel_base=64, channel_max=8)).eval()
    components = Components.load(network, scorer=KnownFactors().scorer(), perceptual=Squares())
    settings = GeneratorMetricSettings(pairs=4, samples=20, face_crop=False)
    report = measure_generator(components, settings, tmp_path, progress=False)
    assert list(report.values) == list(GENERATOR_METRICS)
    assert report.values["ppl-z-full"].known and report.values["ppl-z-end"].known
    for name in ("ppl-w-full", "ppl-w-end", "separability-w", "dci-w-completeness", "dci-s-completeness"):
        assert "W" in report.values[name].why, name


class Counting:
    """The scorer of the known factors, which counts the images that it is shown."""

    def __init__(self, scorer):
        self.scorer, self.names, self.fingerprint, self.images = scorer, scorer.names, scorer.fingerprint, 0

    def __call__(self, images):
        self.images += len(images)
        return self.scorer(images)

    def logits(self, images):
        self.images += len(images)
        return self.scorer.logits(images)


def test_a_run_that_was_stopped_resumes_to_the_same_result(tmp_path):
    generator = KnownFactors()
    scorer = Counting(generator.scorer("mouth", "size"))
    components = Components.load(generator, scorer=scorer)

    def measure(folder, samples=80, progress=False):
        settings = GeneratorMetricSettings(("dci-w",), samples=samples)
        return measure_generator(components, settings, tmp_path / folder, progress=progress)

    def stop(done, total, note=""):
        if (done, total) == (64, 80):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure("stopped", progress=stage_with(stop))
    assert not (tmp_path / "stopped/metrics.json").exists()
    seen = scorer.images
    measure("stopped")
    assert scorer.images == seen + 16  # the last part alone
    measure("whole")
    for file in ("metrics.json", "report.md"):
        assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    seen = scorer.images
    measure("whole", samples=96)
    assert scorer.images == seen + 32  # whole parts serve more samples
    (kept,) = (tmp_path / "whole/parts").glob("logits-*")
    (kept / "0-31.npy").write_bytes(b"broken")
    assert measure("whole", samples=96).values == measure("stopped", samples=96).values


def test_settings_that_cannot_be_met_are_refused_before_any_work(tmp_path):
    for settings, words in (
        ({"metrics": ("ppl-x",)}, "did you mean ppl"),
        ({"metrics": ("fid",)}, "fid compare with real images: .*--real"),
        ({"psi": 0.0}, "psi must be"),
        ({"pairs": 1}, "pairs must be 2 or more"),
        ({"seed_start": 2**32 - 5}, "seeds must lie"),
    ):
        with pytest.raises(UserError, match=words):
            GeneratorMetricSettings(**settings)
    for settings, words in (
        (GeneratorMetricSettings(resolution=48), "renders at 32, 64"),
        (GeneratorMetricSettings(class_label=1), "not conditional"),
        (GeneratorMetricSettings(real=tmp_path / "none"), "no folder"),
    ):
        with pytest.raises(UserError, match=words):
            measure_generator(known(), settings, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    small = GeneratorMetricSettings(("separability-z",), samples=10)
    measure_generator(known(), small, tmp_path / "out", progress=False)
    with pytest.raises(UserError, match=r"psi is 1.0, not 0.5"):
        measure_generator(
            known(), GeneratorMetricSettings(("separability-z",), samples=10, psi=0.5), tmp_path / "out", progress=False
        )


def test_names_stand_for_all_that_begin_so():
    assert select(["ppl-w"]) == ("ppl-w-full", "ppl-w-end")
    assert select(["fid", "dci-s-completeness"]) == ("dci-s-completeness", "fid")
    assert select([]) == GENERATOR_METRICS


@pytest.mark.weights
def test_images_of_the_generator_itself_are_as_good_as_real(tmp_path):
    """LPIPS and its backbone's features; the real images are those of the same seeds, from files."""
    generator = KnownFactors()
    (tmp_path / "real").mkdir()
    for seed in range(8):
        save_image(generator(z_from_seeds([seed], 16)), tmp_path / f"real/{seed:02d}.png")
    components = Components.load(generator)
    settings = GeneratorMetricSettings(
        ("ppl-w-end", "precision", "recall", "coverage", "frechet-distance"), 2, 8, real=tmp_path / "real"
    )
    values = measure_generator(components, settings, tmp_path / "out", progress=False).values
    assert [values[name].mean for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert values["frechet-distance"].mean < 0.05 and values["ppl-w-end"].mean > 0
    assert "fc2" in (tmp_path / "out/report.md").read_text("utf-8")
    assert "enlarged" not in (tmp_path / "out/report.md").read_text("utf-8")
    save_image(torch.zeros(3, 20, 30), tmp_path / "real/wide.png")
    with pytest.raises(UserError, match=r"wide.png is 30×20 pixels"):
        measure_generator(components, settings, tmp_path / "out", progress=False)


# --- two folders --------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """Two folders of grey images, the second ones lighter by a tenth of the range; one file of each has no partner."""
    for name, lighter in (("a", 0.0), ("b", 0.2)):
        for k in range(4):
            save_image(torch.full((3, 32, 32), 0.1 * k + lighter), tmp_path / name / f"{k}.png")
        save_image(torch.zeros(3, 32, 32), tmp_path / name / f"alone-{name}.png")
    return tmp_path / "a", tmp_path / "b"


def test_files_of_one_name_are_compared(folders, tmp_path, run):
    code, out, err = run("metrics", "folders", *folders, "--metric", "outside-change", "--out", tmp_path / "out")
    assert code == 0, err
    assert "outside-change  0.10" in out and "alone-a.png of" in out
    rows = list(csv.DictReader((tmp_path / "out/pairs.csv").open(encoding="utf-8")))
    assert [row["image"] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row["outside-change"]) for row in rows] == pytest.approx([0.1] * 4, abs=0.005)


def test_folders_that_cannot_be_compared(folders, tmp_path, refused):
    out = ("--out", tmp_path / "out")
    assert "did you mean lpips" in refused("metrics", "folders", *folders, "--metric", "lpip", *out)
    assert "no folder" in refused("metrics", "folders", folders[0], tmp_path / "none", *out)
    save_image(torch.zeros(3, 16, 16), folders[1] / "0.png")
    line = refused("metrics", "folders", *folders, "--metric", "sharpness", *out)
    assert "32×32" in line and "16×16" in line and "--resolution" in line
    assert not (tmp_path / "out").exists()
    report = measure_folders(
        Components.load(), folders, FolderMetricSettings(("outside-change",), 16), tmp_path / "out", progress=False
    )
    assert report.values["outside-change"].n == 4
    with pytest.raises(UserError, match="resolution is 16, not 8"):
        measure_folders(Components.load(), folders, FolderMetricSettings(("sharpness",), 8), tmp_path / "out")


@pytest.mark.weights
def test_what_a_metric_refuses_is_unknown_and_the_others_are_measured(folders, tmp_path):
    settings = FolderMetricSettings(("lpips", "identity", "kernel-distance"))
    components = Components.load()
    report = measure_folders(components, folders, settings, tmp_path / "out", progress=False)
    assert 0 < report.values["lpips"].mean < 0.2 and report.values["kernel-distance"].n == 5
    assert "too small for the descriptor" in report.values["identity"].why
    again = measure_folders(components, folders, settings, tmp_path / "out", progress=False)
    assert again.values["lpips"] == report.values["lpips"]


# --- the command line ---------------------------------------------------------------------------------------


def test_a_generator_by_command(tiny, tmp_path, run):
    save(tiny, tmp_path / "tiny.safetensors")
    network = ("--network", tmp_path / "tiny.safetensors")
    code, out, err = run("metrics", "generator", *network, "--metric", "ppl-z", "--out", tmp_path / "out")
    assert code == 0, err
    assert "ppl-z-end   unknown: images of 16 pixels, of which the face is 8, are too small" in out
    assert "latentlab metrics generator --network" in (tmp_path / "out/report.md").read_text("utf-8")


def test_commands_that_name_no_metric(refused):
    assert "did you mean ppl-w" in refused("metrics", "generator", "--metric", "ppl-ww")
    assert "--real" in refused("metrics", "generator", "--metric", "recall")
