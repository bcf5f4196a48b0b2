"""A trained translator: a file with its card, and pictures of any size through it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from latentlab import cards, weights
from latentlab.errors import UserError
from latentlab.translation import published
from latentlab.translation.methods.instagan import translate_all
from latentlab.translation.networks import (
    InstaGenerator,
    ResNetGenerator,
    UNet,
    build,
    config_from_dict,
    config_to_dict,
    infer,
)

KIND = cards.Kind("latentlab.translator", 1, "a translator", "train it anew or fetch it again")

Way = Literal["a2b", "b2a"]

# Instances that InstaGAN translates at once, unless its card says otherwise.
_AT_ONCE = 2


class Translator:
    """Translates pictures of kind A to kind B and, if it was trained for it, back.

    Parameters
    ----------
    networks
        A generator by way: 'a2b', 'b2a'.
    card
        What it is and how it was trained: whatever JSON holds.
    """

    def __init__(self, networks: Mapping[str, nn.Module], card: Mapping[str, Any]):
        self.networks, self.card = dict(networks), dict(card)

    def __call__(
        self,
        pictures: Tensor,
        way: Way = "a2b",
        masks: Tensor | None = None,
        dropout: bool = True,
        seed: int = 0,
    ) -> tuple[Tensor, Tensor | None]:
        """Translate pictures.

        Sides that the network cannot halve often enough are padded by reflection, and the padding is cut off again.

        Parameters
        ----------
        pictures
            `(b, 3, h, w)` in [-1, 1], on the networks' device.
        way
            'a2b' or 'b2a'.
        masks
            `(b, n, h, w)` in [-1, 1], 1 within an instance: InstaGAN's, and nobody else's.
        dropout
            Whether the dropout that a network was trained with stays on: pix2pix's only noise.
        seed
            Of that noise.

        Returns
        -------
        tuple of Tensor and (Tensor or None)
            Pictures `(b, 3, h, w)` and, of InstaGAN, masks.

        Raises
        ------
        UserError
            It does not translate that way, or masks are missing or not wanted.
        """
        network = self.network(way)
        instances = isinstance(network, InstaGenerator)
        if instances != (masks is not None):
            raise UserError("this translator needs masks" if instances else "this translator takes no masks")
        infer(network, dropout)
        height, width = pictures.shape[2:]
        padded = pad(pictures, *sides_of(network))
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            if masks is None:
                return network(padded)[..., :height, :width], None
            at_once = self.card.get("training", {}).get("method", {}).get("at_once", _AT_ONCE)
            made, made_masks = translate_all(network, padded, pad(masks, *sides_of(network)), at_once)
            return made[..., :height, :width], made_masks[..., :height, :width]

    def network(self, way: str) -> nn.Module:
        """The generator of a way.

        Raises
        ------
        UserError
            There is none.
        """
        if way not in self.networks:
            raise UserError(f"this translator goes {', '.join(self.networks)}, not {way!r}")
        return self.networks[way]

    def to(self, device: torch.device | str) -> Translator:
        """The same, its networks moved to `device`."""
        for network in self.networks.values():
            network.to(device)
        return self

    def save(self, path: str | Path) -> None:
        """Write it as safetensors with its card, atomically."""
        tensors = {f"{way}.{name}": v for way, net in self.networks.items() for name, v in net.state_dict().items()}
        shapes = {way: config_to_dict(network.config) for way, network in self.networks.items()}  # type: ignore[arg-type]
        cards.write(path, KIND, tensors, {**self.card, "networks": shapes})

    @classmethod
    def load(cls, source: str | Path, device: torch.device | str = "cpu") -> Translator:
        """A translator from a file of ours, from a published `.pth`, or by name (`vintagify`).

        Raises
        ------
        UserError
            There is no such file or name, or it holds no translator.
        """
        known = {row.name for row in weights.known() if row.kind == "translator"}
        if str(source) in known and not Path(source).exists():
            path = _only_file(str(source))
            return cls({"a2b": published.load(path)}, {"method": "published", "name": str(source)}).to(device)
        if Path(source).suffix.lower() in (".pth", ".pt"):
            return cls({"a2b": _generator(published.load(source), source)}, {"method": "published"}).to(device)
        tensors, card = cards.read(source, KIND)
        with cards.guard(source, KIND):
            networks = {}
            for way, shape in card.pop("networks").items():
                networks[way] = build(config_from_dict(shape))
                own = {k.removeprefix(f"{way}."): v for k, v in tensors.items() if k.startswith(f"{way}.")}
                networks[way].load_state_dict(own)
        return cls(networks, card).to(device)


def _only_file(name: str) -> Path:
    folder = weights.get(name)
    return next(path for path in sorted(folder.iterdir()) if path.suffix == ".pth")


def _generator(network: nn.Module, source: str | Path) -> nn.Module:
    if not isinstance(network, (UNet, ResNetGenerator, InstaGenerator)):
        raise UserError(f"{source} is a discriminator, which translates nothing")
    return network


def sides_of(network: nn.Module) -> tuple[int, int]:
    """What the sides of a generator's pictures are multiples of, and their least."""
    return (network.config.size, network.config.size) if isinstance(network, UNet) else (4, 8)


def pad(x: Tensor, multiple: int, least: int) -> Tensor:
    """`x (b, c, h, w)` mirrored beyond its right and lower border: to multiples of `multiple`, and to `least`."""
    height, width = (max(-(-side // multiple) * multiple, least) for side in x.shape[2:])
    return x[:, :, _mirrored(x.shape[2], height)][..., _mirrored(x.shape[3], width)]


def _mirrored(side: int, length: int) -> Tensor:
    """Indices 0 … side − 1, side − 1 … 0, 0 …, `length` of them."""
    places = torch.arange(length) % (2 * side)
    return torch.minimum(places, 2 * side - 1 - places)
