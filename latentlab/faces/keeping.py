"""What an edit leaves alone, so that a photo keeps its own detail there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from latentlab.faces.means import mean_landmarks
from latentlab.images import reduce

# Changes, in levels of 255, below the first of which a place counts as left alone, and from the second on as edited. An
# edit in W moves tones everywhere by a few levels, without showing anything else there.
_ALONE, _EDITED = 10.0, 25.0
# Changes are looked at this small, over this many pixels to either side: where a contour moves, both of its places are
# edited, and what lies between.
_SEEN, _REACH = 128, 3


def before_edit(rendered: Tensor, edited: Tensor, crop: Tensor) -> Tensor:
    """Return the face before an edit, as `paste_back` takes it in `original`, so that the photo keeps its detail.

    Where the edit leaves the face alone it is the rendering: what is carried over to the photo is nothing, or a tone,
    and its own pixels stay, with the grain, the hair and the background that a projection misses. Where the edit shows
    something else it is the photo's crop: what is pasted is the edited face itself, with no ghost of what was there.
    Where it does so apart from the face, such as in a background that the projection made up, it is the edited face:
    the photo stays. Between these it fades.

    Parameters
    ----------
    rendered, edited
        The face as the generator renders it before and after the edit, `(1, 3, r, r)` in [-1, 1], in FFHQ's framing.
    crop
        The aligned face out of the photo, of the same shape.
    """
    return before_shown(rendered, edited, crop, shown_by(rendered, edited))


def shown_by(rendered: Tensor, edited: Tensor) -> Tensor:
    """Measure where an edit shows something else, in the face and apart from it.

    Parameters
    ----------
    rendered, edited
        See `before_edit`.

    Returns
    -------
    Tensor
        `(1, 2, 128, 128)`, or smaller where the images are: 0 … 1 of the face, and of all other places.
    """
    change = 127.5 * (reduce(edited, _SEEN) - reduce(rendered, _SEEN)).abs().amax(dim=1, keepdim=True)
    around = _blurred(F.max_pool2d(change, 2 * _REACH + 1, stride=1, padding=_REACH))
    shown = ((around - _ALONE) / (_EDITED - _ALONE)).clamp(0, 1)
    return torch.cat([shown * mask for mask in _parts(around[0, 0])], dim=1)


def before_shown(rendered: Tensor, edited: Tensor, crop: Tensor, shown: Tensor) -> Tensor:
    """Return what `before_edit` does, from what `shown_by` found; for a video's frames it may be smoothed over time."""
    of_face, apart = (_enlarged(shown[:, k : k + 1], rendered) for k in (0, 1))
    return rendered + of_face * (crop - rendered) + apart * (edited - rendered)


def _parts(change: Tensor) -> tuple[Tensor, Tensor]:
    """Split an image by what is edited, `(h, w)`: masks of what belongs to the face, and of what is apart from it.

    The face is the box around the mean landmarks, and what is clearly edited and hangs together with it; every other
    place belongs to the nearest part.
    """
    parts, landmarks = change.cpu().numpy() > _EDITED, mean_landmarks()
    top, bottom = (int(landmarks[:, 1].min() * len(parts)), int(landmarks[:, 1].max() * len(parts)))
    left, right = (int(landmarks[:, 0].min() * parts.shape[1]), int(landmarks[:, 0].max() * parts.shape[1]))
    parts[top:bottom, left:right] = True
    labels, _ = ndimage.label(parts)
    rows, columns = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    face = torch.from_numpy(labels[rows, columns] == labels[top, left]).to(change)
    return face, 1 - face


def _blurred(x: Tensor) -> Tensor:
    """Average over the reach to either side."""
    return F.avg_pool2d(F.pad(x, [_REACH] * 4, mode="replicate"), 2 * _REACH + 1, stride=1)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)
