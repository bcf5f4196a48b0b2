"""Networks with random weights, for tests of where they compute: nothing is fetched for them."""

import torch

from latentlab import perceptual
from latentlab.perceptual import Backbone, PerceptualDistance


def random_distance(net: Backbone, dtype: torch.dtype = torch.float32) -> PerceptualDistance:
    """LPIPS whose backbone has random weights."""
    model, rng = perceptual._bare(net), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=rng) * (2 / max(weight[0].numel(), 1)) ** 0.5)
    return PerceptualDistance(model, dtype)
