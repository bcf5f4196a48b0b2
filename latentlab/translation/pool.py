"""A pool of generated pictures that the discriminator is shown again.

Shrivastava et al. 2017, "Learning from Simulated and Unsupervised Images through Adversarial Training", section 2.3;
in CycleGAN 50 pictures, shown with even odds (Zhu et al. 2017, section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor


class PicturePool:
    """Keeps up to `size` pictures.

    Parameters
    ----------
    size
        0: none, what comes goes.

    Attributes
    ----------
    pictures
        `(n, …)`, those it keeps; None before the first.
    """

    def __init__(self, size: int):
        self.size = size
        self.pictures: Tensor | None = None

    def swap(self, pictures: Tensor, rng: torch.Generator) -> Tensor:
        """What the discriminator sees in place of `pictures (b, …)`, each on its own and in order.

        Until the pool is full a picture is kept and given back. Then, with even odds, it is given back, or it takes
        the place of a random one, which is given instead. Pictures lose their gradients.
        """
        if self.size == 0:
            return pictures.detach()
        given = []
        for picture in pictures.detach().split(1):
            if self.pictures is None or len(self.pictures) < self.size:
                self.pictures = picture.clone() if self.pictures is None else torch.cat([self.pictures, picture])
                given.append(picture)
            elif torch.rand((), generator=rng) < 0.5:
                given.append(picture)
            else:
                place = int(torch.randint(self.size, (), generator=rng))
                given.append(self.pictures[place : place + 1].clone())
                self.pictures[place] = picture[0]
        return torch.cat(given)
