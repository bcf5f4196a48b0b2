"""Training of generators on files: what is written, going on after a kill, processes, and the command."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import stylegan2
from latentlab.errors import UserError
from latentlab.generators import GeneratorRunOptions, ImageSetSettings, open_images, train_generator
from latentlab.generators.starting import networks_from, start_of
from latentlab.training import launch
from stylegan2.training.presets import Preset, tiny
from tests.conftest import stage_with
from tests.latentlab.projection.interrupted import kill_at

OPTIONS = GeneratorRunOptions(log_every=2, sample_every=4, measure_every=4, measured_images=8)


class Means:
    """Mean colours, as features."""

    title = "colours"

    def __call__(self, images):
        return images.double().mean(dim=(2, 3)).numpy()


def a_set(folder, cache=None, count=24, resolution=8):
    """Images of two colours."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for k in range(count):
        colour = (200, 40, 40) if k % 2 else (40, 40, 200)
        pixels = np.clip(np.array(colour) + rng.integers(-20, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{k:02}.png")
    return open_images(
        folder, ImageSetSettings(resolution), cache or folder.parent / f"{folder.name}-cache", progress=False
    )


def tall_set(folder, count=8):
    """Images of 8 × 16 pixels, the upper half red."""
    folder.mkdir()
    for k in range(count):
        pixels = np.full((16, 8, 3), (40, 40, 150 + 10 * k), np.uint8)
        pixels[:8] = (200, 40, 40)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    return open_images(folder, ImageSetSettings((16, 8)), folder.parent / "tall-cache", progress=False)


def a_preset(images=64, **changes):
    preset = tiny(8, images, **{"batch_size": 8, "augment": "adaptive", "mirror": True, **changes})
    widths = {"channel_base": 32, "channel_max": 4}
    generator = replace(preset.generator, **widths, z_dim=4, w_dim=4)
    return Preset(generator, replace(preset.discriminator, **widths), preset.settings)


def job(folder, devices=1, images=64, save_seconds=None, progress=False, **changes):
    from latentlab.generators import loop

    if save_seconds is not None:
        loop.SAVE_SECONDS = save_seconds
    preset = a_preset(images, **changes)
    found = a_set(folder.parent / "set")
    return train_generator(
        preset.networks(), found, preset.settings, folder, launch("cpu", devices), Means(), OPTIONS, progress=progress
    )


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_training_leaves_networks_that_load(tmp_path):
    run = job(tmp_path / "run")
    generator, best = stylegan2.load(run.generator), stylegan2.load(run.best)
    assert stylegan2.load(run.discriminator, "D").resolution == generator.resolution == best.resolution == 8
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert rows[0].startswith("step,epoch,samples,learning_rate,generator,") and rows[0].endswith("distance")
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4", "6", "8"]
    names = {
        "real.png",
        "curves.png",
        "samples/step-00000004.png",
        "samples/step-00000008.png",
        "run.json",
        "state.safetensors",
    }
    assert names <= set(files_of(tmp_path / "run"))
    card = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (card["images_seen"], card["measure"]) == (64, "kernel distance × 1000 (colours)")
    distances = [float(row.split(",")[-1]) for row in rows[1:] if row.split(",")[-1]]
    assert len(distances) == 2 and card["distance"] == pytest.approx(min(distances), rel=1e-4) == run.distance


def test_a_training_that_is_done_goes_on(tmp_path):
    job(tmp_path / "run", images=32)
    longer, whole = job(tmp_path / "run"), job(tmp_path / "whole")
    assert longer.generator.read_bytes() == whole.generator.read_bytes()
    assert files_of(tmp_path / "run").keys() == files_of(tmp_path / "whole").keys()
    again = job(tmp_path / "run")
    assert again.generator.read_bytes() == whole.generator.read_bytes()
    with pytest.raises(UserError, match=r"has seen 64 images already, more than 32; ask for more"):
        job(tmp_path / "run", images=32)


def test_tensorboard_shows_what_the_folder_holds(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    preset, options = a_preset(), replace(OPTIONS, tensorboard=True)
    networks, folder = preset.networks(), tmp_path / "run"
    found = a_set(tmp_path / "set")
    train_generator(networks, found, preset.settings, folder, launch("cpu"), Means(), options, progress=False)
    events = accumulator.EventAccumulator(str(folder / "tensorboard"), {"images": 0, "scalars": 0}).Reload()
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = set(rows[0]) - {"step", "epoch", "samples", "learning_rate"}
    assert {"generator", "discriminator", "r1", "path", "augmentation", "distance"} <= names
    assert set(events.Tags()["scalars"]) == names
    for name in names:
        shown = {event.step: event.value for event in events.Scalars(name)}
        kept = {int(row["samples"]): float(row[name]) for row in rows if row[name]}
        assert kept and shown == pytest.approx(kept, rel=1e-4, abs=1e-6), name
    assert events.Tags()["images"] == ["samples"]
    for event, step in zip(events.Images("samples"), (4, 8), strict=True):
        with (
            Image.open(io.BytesIO(event.encoded_image_string)) as shown,
            Image.open(folder / "samples" / f"step-{step:08}.png") as kept,
        ):
            difference = np.asarray(shown.convert("RGB")).astype(int) - np.asarray(kept)
        assert event.step == 8 * step and np.abs(difference).max() <= 1


JOB = """
import sys
from pathlib import Path
from tests.latentlab.test_generator_training import job
job(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), 0.0, batch_size=16)
"""


KILLED = """
import sys
from contextlib import contextmanager
from pathlib import Path
from tests.latentlab.test_generator_training import job

@contextmanager
def stage(title, unit="image"):
    def step(done, total, note=""):
        print(title, done, flush=True)
        if done == 80:  # a step after what is drawn and measured
            sys.stdin.readline()
    yield step

job(Path(sys.argv[1]), 1, 128, 0.0, stage, batch_size=16)
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    a_set(tmp_path / "set")
    folder = tmp_path / "killed"
    kill_at(KILLED, folder, "training 80")
    assert (folder / "state.safetensors").exists() and not (folder / "generator.safetensors").exists()
    begun = []
    for name in ("killed", "whole"):
        shown = []
        progress = stage_with(lambda done, total, note="", shown=shown: shown.append(done))
        job(tmp_path / name, images=128, batch_size=16, progress=progress)
        begun.append(shown[0])
    assert begun == [80, 0]
    killed, whole = files_of(folder), files_of(tmp_path / "whole")
    assert killed.keys() == whole.keys() and [name for name in whole if whole[name] != killed[name]] == []


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    """Half of the batch each, and everything averaged by gloo."""
    a_set(tmp_path / "set")
    script = tmp_path / "job.py"  # Fabric starts the second process with the same script
    script.write_text(JOB)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, str(script), str(tmp_path / "two"), "2", "48"], check=True, env=environment, timeout=300
    )
    run = job(tmp_path / "one", images=48, batch_size=16)
    z = stylegan2.z_from_seeds(range(4), 4)
    two, one = (stylegan2.load(tmp_path / name / "generator.safetensors")(z) for name in ("two", "one"))
    start = a_preset().networks()[0](z)
    assert (two - one).abs().max() < 0.02 * (one - start).abs().max()
    assert run.distance is not None


def test_what_does_not_fit_is_refused(tmp_path):
    found, preset = a_set(tmp_path / "set"), a_preset()

    def train(networks=None, settings=None, folder="run", data=found, options=OPTIONS, features=None):
        return train_generator(
            networks or preset.networks(),
            data,
            settings or preset.settings,
            tmp_path / folder,
            launch("cpu"),
            features or Means(),
            options,
            progress=False,
        )

    larger = a_set(tmp_path / "set", tmp_path / "larger", resolution=16)
    for given, message in (
        ({"data": larger}, "of two sizes, 3×8×8 and 3×16×16"),
        ({"networks": a_preset(c_dim=2).networks()}, "labels of width 2, and the set has 0"),
        ({"settings": replace(preset.settings, freeze=30)}, "layers, so at most"),
    ):
        with pytest.raises(UserError, match=message):
            train(**given)
    train()
    with pytest.raises(UserError, match=r"holds a training whose settings.r1_gamma is 0.0016, not 3;"):
        train(settings=replace(preset.settings, r1_gamma=3))
    with pytest.raises(UserError, match=r"whose data.images is 24, not 26, data.digest is"):
        train(data=a_set(tmp_path / "more", count=26))
    (tmp_path / "run" / "state.safetensors").write_bytes(b"\0" * 99)
    with pytest.raises(UserError, match=r"state.safetensors.*remove it to begin anew"):
        train()


def test_a_training_that_diverges_ends_and_keeps_what_was(tmp_path):
    with pytest.raises(UserError, match=r"the training diverged at step \d+: .* lower the learning rate"):
        job(tmp_path / "run", learning_rate=1e30, images=640)
    assert not (tmp_path / "run" / "generator.safetensors").exists()


# --- the command --------------------------------------------------------------------------------------------


def command(run, tmp_path, *words, out="run"):
    a_set(tmp_path / "set")
    given = ["train-generator", tmp_path / "set", "--out", tmp_path / out, "--preset", "tiny", "--resolution", 8]
    return run(*given, "--measure-every", 0, "--accelerator", "cpu", *words)


def test_the_command_trains_goes_on_and_fine_tunes(run, tmp_path):
    code, out, err = command(run, tmp_path, "--images", 32, "--batch", 8)
    assert (code, out.splitlines()[0]) == (0, "24 images, 0 files left out"), err
    assert "the generator is" in out
    code, *_ = command(run, tmp_path, "--images", 48, "--batch", 8)
    assert code == 0
    start = tmp_path / "run" / "generator.safetensors"
    given = ["train-generator", tmp_path / "set", "--out", tmp_path / "tuned", "--preset", "tiny", "--from", start]
    code, out, err = run(
        *given, "--freeze", 2, "--images", 16, "--batch", 8, "--measure-every", 0, "--augment", "0.5", "--tensorboard"
    )
    assert code == 0, err
    assert len(list((tmp_path / "tuned" / "tensorboard").iterdir())) == 1
    before, after = (stylegan2.load(tmp_path / name / "discriminator.safetensors", "D") for name in ("run", "tuned"))
    weights = dict(after.named_parameters())
    stayed = {name for name, value in before.named_parameters() if torch.equal(value, weights[name])}
    assert stayed == {"b8.fromrgb.weight", "b8.fromrgb.bias", "b8.conv0.weight", "b8.conv0.bias"}


def test_the_command_trains_images_that_are_not_square(run, tmp_path):
    """From a shell, fine-tuned, and exported: networks of the set's shape, which its size names."""
    tall_set(tmp_path / "set")
    given = ["train-generator", tmp_path / "set", "--preset", "tiny", "--measure-every", 0, "--batch", 8]
    own = [*given, "--accelerator", "cpu", "--out", tmp_path / "run", "--resolution", "8x16", "--images", 16]
    words = [sys.executable, "-m", "latentlab", *map(str, own)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    start = tmp_path / "run" / "generator.safetensors"
    generator = stylegan2.load(start)
    assert (generator.config.resolution, generator.config.base_size, generator.image_size) == (8, (8, 4), (16, 8))
    with Image.open(tmp_path / "run" / "samples" / "step-00000002.png") as grid:
        assert grid.size == (6 * 8, 6 * 16)
    code, _, err = run(*given, "--out", tmp_path / "tuned", "--images", 8, "--from", start, "--freeze", 1)
    assert code == 0 and stylegan2.load(tmp_path / "tuned" / "generator.safetensors").image_size == (16, 8), err
    code, _, err = run("weights", "export", start, tmp_path / "export.pt", "--layout", "release")
    z = stylegan2.z_from_seeds([1], 128)
    assert code == 0, err
    torch.testing.assert_close(stylegan2.load(tmp_path / "export.pt")(z), stylegan2.load(start)(z))


def test_trainings_on_images_that_are_not_square_are_measured_and_go_on(tmp_path):
    found = tall_set(tmp_path / "set")
    shown = []

    def colours(images):
        shown.append(tuple(images.shape[1:]))
        return Means()(images)

    def train(name, images):
        preset = a_preset(images, base_size=(8, 4))
        return train_generator(
            preset.networks(), found, preset.settings, tmp_path / name, launch("cpu"), colours, OPTIONS, progress=False
        )

    train("parts", 32)
    parts, whole = train("parts", 64), train("whole", 64)
    assert parts.generator.read_bytes() == whole.generator.read_bytes()
    assert stylegan2.load(whole.best).image_size == (16, 8) and set(shown) == {(3, 128, 64)}


def test_a_start_of_another_constant_gets_a_discriminator_like_it(run, tmp_path):
    """A size does not tell the constant: 16 × 8 pixels come of 8 × 4 at resolution 8, and of 4 × 2 at 16."""
    tall_set(tmp_path / "set")
    preset = tiny(16, 64, base_size=(4, 2))
    stylegan2.save(preset.networks()[0], tmp_path / "alone.safetensors")
    words = ["train-generator", tmp_path / "set", "--out", tmp_path / "run", "--preset", "tiny", "--images", 8]
    code, _, err = run(*words, "--batch", 8, "--measure-every", 0, "--from", tmp_path / "alone.safetensors")
    assert code == 0, err
    judge = stylegan2.load(tmp_path / "run" / "discriminator.safetensors", "D")
    assert (judge.config.resolution, judge.config.base_size) == (16, (4, 2))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--resolution", "100x75"],
            "images 100 pixels wide and 75 high: sides of about this size are multiples of 16",
        ),
        (["--resolution", "7x14"], "images 7 pixels wide and 14 high: take 8 or more each way"),
        (["--resolution", "8y16"], "a size is a number such as 256, or width and height such as 960x540"),
        (["--resolution", "12x12"], "resolution must be a power of two from 8, not 12"),
        (["--resolution", "16x8"], "it is 8x16, not of the proportions of 16x8: set fit (--fit) to crop or to stretch"),
        (["--resolution", "8"], "not square: set fit (--fit) to crop or to stretch; where all images have one shape"),
        (["--preset", "stylegan"], "StyleGAN makes square images, and these are not: take the preset tiny or auto"),
        (["--preset", "progressive"], "Progressive GAN makes square images, and these are not: take"),
        (["--preset", "paper256"], "paper256 is for square images of 256 pixels, not 8x16; take auto"),
    ],
)
def test_shapes_that_are_not_trained_get_a_line(run, tmp_path, words, message):
    tall_set(tmp_path / "set", 2)
    shape = [] if "--resolution" in words else ["--resolution", "8x16"]
    given = ["train-generator", tmp_path / "set", "--out", tmp_path / "run", "--measure-every", 0]
    code, _, err = run(*given, *shape, *words)
    assert code == 2 and message in err.splitlines()[-1] and "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--freeze", 2], "--freeze keeps layers that have learnt something: give --from"),
        (["--augment", "often"], "--augment is none, adaptive or a probability from 0 to 1, not often"),
        (["--augment", "none", "--pipeline", "bg"], "--pipeline has no effect without augmentation"),
        (["--preset", "stylegan", "--pipeline", "bg"], "--pipeline has no effect without augmentation"),
        (["--preset", "progressive", "--gamma", "3"], "--gamma has no effect with the preset progressive"),
        (["--batch", 9, "--passes", 2], "a batch of 9 does not divide into 2 passes"),
        (["--from", "nothing.pt"], "nothing.pt: neither a file"),
        (["--from", "mobile-ffhq"], "a mobile generator, which is distilled"),
        (["--labels"], "there is no dataset.json beside the images"),
        (["--augment", "2"], "augment must be a finite number from 0 to 1"),
    ],
)
def test_bad_input_gets_a_line(run, tmp_path, words, message):
    given = ["train-generator", tmp_path / "set", "--out", tmp_path / "run", "--preset", "tiny", "--measure-every", 0]
    a_set(tmp_path / "set")
    code, _, err = run(*given, *([] if "--from" in words else ["--resolution", 8]), *words)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1


def test_a_start_without_a_discriminator_gets_a_new_one(tmp_path):
    generator, _ = a_preset().networks()
    stylegan2.save(generator, tmp_path / "alone.safetensors")
    start = start_of(str(tmp_path / "alone.safetensors"))
    assert start.discriminator is None
    assert networks_from(start, a_preset())[1].resolution == 8
    with pytest.raises(UserError, match="no discriminator in the checkpoint"):
        networks_from(start, a_preset(freeze=1))
