"""What an edit leaves alone, so that a photo keeps its own detail there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.images import reduce

# Changes, in levels of 255, below the first of which a place counts as left alone, and from the second on as edited. An
# edit in W moves tones everywhere by a few levels, without showing anything else there.
_ALONE, _EDITED = 10.0, 25.0
# Changes are looked at this small, over this many pixels to either side: where a contour moves, both of its places are
# edited, and what lies between.
_SEEN, _REACH = 128, 3


def before_edit(rendered: Tensor, edited: Tensor, crop: Tensor) -> Tensor:
    """Return the face before an edit, as `paste_back` takes it in `original`, so that the photo keeps its detail.

    Where the edit leaves the face alone it is the rendering: what is carried over to the photo is nothing, and its own
    pixels stay, with the grain, the hair and the background that a projection misses. Where the edit shows something
    else it is the photo's crop: what is pasted is the edited face itself, with no ghost of what was there. Between the
    two it fades.

    Parameters
    ----------
    rendered, edited
        The face as the generator renders it before and after the edit, `(1, 3, r, r)` in [-1, 1].
    crop
        The aligned face out of the photo, of the same shape.
    """
    change = 127.5 * (reduce(edited, _SEEN) - reduce(rendered, _SEEN)).abs().amax(dim=1, keepdim=True)
    around = F.max_pool2d(change, 2 * _REACH + 1, stride=1, padding=_REACH)
    around = F.avg_pool2d(F.pad(around, [_REACH] * 4, mode="replicate"), 2 * _REACH + 1, stride=1)
    shown = ((around - _ALONE) / (_EDITED - _ALONE)).clamp(0, 1)
    shown = F.interpolate(shown, rendered.shape[2:], mode="bilinear", align_corners=False)
    return torch.lerp(rendered, crop, shown)
