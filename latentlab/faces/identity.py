"""Who it is: dlib's descriptor of a face, and how alike two of them are."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import weights
from latentlab.errors import UserError
from latentlab.faces.dlib_models import import_dlib, to_array
from latentlab.faces.means import mean_descriptor

MIN_SIDE = 128
WIDTH = 128

# Every picture is described at this side: the descriptor's own chip shows the middle of the crop at about
# this scale, and the same picture at 256 and at 1024 pixels then has the same descriptor.
_SIDE = 256
# Where the predictor of landmarks starts: left, top, right and bottom (the last column and row within) at
# that side. Of 25 squares tried on 200 generated faces this one came nearest to the median of all: 0.30 % of
# the side off for half the faces, 0.9 % for 99 in 100. The box of dlib's own detector jumps in steps of a
# fifth of its size and costs up to 3 %.
_START = (56, 72, 199, 215)
# Least confidence of dlib's detector that there is a face. It gave 0.25 and more to 192 photos, −0.48
# and more to 100 generated faces at psi 1, and nothing above −1 to noise and plain areas.
_LEAST_SCORE = -0.75


class FaceDescriptor:
    """dlib's 128 numbers of a face (`dlib_face_recognition_resnet_model_v1`): faces of one person lie close.

    It works on FFHQ's crop, where the face's place is known: the 68 landmarks are predicted from a fixed box,
    and dlib's pipeline goes on from there (a chip of 150 pixels with a border of a quarter). The models are
    fetched the first time, see `latentlab.weights`. No gradients pass.

    Raises
    ------
    UserError
        dlib is not installed, or the models cannot be fetched.
    """

    def __init__(self) -> None:
        dlib = import_dlib()
        self._start = dlib.rectangle(*_START)
        self._detect = dlib.get_frontal_face_detector()
        self._predict = dlib.shape_predictor(
            str(weights.get("face-landmarks") / "shape_predictor_68_face_landmarks.dat")
        )
        self._network = dlib.face_recognition_model_v1(
            str(weights.get("face-descriptor") / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def __call__(self, pictures: Tensor) -> Tensor:
        """The descriptors of faces.

        Parameters
        ----------
        pictures
            `(b, 3, side, side)` in [-1, 1], in FFHQ's crop, of 128 pixels a side or more. Smaller ones lose
            the person: at 128 pixels the descriptor of a face moves by 0.08 in the
            median, at 64 by 0.24 (50 generated faces).

        Returns
        -------
        Tensor
            `(b, 128)` float32 on the pictures' device. A row is NaN where dlib's detector finds no face.

        Raises
        ------
        UserError
            The pictures are not square, or too small.
        """
        if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[2] != pictures.shape[3]:
            raise UserError(f"faces are described in square crops (batch, 3, side, side), not {tuple(pictures.shape)}")
        if pictures.shape[2] < MIN_SIDE:
            raise UserError(
                f"a crop of {pictures.shape[2]} pixels a side is too small to tell who it is; "
                f"render or align it at {MIN_SIDE} or more"
            )
        small = F.interpolate(pictures.detach().float(), (_SIDE, _SIDE), mode="bicubic", antialias=True)
        rows = [self._describe(to_array(picture[None])) for picture in small]
        return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, WIDTH)).to(pictures.device)

    def _describe(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        boxes, _, _ = self._detect.run(picture, 0, _LEAST_SCORE)
        if not boxes:
            return np.full(WIDTH, np.nan)
        shape = self._predict(picture, self._start)
        return np.array(self._network.compute_face_descriptor(picture, shape))


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """How alike two faces are: 1 for the same picture, about 0 for strangers.

    The cosine between two descriptors after the mean descriptor of generated faces is taken off both. The
    plain cosine would flatter: most of a descriptor is what all faces share, and strangers get 0.83. The
    field's published tables use the cosine of ArcFace, another network: compare with them in kind only.

    Measured by benchmarks/identity.py on 192 photos of 50 persons: two photos of a person 0.75 in the median
    (5th percentile 0.47), of two persons 0.07 (95th percentile 0.39).

    Parameters
    ----------
    a, b
        `(b, 128)`, from `FaceDescriptor`; batches that broadcast.

    Returns
    -------
    Tensor
        `(b,)` in -1 … 1; NaN where a descriptor is.
    """
    mean = torch.from_numpy(mean_descriptor()).to(a)
    return F.cosine_similarity(a - mean, b - mean, dim=-1)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance between descriptors: below 0.6 it is the same person, by dlib's own rule.

    Parameters
    ----------
    a, b
        `(b, 128)`, from `FaceDescriptor`; batches that broadcast.

    Returns
    -------
    Tensor
        `(b,)`, 0 for the same picture; NaN where a descriptor is.
    """
    return (a - b).norm(dim=-1)
