"""LPIPS: equal to the library's own, with targets computed once, masks, and half precision."""

import lpips
import pytest
import torch

from latentlab import perceptual
from latentlab.errors import UserError
from latentlab.perceptual import MIN_RESOLUTION, masked_mean


@pytest.fixture(scope="module", params=["vgg", "alex"])
def distance(request):
    return perceptual.load_perceptual(request.param)


@pytest.fixture
def pictures():
    rng = torch.Generator().manual_seed(0)
    smooth = torch.rand(4, 3, 8, 8, generator=rng) * 2 - 1
    return torch.nn.functional.interpolate(smooth, (64, 64), mode="bicubic").clamp(-1, 1)


@pytest.mark.weights
def test_it_is_the_librarys_distance(distance, pictures):
    one, other = pictures[:2], pictures[2:]
    expected = lpips.LPIPS.forward(distance.model, one, other).flatten()
    torch.testing.assert_close(distance(one, other), expected, rtol=1e-4, atol=1e-6)
    assert (distance(one, one) == 0).all()
    assert (expected > 0.1).all()


@pytest.mark.weights
def test_the_backbone_is_the_one_that_the_layers_were_learnt_on(distance, pictures):
    """With any other weights noise would not be farther away than a slight blur, by far."""
    x = pictures[:1]
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    noisy = (x + 0.5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).clamp(-1, 1)
    assert distance(x, noisy) > 3 * distance(x, blurred)


@pytest.mark.weights
def test_a_target_can_be_computed_once(distance, pictures):
    one, other = pictures[:2], pictures[2:]
    pyramid = distance.pyramid(other)
    torch.testing.assert_close(distance(one, pyramid), distance(one, other))
    torch.testing.assert_close(distance(one[1:], pyramid[[1]]), distance(one, other)[1:], rtol=1e-4, atol=1e-6)
    assert len(pyramid) == 2


@pytest.mark.weights
@torch.no_grad()
def test_all_distances_at_once_are_those_of_each_pair(distance, pictures):
    known = distance.pyramid(pictures)
    found = distance.between_all(known[[0, 1, 2]], known)
    expected = torch.stack([distance.between(known[[k]], known) for k in range(3)])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.weights
def test_the_distance_to_a_target_is_that_between_pyramids_and_so_is_its_gradient(distance, pictures):
    images, target = pictures[:1].clone().requires_grad_(), distance.pyramid(pictures[1:2])
    mask = torch.rand(1, 1, *pictures.shape[2:], generator=torch.Generator().manual_seed(3))
    found = distance(images, target, mask), distance.between(distance.pyramid(images), target, mask)
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)
    gradients = [torch.autograd.grad(value.sum(), images)[0] for value in found]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6 * float(gradients[1].abs().max()))


def test_a_target_may_have_the_gradient(distance, pictures):
    target = pictures[1:2].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(distance(pictures[:1], target).sum(), target)
    assert gradient.abs().max() > 0


def test_half_precision_is_near(distance, pictures):
    fast = perceptual.load_perceptual(distance.model.pnet_type, dtype=torch.bfloat16)
    torch.testing.assert_close(
        fast(pictures[:2], pictures[2:]), distance(pictures[:2], pictures[2:]), rtol=0.03, atol=0
    )


@pytest.mark.weights
def test_gradients_reach_the_picture_and_only_it(distance, pictures):
    x = pictures[:1].clone().requires_grad_()
    distance(x, pictures[1:2]).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in distance.parameters())


@pytest.mark.weights
def test_the_gradient_is_finite_where_no_feature_fires(distance):
    x = torch.full((1, 3, 64, 64), -1.0, requires_grad=True)
    distance(x, torch.zeros(1, 3, 64, 64)).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.weights
def test_a_mask_of_ones_changes_nothing_and_half_a_mask_counts_that_half(distance, pictures):
    one, other = pictures[:1], pictures[1:2]
    whole = distance(one, other)
    torch.testing.assert_close(distance(one, other, torch.ones(1, 1, 64, 64)), whole)
    mixed = one.clone()
    mixed[..., 32:] = other[..., 32:]
    left = torch.zeros(1, 1, 64, 64)
    left[..., :32] = 1
    assert distance(mixed, one, 1 - left) > 2 * distance(mixed, one, left)


def test_the_masked_mean_in_closed_form():
    values = torch.arange(8.0).reshape(1, 1, 2, 4)
    mask = torch.tensor([[[[1.0, 0, 0, 0], [0, 0, 0, 0.5]]]])
    torch.testing.assert_close(masked_mean(values, mask), torch.tensor([(0 * 1 + 7 * 0.5) / 1.5]))
    torch.testing.assert_close(masked_mean(values, None), torch.tensor([3.5]))


@pytest.mark.weights
def test_pictures_that_are_too_small_or_none_are_told(distance):
    least = MIN_RESOLUTION[distance.model.pnet_type]
    assert distance(torch.zeros(1, 3, least, least), torch.ones(1, 3, least, least)).isfinite()
    for shape, words in [((1, 3, least, least - 1), f"at least {least}x{least}"), ((1, 2, 64, 64), "must be")]:
        with pytest.raises(UserError, match=words):
            distance.pyramid(torch.zeros(shape))


def test_an_unknown_backbone_is_told():
    with pytest.raises(UserError, match="vgg, alex"):
        perceptual.load_perceptual("resnet")


@pytest.mark.weights
def test_loading_leaves_the_global_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    perceptual.load_perceptual("alex")
    assert torch.equal(torch.rand(2), expected)
