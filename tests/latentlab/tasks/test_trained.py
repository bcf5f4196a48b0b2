"""Translators as methods of a comparison: trained once, resumed, and applied with and without masks."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from latentlab import images
from latentlab.progress import silent
from latentlab.tasks.trained import Trained
from latentlab.translation.methods import InstaGANConfig, Pix2Pix
from latentlab.translation.networks import InstaDiscriminatorConfig, InstaGeneratorConfig
from latentlab.translation.training import loop
from tests.latentlab.translation.toys import Toy


@pytest.fixture(scope="module")
def task():
    """What a trained method needs of a task: a resolution, a device, and images."""
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return SimpleNamespace(size=32, device=torch.device("cpu"), inputs=lambda: pictures)


def small(**changes):
    return Trained("pix2pix", Pix2Pix.configure(32, 2), lambda stage: Toy(4, 32), 1, 1, 3, **changes)


def test_what_was_trained_is_found_again(task, tmp_path):
    first = small()
    first.fit(task, tmp_path, silent)

    def never(stage):
        raise AssertionError

    again = Trained("pix2pix", first.config, never, 1, 1, 3)
    assert again.inputs == first.inputs and first.inputs["settings"]["seed"] == 3
    again.fit(task, tmp_path, silent)
    made = first.apply(task.inputs())
    assert torch.equal(made, again.apply(task.inputs())) and made.shape == task.inputs().shape
    assert torch.equal(made[1:2], first.apply(task.inputs()[1:2])), "alone or in company"
    large = torch.rand(2, 3, 40, 40) * 2 - 1
    assert torch.equal(first.apply(large), first.apply(images.resize(large, 32, 32)))


def test_a_training_that_was_stopped_goes_on(task, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    seen = []

    def stopping_at(last):
        @contextmanager
        def stage(title, unit="image"):
            def step(done, total, note=""):
                seen.append(done)
                if done == last:
                    raise InterruptedError

            yield step

        return stage

    with pytest.raises(InterruptedError):
        small().fit(task, tmp_path / "stopped", stopping_at(3))
    assert not (tmp_path / "stopped" / loop.MODEL).exists()
    stopped, whole = small(), small()
    stopped.fit(task, tmp_path / "stopped", stopping_at(None))
    whole.fit(task, tmp_path / "whole", silent)
    assert seen == [0, 1, 2, 3, 2, 3, 4]
    assert torch.equal(stopped.apply(task.inputs()), whole.apply(task.inputs()))


def test_pictures_without_a_mask_come_back(task, tmp_path):
    config = InstaGANConfig(InstaGeneratorConfig(1, 2), InstaDiscriminatorConfig(2), instances=2)
    masks = torch.full((1, 3, 48, 48), -1.0)
    for k, side in enumerate((4, 12, 8)):
        masks[0, k, 10 * k : 10 * k + side, :side] = 1

    def to_masks(pictures):
        assert pictures.shape[-1] == 48, "as the task gives them"
        return [masks, None]

    method = Trained("instagan", config, lambda stage: Toy(2, 32, instances=2), 0.5, 1, 0, to_masks=to_masks)
    method.fit(task, tmp_path, silent)
    pictures = torch.rand(2, 3, 48, 48) * 2 - 1
    made = method.apply(pictures)
    assert torch.equal(made[1:], images.resize(pictures[1:], 32, 32))
    assert not torch.equal(made[:1], images.resize(pictures[:1], 32, 32))
    masks = masks[:, [1, 2, 0]]
    assert torch.equal(made, method.apply(pictures)), "the largest come first, whatever their order"
    masks = masks[:, :2]
    assert torch.equal(made, method.apply(pictures)), "no more of them than it was trained for"
