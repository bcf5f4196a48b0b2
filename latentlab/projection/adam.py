"""Adam, plain or along the axes on which a latent's gradients are uncorrelated.

Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization". Its step has one size on every axis, which is only
sensible where the axes are independent; those of w are not. So the axes may be turned, every so many steps, to the
eigenvectors of the gradients' second moments: Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam",
here with a basis for each row of ws and none across rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """Adam for one tensor: the memory of its gradients, and the steps that they give.

    Parameters
    ----------
    like
        Tensor to optimise, `(1, …, d)`; its rows of `d` numbers are turned.
    turns
        Whether the axes will be turned, which takes two matrices `(d, d)` per row.

    Attributes
    ----------
    state
        Memory: "mean" of the gradients, as `like`; mean "square" of those along the axes; and, where
        the axes turn, "outer" `(rows, d, d)`, mean of g gᵀ, and "axes" `(rows, d, d)`, a column each.
    """

    def __init__(self, like: Tensor, turns: bool):
        rows, d = like.numel() // like.shape[-1], like.shape[-1]
        self.state = {"mean": torch.zeros_like(like), "square": torch.zeros_like(like)}
        if turns:
            self.state["outer"] = like.new_zeros(rows, d, d)
            self.state["axes"] = torch.eye(d, dtype=like.dtype, device=like.device).repeat(rows, 1, 1)

    @property
    def turns(self) -> bool:
        """Whether the axes turn."""
        return "axes" in self.state

    @torch.no_grad()
    def step(self, gradient: Tensor, learning_rate: float, taken: int, turn: bool = False) -> Tensor:
        """Return what to add to the tensor for its `gradient`, of the same shape, after `taken` steps.

        `turn` sets the axes anew before the step. The mean squares along the new ones are the eigenvalues of the mean
        of g gᵀ: just what they would be, had the axes always been these.
        """
        mean, square = self.state["mean"], self.state["square"]
        mean.lerp_(gradient, 1 - BETAS[0])
        if self.turns:
            g = gradient.reshape(-1, gradient.shape[-1])  # (rows, d)
            self.state["outer"].baddbmm_(g[:, :, None], g[:, None, :], beta=BETAS[1], alpha=1 - BETAS[1])
        if turn:
            values, axes = torch.linalg.eigh(self.state["outer"])
            self.state["axes"].copy_(axes)
            square.copy_(values.clamp_min(0).reshape(square.shape))
        else:
            square.lerp_(self.along(gradient).square(), 1 - BETAS[1])
        size = (square / (1 - BETAS[1] ** (taken + 1))).sqrt() + EPSILON
        way = self.along(mean) / (1 - BETAS[0] ** (taken + 1)) / size
        return -learning_rate * self.back(way)

    def along(self, x: Tensor) -> Tensor:
        """Return `x` in coordinates along the axes."""
        if not self.turns:
            return x
        return (x.reshape(-1, 1, x.shape[-1]) @ self.state["axes"]).reshape(x.shape)

    def back(self, x: Tensor) -> Tensor:
        """Return `x` from coordinates along the axes."""
        if not self.turns:
            return x
        return (x.reshape(-1, 1, x.shape[-1]) @ self.state["axes"].mT).reshape(x.shape)


class SharedAdam:
    """Adam for tensors that resemble each other, such as the latents of a film's frames: they share what it has learnt.

    Each has a mean of its own gradients. The mean square of the gradients is that of all, and so are the axes: those
    that a search for one of them has turned to, whose memory of the mean squares goes on.

    Parameters
    ----------
    like
        The tensors, `(t, …, d)`.
    memory
        Adam of the search for one of them.
    taken
        Steps that it has taken.

    Attributes
    ----------
    state
        "mean" of each tensor's gradients, as `like`, and the number of steps "behind" it, `(t,)`; the mean "square" of
        all along the axes, `(1, …, d)`.
    taken
        Steps that stand behind the mean square.
    """

    def __init__(self, like: Tensor, memory: Adam, taken: int):
        behind = torch.zeros(len(like), dtype=torch.int64)
        self.state = {"mean": torch.zeros_like(like), "behind": behind, "square": memory.state["square"].clone()}
        self.taken, self._memory = taken, memory

    def inherit(self, index: int, other: int) -> None:
        """Let the tensor of an index continue with the mean of another one."""
        for name in ("mean", "behind"):
            self.state[name][index] = self.state[name][other]

    @torch.no_grad()
    def step(self, index: int, gradient: Tensor, learning_rate: float) -> Tensor:
        """Return what to add to the tensor of an index for its `gradient (1, …, d)`."""
        mean, square, behind = self.state["mean"][index : index + 1], self.state["square"], self.state["behind"]
        mean.lerp_(gradient, 1 - BETAS[0])
        square.lerp_(self._memory.along(gradient).square(), 1 - BETAS[1])
        self.taken += 1
        behind[index] += 1
        size = (square / (1 - BETAS[1] ** self.taken)).sqrt() + EPSILON
        unbiased = self._memory.along(mean) / (1 - BETAS[0] ** int(behind[index]))
        return -learning_rate * self._memory.back(unbiased / size)
