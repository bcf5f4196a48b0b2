"""The metrics as classes: update, compute, reset, and the interval of each."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from latentlab import perceptual, registry
from latentlab.errors import UserError
from latentlab.metrics import (
    LPIPS,
    FrechetDistance,
    Identity,
    Interval,
    KernelDistance,
    Leakage,
    OutsideChange,
    Sharpness,
    VGG16Features,
    mean_interval,
    statistic_interval,
)
from latentlab.metrics.base import LastResult
from latentlab.metrics.functional import frechet_distance, kernel_distance, leakage


def noise(seed, n=3, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def colours(images):
    """Features that every test can compute by hand: the mean of each channel."""
    return images.mean(dim=(2, 3)).double().numpy()


# --- what all have in common --------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [OutsideChange(), Sharpness(), Identity(lambda images: images[:, 0, 0, :128])])
def test_batches_add_up_and_reset_forgets(metric):
    before, after = noise(0, size=64), noise(1, size=64)
    metric.update(before, after)
    whole, values = metric.compute(), metric.values
    assert len(values) == 3 and whole == mean_interval(values)
    metric.reset()
    assert len(metric.values) == 0 and metric.compute().n == 0
    for one, other in zip(before.split(1), after.split(1), strict=True):
        metric.update(one, other)
    assert metric.values == pytest.approx(values) and metric.compute().n == 3
    assert metric.compute().mean == pytest.approx(whole.mean)


@pytest.mark.parametrize("name", registry.metrics.names())
def test_registered_metrics_have_a_title_and_say_what_is_better(name):
    metric = registry.metrics.load(name)
    assert all(callable(getattr(metric, method)) for method in ("update", "compute", "reset"))
    assert metric.higher_is_better in (True, False, None)


def test_the_package_imports_nothing_before_it_is_used():
    code = "import latentlab.metrics, sys; dir(latentlab.metrics); assert not {'torch', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- one by one ---------------------------------------------------------------------------------------------


def test_identity_is_1_for_the_same_face_and_counts_those_that_are_not_found():
    def describe(images):
        assert images.shape[2] == 128, "small images are enlarged"
        found = images[:, 0, 0, :].clone()
        found[images.mean(dim=(1, 2, 3)) > 0.9] = torch.nan  # no face
        return found

    metric = Identity(describe)
    faces = torch.cat([noise(0, 2, 64), torch.ones(1, 3, 64, 64)])
    metric.update(faces, faces)
    assert metric.values[:2] == pytest.approx([1, 1]) and np.isnan(metric.values[2])
    found = metric.compute()
    assert (found.n, found.missing) == (2, 1) and found.mean == pytest.approx(1)
    metric.reset()
    metric.update(faces[2:], faces[2:])
    assert metric.compute().why == "no face is found"


def test_identity_of_faces_that_are_too_small_is_unknown_and_says_so():
    metric = Identity(lambda images: pytest.fail("they are not described"))
    metric.update(noise(0), noise(1))
    found = metric.compute()
    assert not found.known and found.missing == 3
    assert found.why == "faces of 32 pixels are too small for the descriptor"


def test_what_is_compared_against_is_described_once():
    calls = []

    def describe(images):
        calls.append(len(images))
        return images[:, 0, 0, :128]

    metric, before = Identity(describe), noise(0, size=64)
    for seed in (1, 2, 3):
        metric.update(before, noise(seed, size=64))
    assert len(calls) == 4
    metric.update(before.clone(), noise(1, size=64))  # an equal tensor, but another one
    assert len(calls) == 6
    assert LastResult(len)(before) == 3


def test_the_change_within_a_region_does_not_count():
    before = torch.zeros(2, 3, 4, 4)
    region = torch.zeros(1, 1, 4, 4)
    region[..., :2] = 1
    after = before.clone()
    after[0, :, :, :2] = 1
    after[1] = 0.5
    metric = OutsideChange()
    metric.update(before, after, region)
    assert metric.values.tolist() == [0, 0.25]
    metric.reset()
    metric.update(before, after)
    assert metric.values.tolist() == [0.25, 0.25]


def test_sharpness_is_a_share_and_nothing_where_there_is_no_edge():
    metric, before = Sharpness(), noise(0)
    metric.update(before, before / 2)
    assert metric.values == pytest.approx([0.25] * 3)
    metric.reset()
    metric.update(torch.zeros_like(before), before)
    assert np.isnan(metric.values).all() and metric.compute().missing == 3
    assert metric.compute().why == "the image before is plain"


class Classifier:
    """Three attributes, whose logits are the means of the channels."""

    names = ("smiling", "related", "other")

    def logits(self, images):
        return torch.from_numpy(colours(images))


def test_leakage_is_a_share_of_the_targets_move():
    before, after = torch.zeros(4, 3, 2, 2), torch.zeros(4, 3, 2, 2)
    after[:, 0], after[:, 1], after[:, 2] = 0.5, 0.4, torch.tensor([0.1, 0.2, 0.3, 0.4]).view(4, 1, 1)
    deviation = np.array([0.5, 1.0, 2.0])
    metric = Leakage(Classifier(), "smiling", ["related"], deviation, logits=colours)
    metric.update(before, after)
    found = metric.compute()
    assert found.mean == pytest.approx((0.25 / 2) / (0.5 / 0.5)) and found.low < found.mean < found.high
    both = np.stack([colours(before), colours(after)], axis=1)
    expected = statistic_interval(lambda x: float(leakage(x[:, 0], x[:, 1], deviation, 0)[[2]].mean()), both, least=0)
    assert found == expected
    metric.reset()
    assert np.isnan(metric.compute().mean)
    metric.update(before, before + 0.05)  # a tenth of a deviation: too little to be a unit
    assert not metric.compute().known and metric.compute().why == "the edited attribute itself hardly moved"
    with pytest.raises(UserError, match="knows no grin; it knows smiling, related, other"):
        Leakage(Classifier(), "grin", [])


@pytest.mark.parametrize(
    ("metric", "function", "least"),
    [
        (KernelDistance(colours), lambda a, b: 1000 * kernel_distance(a, b), -np.inf),
        (FrechetDistance(colours), frechet_distance, 0),
    ],
)
def test_distances_between_sets_are_those_of_their_features(metric, function, least):
    made, reference = noise(0, 12), noise(1, 9) / 2
    metric.update(reference, made)
    found = metric.compute()
    assert found == statistic_interval(function, colours(made), colours(reference), least=least)
    metric.reset()
    for some in made.split(5):
        metric.update(None, some)
    metric.update(reference, None)
    parts = metric.compute()
    assert parts.mean == pytest.approx(found.mean) and parts.n == 12
    metric.reset()
    metric.update(reference, made[:1])
    assert metric.compute().why == "a set of fewer than two images has no distribution"
    assert "colours" in metric.title and not {"FID", "KID"} & set(metric.title.split())


# --- with VGG16 ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vgg():
    return perceptual.load_perceptual("vgg")


@pytest.mark.weights
def test_lpips_is_that_of_the_network_and_of_a_region_only_what_lies_outside(vgg):
    before, after = noise(0), noise(1)
    metric = LPIPS(vgg, batch_size=2)
    metric.update(before, after)
    assert metric.values == pytest.approx(vgg(after, before).double().numpy(), rel=1e-5)
    half = torch.zeros(3, 1, 32, 32)
    half[..., :16] = 1
    inside = before.clone()
    inside[..., :4] = after[..., :4]
    near, far = (metric.per_image(before, inside, region) for region in (half, 1 - half))
    assert (near < 0.2 * far).all()


@pytest.mark.weights
def test_vgg16_features_are_called_so(vgg):
    features = VGG16Features(vgg)
    assert features(noise(0)).shape == (3, 1472)
    assert KernelDistance(features).title == "Kernel distance × 1000 (VGG16)"
    assert FrechetDistance(features).title == "Fréchet distance (VGG16)"
    same = KernelDistance(features)
    same.update(noise(0, 4), noise(0, 4))
    different = KernelDistance(features)
    different.update(noise(0, 4), torch.zeros(4, 3, 32, 32))
    assert isinstance(same.compute(), Interval) and same.compute().mean < different.compute().mean


@pytest.mark.weights
def test_another_backbone_is_not_called_vgg16():
    with pytest.raises(UserError, match="backbone vgg, not alex"):
        VGG16Features(perceptual.load_perceptual("alex"))
