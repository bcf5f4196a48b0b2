"""Regions of a face from its landmarks."""

import numpy as np
import pytest

from latentlab.faces.regions import mouth_region


def test_the_mouths_mask_covers_the_lips_and_little_more():
    landmarks = np.zeros((68, 2))
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    landmarks[48:60] = np.stack([32 + 12 * np.cos(turn), 40 + 5 * np.sin(turn)], axis=1)
    mask = mouth_region(landmarks, 64, grow=1.0)
    inside = (mask[0, 0] > 0).nonzero().float()
    assert mask.shape == (1, 1, 64, 64)
    assert (inside[:, 0] - 40).abs().max() <= 6 and (inside[:, 1] - 32).abs().max() <= 13
    assert len(inside) == pytest.approx(np.pi * 12 * 5, rel=0.2)
    assert (mouth_region(landmarks, 64) > 0).sum() > 1.8 * (mask > 0).sum()
