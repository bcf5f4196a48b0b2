"""History of generated images that the discriminator is shown again.

Shrivastava et al. 2017, "Learning from Simulated and Unsupervised Images through Adversarial Training", section 2.3;
CycleGAN keeps 50 images and shows them with even odds (Zhu et al. 2017, section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor


class ImagePool:
    """Pool of up to `size` generated images.

    Parameters
    ----------
    size
        Number of images; 0 for no pool.

    Attributes
    ----------
    images
        `(n, …)`, the pooled images; None before the first.
    """

    def __init__(self, size: int):
        self.size = size
        self.images: Tensor | None = None

    def swap(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Return what the discriminator sees in place of `images (b, …)`, without their gradients.

        The images are taken one by one. Until the pool is full, an image is stored and returned. Afterwards, with even
        odds, it is returned, or it replaces a random image of the pool, which is returned instead.
        """
        if self.size == 0:
            return images.detach()
        returned, images = [], in_layout(images.detach())
        for row in range(len(images)):
            image = images[row : row + 1]
            if self.images is None or len(self.images) < self.size:
                self.images = image.clone() if self.images is None else torch.cat([self.images, image])
                returned.append(image)
            elif torch.rand((), generator=rng) < 0.5:
                returned.append(image)
            else:
                place = int(torch.randint(self.size, (), generator=rng))
                returned.append(self.images[place : place + 1].clone())
                self.images[place] = image[0]
        return torch.cat(returned)


def in_layout(images: Tensor) -> Tensor:
    """Copy images `(b, …)` into the one layout that all pools use.

    The last bits of a network's output depend on the layout of its input, which files do not keep: without a fixed
    layout, a pool that was read back would lead to a different training.
    """
    return images.clone(memory_format=torch.channels_last if images.ndim == 4 else torch.contiguous_format)
