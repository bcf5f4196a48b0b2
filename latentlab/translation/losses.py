"""Losses that translators minimise besides the adversarial objective."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def l1(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of two tensors of equal shape."""
    return (one - other).abs().mean()


def context_weight(source: Tensor, translated: Tensor) -> Tensor:
    """Weight that is 1 outside all instances, before and after translation: 1 − union of the masks.

    Mo et al. 2019, section 2.2. The union of soft masks is their sum in units of 0 … 1, clamped at 1, as in the
    published code.

    Parameters
    ----------
    source, translated
        Masks `(b, n, h, w)` in [-1, 1]; a mask of −1 everywhere has no effect.

    Returns
    -------
    Tensor
        `(b, 1, h, w)` in 0 … 1.
    """
    inside = (torch.cat([source, translated], dim=1) + 1) / 2
    return 1 - inside.sum(dim=1, keepdim=True).clamp(max=1)


def context_loss(source: Tensor, translated: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of images `(b, 3, h, w)`, weighted by `weight (b, 1, h, w)`.

    The mean is over all pixels, including those of weight 0, like the paper's norm.
    """
    return (weight * (source - translated).abs()).mean()


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    r"""Contrastive loss of patches, each of which should be like the one at the same place and unlike the others.

    .. math:: -\frac{1}{n}\sum_i \log\frac{\exp(q_i \cdot k_i / \tau)}{\sum_j \exp(q_i \cdot k_j / \tau)}

    Park et al. 2020, "Contrastive Learning for Unpaired Image-to-Image Translation", equation (3). The keys get no
    gradient.

    Parameters
    ----------
    queries, keys
        Features `(b, n, c)` of length 1, at the same n places of each image.
    temperature
        τ.

    Returns
    -------
    Tensor
        The mean over places and images.
    """
    logits = queries @ keys.detach().transpose(1, 2) / temperature
    places = torch.arange(queries.shape[1], device=queries.device).expand(len(queries), -1)
    return F.cross_entropy(logits.flatten(0, 1), places.flatten())
