"""Objectives, penalties, context and the pool, against values computed by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab.errors import UserError
from latentlab.translation.losses import context_loss, context_weight, l1
from latentlab.translation.objectives import gradient_penalty, objective
from latentlab.translation.pool import ImagePool

REAL, FAKE = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [0.5]])


def log_loss(x):
    return math.log(1 + math.exp(-x))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("vanilla", ((log_loss(2) + log_loss(-1)) / 2 + log_loss(-0.5)) / 2, log_loss(0.5)),
        ("least-squares", ((1 + 4) / 2 + 0.25) / 2, 0.25),
        ("wgan-gp", (-(2 - 1) / 2 + 0.5) / 2, -0.5),
        ("hinge", ((0 + 2) / 2 + 1.5) / 2, -0.5),
    ],
)
def test_objectives(name, discriminator, generator):
    assert float(objective(name).discriminator(REAL, FAKE)) == pytest.approx(discriminator, rel=1e-6)
    assert float(objective(name).generator(FAKE)) == pytest.approx(generator, rel=1e-6)


def test_unknown_objectives_are_refused():
    with pytest.raises(UserError, match="vanilla, least-squares, wgan-gp, hinge"):
        objective("logistic")


def test_the_penalty_of_a_linear_critic_is_known():
    """Its logits' mean has the same gradient everywhere: (|g| − 1)²."""
    weight = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)

    def critic(x):
        return (x * weight).sum(dim=1, keepdim=True)

    pictures = torch.rand(3, 2, 2, 2)
    # The mean over 4 pixels: each of 4 · 2 numbers has a gradient of 3/4 or 4/4; their length is 5/4 · 2.
    penalty = gradient_penalty(critic, pictures, -pictures, torch.Generator())
    assert float(penalty) == pytest.approx((2.5 - 1) ** 2, rel=1e-5)


def test_the_penalty_looks_between_real_and_fake():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.square().sum(dim=(1, 2, 3))

    gradient_penalty(critic, torch.zeros(50, 1, 1, 1), torch.ones(50, 1, 1, 1), torch.Generator())
    assert (seen[0] > 0).all() and (seen[0] < 1).all() and seen[0].std() > 0.1


def test_l1_is_the_mean_of_absolute_differences():
    assert float(l1(torch.tensor([1.0, -1.0]), torch.tensor([0.0, 2.0]))) == 2


def test_context_is_what_is_outside_of_all_masks_before_and_after():
    before = torch.tensor([[-1.0, -1, 1, -1], [-1, -1, -1, -1]]).reshape(1, 2, 1, 4)
    after = torch.tensor([[-1.0, 1, -1, 0], [-1, -1, -1, -1]]).reshape(1, 2, 1, 4)
    weight = context_weight(before, after)
    torch.testing.assert_close(weight, torch.tensor([1.0, 0, 0, 0.5]).reshape(1, 1, 1, 4))
    one, other = torch.zeros(1, 3, 1, 4), torch.tensor([1.0, 5, 5, 2]).reshape(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert float(context_loss(one, other, weight)) == (1 + 0 + 0 + 1) / 4


# --- the pool -----------------------------------------------------------------------------------------------


def numbered(*numbers):
    return torch.tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1, 1)


def test_a_pool_fills_before_it_swaps():
    pool, rng = ImagePool(3), torch.Generator().manual_seed(0)
    assert torch.equal(pool.swap(numbered(1, 2), rng), numbered(1, 2))
    assert torch.equal(pool.swap(numbered(3), rng), numbered(3))
    assert torch.equal(pool.images, numbered(1, 2, 3))


@given(st.integers(0, 1000))
def test_a_full_pool_gives_the_picture_or_one_that_it_replaces(seed):
    pool, rng = ImagePool(3), torch.Generator().manual_seed(seed)
    pool.swap(numbered(1, 2, 3), rng)
    given_back = pool.swap(numbered(4), rng)
    kept = set(pool.images.flatten().tolist())
    assert kept | set(given_back.flatten().tolist()) == {1.0, 2.0, 3.0, 4.0}
    assert len(kept) == 3


def test_odds_are_even_and_pictures_lose_their_gradients():
    pool, rng = ImagePool(2), torch.Generator().manual_seed(0)
    pool.swap(numbered(-1, -2), rng)
    same = sum(float(pool.swap(numbered(k), rng)) == k for k in range(1000))
    assert 440 < same < 560
    assert not pool.swap(numbered(5).requires_grad_(), rng).requires_grad
    assert torch.equal(ImagePool(0).swap(numbered(5, 6), rng), numbered(5, 6))
