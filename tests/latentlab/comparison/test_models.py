"""Trained models in place of trainings: which files count, what methods take them, and what the report says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latentlab.comparison.definition import Choice, Job, TaskDefinition, run_task
from latentlab.comparison.models import find_models, methods_with_models
from latentlab.comparison.protocol import Measure, Method
from latentlab.errors import UserError
from latentlab.images import resize
from latentlab.tasks.trained import Trained
from latentlab.translation import Augmentation, Pix2Pix, Translator
from latentlab.translation.networks import InstaGeneratorConfig, UNetConfig, initialise_
from tests.latentlab.translation.toys import Toy


def save(path, value=0.0, network=None):
    network = (UNetConfig(32, 2) if network is None else network).build()
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(value)
    Translator({"a2b": network}, {"method": "pix2pix", "steps": 7}).save(path)
    return path


def trained():
    def never(stage):
        raise AssertionError("it was trained")

    return Trained("pix2pix", Pix2Pix.configure(32, 2), never, 1, 1, 0)


def test_models_are_found_by_their_names_with_further_trainings(tmp_path):
    for name in ("pix2pix.10", "pix2pix.2", "cyclegan"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "translator.safetensors")
    save(tmp_path / "pix2pix.safetensors")
    (tmp_path / "notes.txt").write_text("not a model")
    (tmp_path / "samples").mkdir()
    found = find_models(tmp_path)
    assert {name: [path.relative_to(tmp_path).parts[0] for path in paths] for name, paths in found.items()} == {
        "cyclegan": ["cyclegan"],
        "pix2pix": ["pix2pix.safetensors", "pix2pix.2", "pix2pix.10"],
    }


def test_folders_without_models_and_two_of_one_name_are_refused(tmp_path):
    with pytest.raises(UserError, match="translate train NAME"):
        find_models(tmp_path / "nowhere")
    save(tmp_path / "cut.safetensors")
    (tmp_path / "cut").mkdir()
    save(tmp_path / "cut" / "translator.safetensors")
    with pytest.raises(UserError, match="both a model of cut"):
        find_models(tmp_path)


def test_a_method_takes_the_model_and_does_not_train(tmp_path):
    task = SimpleNamespace(size=32, device=torch.device("cpu"))
    one = trained()
    one.use_model(save(tmp_path / "one.safetensors"))
    one.fit(task, tmp_path, None)
    image = torch.rand(1, 3, 48, 48)
    assert torch.equal(one.apply(image), torch.zeros(1, 3, 32, 32))
    assert one.inputs != trained().inputs and "steps 7" in one.training_note


def test_a_model_works_at_the_resolution_of_its_training(tmp_path):
    placed = {"augmentation": Augmentation.for_resolution(64).as_dict()}
    network = UNetConfig(64, 2).build()
    initialise_(network, 0.5)
    given = Translator({"a2b": network}, {"training": {"data": placed}})
    given.save(tmp_path / "m.safetensors")
    one = trained()
    one.use_model(tmp_path / "m.safetensors")
    one.fit(SimpleNamespace(size=32, device=torch.device("cpu")), tmp_path, None)
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected, _ = given(resize(resize(image, 32, 32), 64, 64), dropout=False)
    assert torch.equal(one.apply(image), resize(expected, 32, 32))


def test_a_model_of_another_kind_is_refused(tmp_path):
    with pytest.raises(UserError, match="takes no masks"):
        trained().use_model(save(tmp_path / "m.safetensors", network=InstaGeneratorConfig(0, 2)))


class Grey(Method):
    name = "grey"

    def fit(self, task, folder, stage):
        self.size = task.size

    def apply(self, images):
        return torch.zeros(len(images), 3, self.size, self.size)


class Task:
    title, size, device, names = "Blacken", 32, torch.device("cpu"), ("a", "b")
    measures = (Measure("level", "level", "less"),)
    training_key = held_out_key = {}
    limits = "None."

    def __init__(self, folder):
        self.folder = folder

    def inputs(self):
        return torch.zeros(2, 3, 32, 32)

    shown = inputs

    def truth(self):
        return None

    def measure(self, made):
        return {"level": made.mean(dim=(1, 2, 3)).numpy().astype(np.float64)}

    def measure_set(self, made):
        return {}


def build(task, names):
    known = {
        "grey": Grey,
        "pix2pix": lambda: Trained("pix2pix", Pix2Pix.configure(32, 2), lambda stage: Toy(2, 32), 1, 2, 0),
    }
    return [known[name]() for name in names]


DEFINITION = TaskDefinition(
    "Blacken.",
    {"quick": SimpleNamespace(epochs={"pix2pix": 1})},
    ("grey", "pix2pix"),
    lambda settings, inputs, job: Task(job.folder),
    build,
)


def report(tmp_path, choice):
    done = run_task(DEFINITION, DEFINITION.presets["quick"], None, Job(tmp_path / "out", "cpu", False), choice)
    return done, done.page.read_text()


def test_the_report_says_who_was_given_what_and_how_trainings_differ(tmp_path):
    models = {"pix2pix": (save(tmp_path / "p.safetensors"), save(tmp_path / "p.2.safetensors", 0.1))}
    done, page = report(tmp_path, Choice(models=models))
    assert [one.name for one in done.comparison.results] == ["grey", "pix2pix", "pix2pix.2"]
    assert "Over trainings" in page and "given: method pix2pix, steps 7" in page
    assert not done.notes
    given = done.comparison.results[1].costs
    assert given["megabytes"] == models["pix2pix"][0].stat().st_size / 1e6 and "fit_seconds" not in given


def test_the_quick_preset_says_that_it_only_checks_the_machinery(tmp_path):
    done, page = report(tmp_path, Choice())
    assert "pix2pix: trained for minutes by the quick preset" in page and "Over trainings" not in page
    assert len(done.notes) == 1


def test_a_model_for_a_method_that_learns_nothing_is_refused(tmp_path):
    path = save(tmp_path / "grey.safetensors")
    with pytest.raises(UserError, match="grey takes no trained model"):
        methods_with_models(lambda names: build(None, names), ["grey"], {"grey": (path,)})
    with pytest.raises(UserError, match="no method of this task is called 'gray'; did you mean|did you mean grey"):
        report(tmp_path, Choice(models={"gray": (path,)}))
