"""Points of an image that are pulled to where they should be: the latent moves, and the image follows.

After Pan et al. 2023, "Drag Your GAN: Interactive Point-based Manipulation on the Generative Image Manifold": each step
asks the features around every point to move a little towards its target (motion supervision), and then looks where the
points have gone (point tracking). `latentlab.dragging.loop` says what differs from the paper, and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.dragging.loop import DragResult, DragStep, drag, steps
    from latentlab.dragging.settings import DragSettings

__all__ = ["DragResult", "DragSettings", "DragStep", "drag", "steps"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__, {"loop": ("DragResult", "DragStep", "drag", "steps"), "settings": ("DragSettings",)}
    )
