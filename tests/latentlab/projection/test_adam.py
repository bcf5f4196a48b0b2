"""Adam against torch's, and along turned axes against the matrix functions that it stands for."""

import torch

from latentlab.projection.adam import BETAS, Adam


def gradients(steps, *shape, seed=0):
    """A row of random gradients, correlated along their last axis."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(shape[-1], shape[-1], generator=rng, dtype=torch.float64)
    return torch.randn(steps, *shape, generator=rng, dtype=torch.float64) @ mixing


def test_without_axes_it_is_torchs():
    value = torch.zeros(1, 3, 4, dtype=torch.float64, requires_grad=True)
    reference, own = torch.optim.Adam([value], lr=0.1, betas=BETAS), Adam(value.detach(), turns=False)
    mine = value.detach().clone()
    for step, gradient in enumerate(gradients(20, 1, 3, 4)):
        value.grad = gradient.clone()
        reference.step()
        mine += own.step(gradient, 0.1, step)
        torch.testing.assert_close(mine, value.detach())


def test_a_turned_step_is_the_mean_gradient_over_the_root_of_the_mean_of_its_products():
    """What Adam becomes on the eigenvectors: −lr · C^(−1/2) m, row by row (C and m without their bias)."""
    rows, d, steps = 2, 4, 12
    seen = gradients(steps, 1, rows, d)
    adam = Adam(torch.zeros(1, rows, d, dtype=torch.float64), turns=True)
    for step, gradient in enumerate(seen):
        move = adam.step(gradient, 0.1, step, turn=step == steps - 1)
    ages = torch.arange(steps - 1, -1, -1, dtype=torch.float64)
    fast, slow = (beta**ages / (beta**ages).sum() for beta in BETAS)
    for row in range(rows):
        g = seen[:, 0, row]
        values, axes = torch.linalg.eigh(g.T * slow @ g)
        expected = -0.1 * axes @ (axes.T @ (fast @ g) / values.sqrt())
        torch.testing.assert_close(move[0, row], expected)


def test_after_a_turn_the_mean_squares_are_those_of_the_whole_past_along_the_new_axes():
    seen = gradients(9, 1, 2, 3, seed=1)
    adam = Adam(torch.zeros(1, 2, 3, dtype=torch.float64), turns=True)
    for step, gradient in enumerate(seen):
        adam.step(gradient, 0.1, step, turn=step == 5)  # and three steps along those axes
    weights = (1 - BETAS[1]) * BETAS[1] ** torch.arange(8, -1, -1, dtype=torch.float64)
    along = torch.einsum("trk,rkl->trl", seen[:, 0], adam.state["axes"])
    torch.testing.assert_close(adam.state["square"][0], torch.einsum("t,trl->rl", weights, along.square()))
