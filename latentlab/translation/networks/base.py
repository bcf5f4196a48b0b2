"""Contracts of the translators' networks: configurations that build them, and generators that translate with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

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
        Names of what it changes by a strength each; empty for a network that takes no strengths.
    size_multiple, least_size
        Heights and widths that the network accepts: multiples of the first, from the second on. A translator pads
        other images.
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
