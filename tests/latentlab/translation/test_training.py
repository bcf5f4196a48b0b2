"""Training: accumulation and processes against one batch, resuming a killed run, what is written."""

import csv
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentlab import images
from latentlab.errors import UserError
from latentlab.translation.methods import CycleGANConfig, Pix2Pix, load_method
from latentlab.translation.networks import PatchConfig, ResNetConfig
from latentlab.translation.training import RunOptions, TrainingSettings, launch, train
from latentlab.translation.training.sampler import BatchSampler, ShuffledSource
from latentlab.translation.training.settings import TrainingSettings as Settings
from latentlab.translation.training.state import TrainingState
from latentlab.translation.translator import Translator
from tests.conftest import stage_with
from tests.latentlab.translation.toys import Toy
from tests.processes import Program

SMALL = CycleGANConfig(ResNetConfig(1, 4), PatchConfig(16, 4), pool_size=0)
SETTINGS = TrainingSettings(epochs=1, batch_size=2)


def weights_of(translator: Translator) -> torch.Tensor:
    return torch.cat([w.flatten() for network in translator.networks.values() for w in network.state_dict().values()])


def assert_alike(one: Translator, two: Translator, other: Translator) -> None:
    """Two translators make the same pictures, and `other` makes other ones.

    Their weights differ: biases before an instance norm have no effect and a gradient of rounding errors alone.
    """
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for way in one.networks:
        made, again, different = (t(x, way)[0] for t in (one, two, other))
        assert (made - again).abs().max() < 0.05 * (made - different).abs().max()


# --- schedules and order ------------------------------------------------------------------------------------


def test_the_learning_rate_is_constant_and_then_falls_to_zero():
    rates = [Settings(learning_rate=2.0, decay=0.5).learning_rate_at(step, 8) for step in range(8)]
    assert rates == pytest.approx([2, 2, 2, 2, 2, 1.5, 1, 0.5])
    assert Settings(decay=0).learning_rate_at(7, 8) == 2e-4


def test_processes_and_passes_share_out_the_positions_of_one():
    settings = Settings(batch_size=2, accumulate=2)
    shares = [list(BatchSampler(settings, 3, 1, rank, 2)) for rank in range(2)]
    alone = list(BatchSampler(replace(settings, batch_size=8, accumulate=1), 3, 1, 0, 1))
    assert len(BatchSampler(settings, 3, 1, 0, 2)) == len(shares[0]) == 4
    for step in range(2):
        together = [p for k in (2 * step, 2 * step + 1) for share in shares for p in share[k]]
        assert sorted(together) == alone[step]


def test_every_epoch_shows_every_sample_once_in_an_order_of_its_own():
    class Counted(Toy):
        def sample(self, index, rng):
            return index, float(rng.random())

    shuffled = ShuffledSource(Counted(10), seed=3)
    first, second = ([shuffled[k] for k in range(start, start + 10)] for start in (0, 10))
    assert sorted(i for i, _ in first) == sorted(i for i, _ in second) == list(range(10))
    assert [i for i, _ in first] != [i for i, _ in second]
    assert len({chance for _, chance in first + second}) == 20
    assert shuffled[13] == ShuffledSource(Counted(10), seed=3)[13]


# --- steps --------------------------------------------------------------------------------------------------


def test_accumulated_passes_equal_one_batch(tmp_path):
    """Not so with spectral norm, whose estimate goes on with every pass."""
    one = train(SMALL, Toy(8), replace(SETTINGS, batch_size=4), tmp_path / "one")
    two = train(SMALL, Toy(8), replace(SETTINGS, batch_size=2, accumulate=2), tmp_path / "two")
    assert_alike(one, two, train(SMALL, Toy(8), SETTINGS, tmp_path / "other"))


def test_a_mean_of_the_weights_lags_behind(tmp_path):
    config = replace(SMALL, identity_weight=0.0)
    plain = train(config, Toy(4), replace(SETTINGS, decay=0), tmp_path / "plain")
    mean = train(config, Toy(4), replace(SETTINGS, decay=0, ema=0.9), tmp_path / "mean")
    start = weights_of(Translator({w: config.build().networks[n] for w, n in (("a2b", "G_A"), ("b2a", "G_B"))}, {}))
    gone, lagging = (weights_of(plain) - start).norm(), (weights_of(mean) - start).norm()
    # Two steps: 9/11 of the second, and 2/11 · 9/10 of the first, which was about half as far.
    assert 0.8 * gone < lagging < 0.98 * gone


def test_the_mean_of_a_short_training_holds_little_of_its_beginning():
    state = TrainingState(SMALL.build(), replace(SETTINGS, ema=0.999))
    name, weight = next(iter(state.method.networks["G_A"].named_parameters()))
    mean = state.means["G_A"][name]
    with torch.no_grad():
        mean.fill_(0)
        weight.fill_(1)
        for state.step in range(100):
            state.update_means()
        assert float(mean.min()) > 0.999
        mean.fill_(0)
        state.step = 100_000
        state.update_means()
    assert float(mean.max()) == pytest.approx(0.001, rel=1e-3)


def test_what_is_written(tmp_path):
    calls = []
    translator = train(
        SMALL,
        Toy(8),
        replace(SETTINGS, epochs=2),
        tmp_path,
        options=RunOptions(log_every=3, sample_every=4),
        progress=stage_with(lambda done, total, note="": calls.append((done, total, note))),
    )
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3", "6", "8"]
    assert [float(row["epoch"]) for row in rows] == [0.75, 1.5, 2]
    assert float(rows[0]["learning_rate"]) > float(rows[-1]["learning_rate"]) > 0
    assert float(rows[0]["cycle_a"]) > 0
    assert calls[-1][:2] == (16, 16) and "generator" in calls[-1][2]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["step-00000004.png", "step-00000008.png"]
    assert images.load_image(tmp_path / "samples" / "step-00000008.png").shape == (1, 3, 8 * 16, 6 * 16)
    again = Translator.load(tmp_path / "translator.safetensors")
    assert torch.equal(weights_of(again), weights_of(translator))
    assert again.card["training"]["data"] == {"kind": "toy", "count": 8, "side": 16}
    assert again.card["method"] == "cyclegan"


def test_losses_and_grids_are_written_for_tensorboard(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(SMALL, Toy(8), SETTINGS, tmp_path, options=RunOptions(log_every=2, sample_every=4, tensorboard=True))
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss/cycle_a")] == [2, 4]
    assert [event.step for event in events.Images("samples")] == [4]


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "instagan"])
def test_every_method_trains_in_mixed_precision(tmp_path, name):
    config = load_method(name).configure(32, 4)
    toy = Toy(4, 32, config.masks_per_image)
    translator = train(config, toy, replace(SETTINGS, precision="bf16-mixed"), tmp_path)
    assert weights_of(translator).dtype == torch.float32 and weights_of(translator).isfinite().all()


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "instagan"])
def test_the_seed_determines_a_training(tmp_path, name):
    config = load_method(name).configure(32, 2)
    one, again, other = (
        train(config, Toy(4, 32, config.masks_per_image), replace(SETTINGS, seed=seed), tmp_path / str(k))
        for k, seed in enumerate((1, 1, 2))
    )
    assert torch.equal(weights_of(one), weights_of(again))
    assert not torch.equal(weights_of(one), weights_of(other))


def test_training_learns_something(tmp_path):
    """b is −a: an L1 pix2pix comes near to that in a few steps."""
    config = Pix2Pix.configure(16, 8, "l1")
    config = replace(config, generator=replace(config.generator, norm="instance", dropout=False))
    settings = TrainingSettings(epochs=100, batch_size=4, learning_rate=2e-3)
    train(config, Toy(8), settings, tmp_path, options=RunOptions(log_every=1, sample_every=1000))
    with open(tmp_path / "history.csv", newline="") as file:
        losses = [float(row["l1"]) for row in csv.DictReader(file)]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


# --- stopping and going on ----------------------------------------------------------------------------------

JOB = """
import sys
import latentlab.translation.training.loop as loop
from tests.latentlab.translation.test_training import job
loop.SAVE_SECONDS = 0.0
job(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""


def job(folder, devices=1, batch=2):
    config = CycleGANConfig(
        ResNetConfig(1, 4, dropout=batch == 2), PatchConfig(16, 4), pool_size=3 if batch == 2 else 0
    )
    settings = TrainingSettings(epochs=3, batch_size=batch, ema=0.9)
    return train(
        config, Toy(8), settings, folder, fabric=launch("cpu", devices), options=RunOptions(log_every=5, sample_every=5)
    )


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_result(tmp_path):
    process = Program(JOB, tmp_path / "killed", 1, 2)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("state/step-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    (state,) = list((tmp_path / "killed").glob("state/step-*"))[-1:]
    assert not (tmp_path / "killed" / "translator.safetensors").exists(), "it was over before it was killed"
    assert int(state.name[5:]) < 12
    job(tmp_path / "killed"), job(tmp_path / "whole")
    whole, killed = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("whole", "killed")
    )
    assert whole.keys() == killed.keys() and [name for name in whole if whole[name] != killed[name]] == []
    rows = (tmp_path / "whole" / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "5", "10", "12"]


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    """Half of the batch each, gradients averaged by gloo."""
    script = tmp_path / "job.py"  # Fabric starts the second process with the same script
    script.write_text(JOB)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path / "four"), "2", "4"]
    subprocess.run(command, check=True, env=environment, timeout=300)
    four = Translator.load(tmp_path / "four" / "translator.safetensors")
    assert_alike(four, job(tmp_path / "eight", 1, 8), job(tmp_path / "another", 1, 4))


def test_a_folder_of_another_training_is_refused(tmp_path):
    train(SMALL, Toy(4), SETTINGS, tmp_path)
    for config, toy, settings, difference in (
        (SMALL, Toy(4), replace(SETTINGS, seed=1), "settings.seed is 0, not 1;"),
        (
            SMALL,
            Toy(4),
            replace(SETTINGS, seed=1, batch_size=1),
            "settings.batch_size is 2, not 1, settings.seed is 0, not 1;",
        ),
        (SMALL, Toy(6), SETTINGS, "data.count is 4, not 6;"),
        (replace(SMALL, cycle_weight=1.0), Toy(4), SETTINGS, "method.cycle_weight is 10.0, not 1.0;"),
    ):
        with pytest.raises(UserError) as caught:
            train(config, toy, settings, tmp_path)
        assert f"{tmp_path} holds a training whose {difference} ask for the same" in str(caught.value)
        assert "broken" not in str(caught.value)
    (tmp_path / "state" / "step-00000002" / "networks.safetensors").write_bytes(b"\0" * 50)
    with pytest.raises(UserError, match="cannot read"):
        train(SMALL, Toy(4), SETTINGS, tmp_path)


def test_a_training_of_a_version_that_did_not_say_how_images_were_placed_goes_on(tmp_path):
    class Placed(Toy):
        def describe(self):
            return {**super().describe(), "augmentation": {"size": [16, 16]}}

    train(SMALL, Toy(4), replace(SETTINGS, decay=0), tmp_path)
    assert train(SMALL, Placed(4), replace(SETTINGS, decay=0, epochs=2), tmp_path).card["steps"] == 4


def test_a_training_that_is_done_goes_on_to_the_result_of_one_at_once(tmp_path):
    constant = replace(SETTINGS, decay=0, ema=0.9)
    pooled = replace(SMALL, pool_size=3)
    whole = train(pooled, Toy(4), replace(constant, epochs=3), tmp_path / "whole")
    train(pooled, Toy(4), constant, tmp_path / "parts")
    parts = train(pooled, Toy(4), replace(constant, epochs=3), tmp_path / "parts")
    assert torch.equal(weights_of(parts), weights_of(whole))
    assert parts.card == whole.card
    assert "6" in (tmp_path / "parts" / "history.csv").read_text().splitlines()[-1].split(",")[0]
    with pytest.raises(UserError, match="has had 3 epochs already, more than 2; ask for 3 or more"):
        train(pooled, Toy(4), replace(constant, epochs=2), tmp_path / "parts")


def test_a_learning_rate_that_had_fallen_makes_it_another_result_and_says_so(tmp_path):
    shorter, longer = replace(SETTINGS, epochs=2), replace(SETTINGS, epochs=3)
    made = []
    for name in ("one", "two"):
        train(SMALL, Toy(4), shorter, tmp_path / name)
        with pytest.warns(UserWarning, match=r"a training of 2 epochs goes on to 3: .* not that of 3 epochs at once"):
            made.append(train(SMALL, Toy(4), longer, tmp_path / name))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert train(SMALL, Toy(4), longer, tmp_path / name).card == made[-1].card  # once is enough
    assert torch.equal(*map(weights_of, made))
    assert made[0].card["training"]["earlier"] == [{"epochs": 2.0, "until_step": 4}]
    whole = train(SMALL, Toy(4), longer, tmp_path / "whole")
    assert not torch.equal(weights_of(made[0]), weights_of(whole)) and "earlier" not in whole.card["training"]


def test_a_loss_that_is_not_finite_stops_it(tmp_path):
    class Broken(Toy):
        def sample(self, index, rng):
            return {"a": torch.full((1, 3, 16, 16), float("nan")), "b": torch.zeros(1, 3, 16, 16)}

    with pytest.raises(UserError, match="diverged at step 0: .* is nan"):
        train(SMALL, Broken(4), SETTINGS, tmp_path)


def test_wrong_settings_are_refused():
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"decay": 2}, {"ema": 1.0}, {"precision": "8"}):
        with pytest.raises(UserError):
            TrainingSettings(**wrong)
