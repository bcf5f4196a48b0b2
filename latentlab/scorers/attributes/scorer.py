"""The trained classifier as a scorer, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

from latentlab import cards
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.filling import check_fits, filled
from latentlab.schemas import checked
from latentlab.scorers.attributes.network import RESOLUTION, AttributeNet
from latentlab.scorers.crop import FaceCrop
from latentlab.scorers.threshold import HALF, Threshold
from stylegan2.defaults import own_draws, plain_defaults
from stylegan2.fingerprint import fingerprint

KIND = cards.Kind("latentlab.attribute-scorer", 1, "an attribute classifier", "train it anew or fetch it again")
SHIPPED = "attributes"
"""Name of the classifier that comes with the package."""
JUDGE = "attributes-judge"
"""Name of the second classifier that comes with the package, which judges what the first has taught."""
_FILES = {SHIPPED: "attributes-celeba.safetensors", JUDGE: "attributes-judge.safetensors"}


@dataclass(frozen=True)
class _Card:
    """What is used of a card, which holds more."""

    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=1 << 12)]
    width: Annotated[int, msgspec.Meta(ge=1, le=1 << 10)]

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise UserError("an attribute is named twice")


WHOLE = FaceCrop(top=0, left=0, size=1)


class AttributeScorer:
    """Calibrated probabilities of attributes, each by itself: they do not add up to 1.

    Parameters
    ----------
    network
        Trained network in eval mode.
    names
        Attributes that its logits stand for.
    slopes, offsets
        `(k,)` each: the probability is the logistic function of slope · logit + offset (Platt 1999).
    card
        Data, licence, held-out statistics.
    wanted
        Attributes to score, in this order; None for all. Each is positive above ½, whatever the others are.
    crop
        Where FFHQ's framing lies in the images.

    Raises
    ------
    UserError
        If a wanted attribute is unknown.
    """

    img_channels = 3
    probabilities = True

    def __init__(
        self,
        network: AttributeNet,
        names: tuple[str, ...],
        slopes: Tensor,
        offsets: Tensor,
        card: Mapping[str, Any] | None = None,
        wanted: tuple[str, ...] | None = None,
        crop: FaceCrop = WHOLE,
    ):
        self.network, self.all_names, self.card, self.crop = network, tuple(names), dict(card or {}), crop
        self.slopes, self.offsets = slopes, offsets
        self.names = self.all_names if wanted is None else tuple(wanted)
        unknown = [name for name in self.names if name not in self.all_names]
        if unknown:
            raise UserError(f"this classifier knows no {', '.join(unknown)}; it knows {', '.join(self.all_names)}")
        self._rows = [self.all_names.index(name) for name in self.names]
        state = {**network.state_dict(), "slopes": slopes, "offsets": offsets}
        self.fingerprint = fingerprint({"names": self.names, "all": self.all_names, **asdict(crop)}, state)

    def __repr__(self) -> str:
        names = ", ".join(self.names) if len(self.names) <= 4 else f"{len(self.names)} attributes"
        return f"AttributeScorer({names})"

    def __call__(self, images: Tensor) -> Tensor:
        """Score `images (b, 3, h, w)` in [-1, 1], 64x64 or larger: probabilities `(b, len(names))`."""
        return torch.sigmoid(self.logits(images))

    def logits(self, images: Tensor) -> Tensor:
        """Compute the calibrated logits `(b, len(names))`, before the logistic function; differentiable in `images`."""
        raw = self.network(self.crop.cut(images, RESOLUTION))
        logits: Tensor = (self.slopes * raw + self.offsets)[:, self._rows]
        return logits

    def scores_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score `images (b, 3, h, w)`: probabilities and their logits, `(b, len(names))` each."""
        logits = self.logits(images)
        return torch.sigmoid(logits), logits

    @property
    def square(self) -> bool:
        """Whether the whole image is taken to be in FFHQ's framing; other crops may come from images of any shape."""
        return self.crop == WHOLE

    @property
    def threshold(self) -> Threshold | None:
        """One half for each of several attributes; a single one needs none, since that holds for every lone score."""
        return HALF if len(self.names) > 1 else None

    @property
    def network_fingerprint(self) -> str:
        """Hash of the classifier, whichever of its attributes are scored."""
        return self.of(*self.all_names).fingerprint

    def of(self, *wanted: str) -> AttributeScorer:
        """Choose some of the attributes to score."""
        return AttributeScorer(
            self.network, self.all_names, self.slopes, self.offsets, self.card, tuple(wanted), self.crop
        )

    def save(self, path: str | Path) -> None:
        """Write it as safetensors with its card, atomically, the weights in half precision."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        halves = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
        shape = {"names": self.all_names, "width": self.network.base_channels}
        cards.write(path, KIND, {**halves, "slopes": self.slopes, "offsets": self.offsets}, {**self.card, **shape})

    @classmethod
    @plain_defaults()
    @own_draws()
    def load(cls, path: str | Path, device: torch.device | str = "cpu") -> AttributeScorer:
        """Read what `save` wrote.

        Raises
        ------
        UserError
            If the file is missing, broken or something else, or the device is not available.
        """
        place = find_device(device)
        tensors, entries = cards.read(path, KIND)
        with cards.guard(path, KIND):
            card = checked(entries, _Card, str(path))
            calibration = torch.zeros(len(card.names))
            rest = {name: tensors.pop(name) for name in ("slopes", "offsets")}
            check_fits(rest, {"slopes": calibration, "offsets": calibration})
            own = {name.removeprefix("network."): _whole(value) for name, value in tensors.items()}
            network = filled(lambda: AttributeNet(len(card.names), card.width), own)
        described = {name: value for name, value in entries.items() if name not in ("names", "width")}
        network.to(place).eval().requires_grad_(False)
        return cls(network, card.names, rest["slopes"].to(place), rest["offsets"].to(place), described)


def _whole(halves: Tensor) -> Tensor:
    return halves.float() if halves.is_floating_point() else halves


def load_attributes(source: str | Path = SHIPPED, device: torch.device | str = "cpu") -> AttributeScorer:
    """Load one of the classifiers that come with the package, or that in a file, with all its attributes.

    Parameters
    ----------
    source
        'attributes', 'attributes-judge', or a file. The two share an architecture and a data set, but differ in
        width, seed and the people they were trained on: what the first has taught, the second judges.
    device
        Device of the network.

    Raises
    ------
    UserError
        If the file is missing, broken or something else.
    """
    if source not in _FILES:
        return AttributeScorer.load(source, device)
    with resources.as_file(resources.files("latentlab") / "data" / _FILES[str(source)]) as path:
        return AttributeScorer.load(path, device)


def load_shipped(device: torch.device | str = "cpu") -> AttributeScorer:
    """Load the classifier that comes with the package, with all its attributes."""
    return load_attributes(SHIPPED, device)


def load_judge(device: torch.device | str = "cpu") -> AttributeScorer:
    """Load the second classifier that comes with the package, with all its attributes."""
    return load_attributes(JUDGE, device)
