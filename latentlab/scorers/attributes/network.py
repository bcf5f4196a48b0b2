"""The network: images of 64x64 to a logit for each attribute."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RESOLUTION = 64


class _Block(nn.Module):
    """Two 3×3 convolutions at half the resolution, added to a 1×1 one of the averaged input."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv0 = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(after)
        self.conv1 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.skip = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `(b, before, h, w)` to `(b, after, h/2, w/2)`."""
        y = self.norm1(self.conv1(F.relu(self.norm0(self.conv0(x)))))
        return F.relu(y + self.skip(F.avg_pool2d(x, 2)))


class AttributeNet(nn.Module):
    """A small residual network (He et al. 2016, "Deep Residual Learning for Image Recognition").

    The last features are 4×4 and are not averaged over the image: faces are aligned, so the place of a feature
    carries information.

    Parameters
    ----------
    attributes
        Number of attributes, and of logits.
    base_channels
        Base channel count, that at full resolution.
    """

    def __init__(self, attributes: int, base_channels: int = 16):
        super().__init__()
        self.base_channels = base_channels
        widths = [multiple * base_channels for multiple in (1, 2, 4, 6, 8)]
        self.stem = nn.Sequential(
            nn.Conv2d(3, base_channels, 3, padding=1, bias=False), nn.BatchNorm2d(base_channels), nn.ReLU()
        )
        self.blocks = nn.Sequential(*[_Block(i, o) for i, o in zip(widths, widths[1:], strict=False)])
        self.dropout = nn.Dropout(0.4)
        self.head = nn.Linear(16 * widths[-1], attributes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits `(b, attributes)` of `images (b, 3, 64, 64)` in [-1, 1]."""
        logits: Tensor = self.head(self.dropout(torch.flatten(self.blocks(self.stem(images)), 1)))
        return logits
