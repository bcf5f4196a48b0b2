"""Running several batches through a network in one pass, where that makes no difference.

One pass over more images costs less than several: much of the cost of a convolution is that of its weights, which are
cast, reordered and given gradients once per pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized


def sees_images_alone(network: nn.Module) -> bool:
    """Return whether a network does the same to an image whatever else is in the batch, and nothing at random.

    This does not hold with batch normalisation or dropout, nor with spectral norm, whose estimate advances with every
    pass.
    """
    others = (nn.modules.batchnorm._BatchNorm, nn.Dropout)
    return not any(isinstance(module, others) or is_parametrized(module) for module in network.modules())


def run_on_each(network: Callable[..., Any], *batches: Sequence[Tensor]) -> list[Any]:
    """Return a network's output for each batch: in one pass if it sees images alone, otherwise one after another.

    Parameters
    ----------
    network
        The network; a function that is not a network runs on one batch after another.
    batches
        Arguments of the network, for each batch.
    """
    shapes = {tuple(tensor.shape[1:] for tensor in batch) for batch in batches}
    if len(shapes) > 1 or not isinstance(network, nn.Module) or not sees_images_alone(network):
        return [network(*batch) for batch in batches]
    made = network(*map(torch.cat, zip(*batches, strict=True)))
    counts = [len(batch[0]) for batch in batches]
    if isinstance(made, Tensor):
        return list(torch.split(made, counts))
    return list(zip(*(torch.split(tensor, counts) for tensor in made), strict=True))
