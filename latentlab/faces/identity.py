"""Identity: dlib's descriptor of a face, and how similar two of them are."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from latentlab import weights
from latentlab.errors import UserError
from latentlab.faces.dlib_models import import_dlib, load_predictor, to_array
from latentlab.faces.means import mean_descriptor
from latentlab.images import as_batch

MIN_RESOLUTION = 128
WIDTH = 128

# Every image is described at this resolution: the descriptor's own chip shows the middle of the crop at about
# this scale, and an image then has one descriptor, whether it is given at 256 or at 1024 pixels.
_RESOLUTION = 256
# Where the predictor of landmarks starts: left, top, right and bottom (the last column and row within) at
# that resolution. Among 25 squares tried on 200 generated faces this one came nearest to the median of all: 0.30 %
# of the width off for half the faces, 0.9 % for 99 in 100. The box of dlib's own detector jumps in steps of a
# fifth of its size and costs up to 3 %.
_START = (56, 72, 199, 215)
# Least confidence of dlib's detector that there is a face. It gave 0.25 and more to 192 photos, −0.48
# and more to 100 generated faces at psi 1, and nothing above −1 to noise and plain areas.
_LEAST_SCORE = -0.75


class FaceDescriptor:
    """dlib's 128 numbers of a face (`dlib_face_recognition_resnet_model_v1`): faces of one person lie close.

    It works on FFHQ's crop, where the face's place is known: the 68 landmarks are predicted from a fixed box,
    and dlib's pipeline goes on from there (a chip of 150 pixels with a border of a quarter). The models are
    fetched on first use, see `latentlab.weights`. No gradients pass.

    Raises
    ------
    UserError
        If dlib is not installed, or the models cannot be fetched.
    """

    def __init__(self) -> None:
        dlib = import_dlib()
        self._start = dlib.rectangle(*_START)
        self._detect = dlib.get_frontal_face_detector()
        self._predict = load_predictor(weights.get("face-landmarks") / "shape_predictor_68_face_landmarks.dat")
        self._network = dlib.face_recognition_model_v1(
            str(weights.get("face-descriptor") / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def __reduce__(self) -> tuple[type[FaceDescriptor], tuple[()]]:
        """What it is in another process: dlib's models cannot be sent, and are loaded there."""
        return type(self), ()

    def __call__(self, images: Tensor) -> Tensor:
        """Describe faces.

        Parameters
        ----------
        images
            `(b, 3, h, h)` or, for one, `(3, h, h)`, in [-1, 1], in FFHQ's crop, of 128 pixels or more. Smaller ones
            lose the person: at 128 pixels the descriptor of a face moves by 0.08 in the median, at 64 by 0.24 (50
            generated faces).

        Returns
        -------
        Tensor
            `(b, 128)` float32 on the images' device. A row is NaN where dlib's detector finds no face.

        Raises
        ------
        UserError
            If the images are not square, or too small.
        """
        if isinstance(images, Tensor) and images.ndim == 4 and not len(images):  # such as the edits of no photo
            return torch.zeros(0, WIDTH, device=images.device)
        images = as_batch(images)
        if images.shape[2] != images.shape[3]:
            raise UserError(f"faces are described in square crops (batch, 3, h, h), not {tuple(images.shape)}")
        if images.shape[2] < MIN_RESOLUTION:
            raise UserError(
                f"a crop of {images.shape[2]} pixels is too small to tell who it is; "
                f"render or align it at {MIN_RESOLUTION} or more"
            )
        small = F.interpolate(images.detach().float(), (_RESOLUTION, _RESOLUTION), mode="bicubic", antialias=True)
        rows = [self._describe(to_array(image[None])) for image in small]
        return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, WIDTH)).to(images.device)

    def _describe(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        boxes, _, _ = self._detect.run(image, 0, _LEAST_SCORE)
        if not boxes:
            return np.full(WIDTH, np.nan)
        shape = self._predict(image, self._start)
        return np.array(self._network.compute_face_descriptor(image, shape))


def why_undescribed(resolution: int, least: int = MIN_RESOLUTION) -> str:
    """Say why faces in crops of a resolution cannot be described, or return '' where they can."""
    return "" if resolution >= least else f"faces of {resolution} pixels are too small for the descriptor"


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Measure how similar two faces are: 1 for the same image twice, about 0 for strangers.

    The cosine between two descriptors after the mean descriptor of generated faces is subtracted from both. The
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
    cosine: Tensor = F.cosine_similarity(a - mean, b - mean, dim=-1)
    return cosine


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance between descriptors: below 0.6 it is the same person, by dlib's own rule.

    Parameters
    ----------
    a, b
        `(b, 128)`, from `FaceDescriptor`; batches that broadcast.

    Returns
    -------
    Tensor
        `(b,)`, 0 for the same image twice; NaN where a descriptor is.
    """
    norm: Tensor = (a - b).norm(dim=-1)
    return norm
