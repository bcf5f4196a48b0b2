"""Contracts of the translators' networks: configurations that build them, and generators that translate with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from latentlab.errors import UserError

# No editor has learnt strengths beyond 1: at 1.3 more photos smile, and at 1.5 their teeth lose their colour.
MOST_STRENGTH = 1.5

Way = Literal["a2b", "b2a"]
"""Direction of a translation: images of kind A to kind B, or back."""


class NetworkConfig(ABC):
    """Shape of a network: a frozen dataclass whose fields JSON can hold, and which builds the network.

    Attributes
    ----------
    kind
        Name of this kind of network in saved translators.
    """

    kind: ClassVar[str]

    @abstractmethod
    def build(self) -> nn.Module:
        """Build the network, with weights as torch draws them; see `initialise_`."""


class TranslationGenerator(nn.Module):
    """Base class of the networks that translate images.

    Called with images `(b, 3, h, w)` in [-1, 1], a generator returns their translations; one that `takes_masks` is
    called with images and masks and overrides `translate`, and so does one that takes strengths.

    Attributes
    ----------
    config
        Shape of the network; saved with its weights, so that it can be built again.
    takes_masks
        Whether images come with the masks of their instances.
    attributes
        Names of what the network changes, each by a strength of its own; empty for a network that takes no strengths.
    size_multiple, least_size
        Heights and widths that the network accepts: multiples of the first that are at least the second. A translator
        pads other images.
    """

    config: NetworkConfig
    takes_masks: ClassVar[bool] = False
    attributes: tuple[str, ...] = ()
    size_multiple: int = 1
    least_size: int = 1

    def translate(
        self, images: Tensor, masks: Tensor | None, settings: Mapping[str, Any], strengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Translate images of an accepted size.

        Parameters
        ----------
        images
            `(b, 3, h, w)` in [-1, 1].
        masks
            `(b, n, h, w)` in [-1, 1], or None for a network that takes none.
        settings
            Configuration of the method that trained the network, as JSON holds it; may be empty.
        strengths
            `(b, n)`, one for each of `attributes`; None for a network without any.

        Returns
        -------
        tuple of Tensor and (Tensor or None)
            Images `(b, 3, h, w)` and translated masks, if the network takes masks.
        """
        made: Tensor = self(images)
        return made, None

    def strength_row(self, strengths: Mapping[str, float] | None) -> list[float] | None:
        """Return the strength of each of `attributes`, or None for a network that takes no strengths.

        Parameters
        ----------
        strengths
            By attribute, 0 for those that are not named; None means 1 for the first attribute. The network has learnt
            strengths from -1 to 1; up to 1.5 either way, it extrapolates.

        Raises
        ------
        UserError
            There is no such attribute, or a strength is out of range.
        """
        known = self.attributes
        given = {known[0]: 1.0} if strengths is None and known else strengths or {}
        unknown = [name for name in given if name not in known]
        if unknown:
            told = f"it has {', '.join(known)}" if known else "it takes no strengths"
            raise UserError(f"this translator has no attribute {unknown[0]}; {told}")
        for name, strength in given.items():
            if not abs(strength) <= MOST_STRENGTH:
                raise UserError(
                    f"strengths lie in {-MOST_STRENGTH:g} … {MOST_STRENGTH:g}, of which -1 … 1 were learnt, unlike "
                    f"{strength:g} of {name}"
                )
        return [float(given.get(name, 0.0)) for name in known] if known else None
