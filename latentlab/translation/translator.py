"""Trained translators, saved in files with a card and applied to images of any size."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor, nn

from latentlab import cards, weights
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.filling import filled
from latentlab.images import as_batch
from latentlab.schemas import checked
from latentlab.translation import published
from latentlab.translation.data.pixels import PixelFormat, Side
from latentlab.translation.data.transforms import Augmentation
from latentlab.translation.methods import load_method
from latentlab.translation.networks import (
    NETWORK_CONFIGS,
    NetworkConfig,
    TranslationGenerator,
    Way,
    config_from_dict,
    config_to_dict,
    infer,
)
from latentlab.translation.networks.padding import pad
from latentlab.translation.shipped import shipped_translator, shipped_translators
from stylegan2.defaults import own_draws, plain_defaults

KIND = cards.Kind("latentlab.translator", 1, "a translator", "train it anew or fetch it again")


_NEEDS_MASKS = "this translator needs masks of the instances: `masks`, or --masks of `latentlab translate apply`"


@dataclass(frozen=True)
class _MethodSettings:
    at_once: Annotated[int, msgspec.Meta(ge=1)] = 1


@dataclass(frozen=True)
class _TrainingData:
    pixels: dict[Side, PixelFormat] = field(default_factory=dict)
    augmentation: Augmentation | None = None


@dataclass(frozen=True)
class _Training:
    method: _MethodSettings = _MethodSettings()
    data: _TrainingData = _TrainingData()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Learnt:
    direction: str
    method: str
    score: str
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class _Card:
    """The part of a card that is used; a card may hold more."""

    networks: Annotated[dict[Way, dict[str, Any]], msgspec.Meta(min_length=1)]
    method: str = "unknown"
    training: _Training = _Training()
    framing: str = ""
    resolution: Annotated[int, msgspec.Meta(ge=8, le=1 << 15)] = 256
    learnt: dict[str, _Learnt] = field(default_factory=dict)


class Translator:
    """Translates images of kind A to kind B and, if it was trained for it, back.

    Parameters
    ----------
    networks
        Generator for each way, 'a2b' and perhaps 'b2a'.
    card
        Description of the translator and its training, as JSON holds it.
    """

    def __init__(self, networks: Mapping[Way, TranslationGenerator], card: Mapping[str, Any]):
        self.networks, self.card = dict(networks), dict(card)

    def __repr__(self) -> str:
        method, ways = self.card.get("method", "unknown"), " and ".join(self.networks)
        steps = f", {self.card['steps']} steps" if "steps" in self.card else ""
        return f"Translator({method}, {ways}{steps})"

    def __call__(
        self,
        images: Tensor,
        way: Way = "a2b",
        masks: Tensor | None = None,
        dropout: bool = True,
        seed: int = 0,
        strengths: Mapping[str, float] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Translate images.

        Heights and widths that the network cannot halve often enough are padded by reflection, and the padding is
        removed from the result.

        Parameters
        ----------
        images
            `(b, c, h, w)` or, for one, `(c, h, w)`, in [-1, 1], on the networks' device; c is 3 for colour images.
        way
            'a2b' or 'b2a'.
        masks
            `(b, n, h, w)` in [-1, 1], 1 within an instance, for networks that take masks (InstaGAN).
        dropout
            Whether dropout stays on if the network was trained with it: pix2pix has no other source of noise.
        seed
            Random seed of the dropout.
        strengths
            For networks that take strengths: the strength of each attribute, from -1 to 1 or a little beyond, 0 for
            attributes that are not named. By default 1 for the first attribute.

        Returns
        -------
        tuple of Tensor and (Tensor or None)
            Images `(b, c, h, w)` and, if the network takes masks, translated masks.

        Raises
        ------
        UserError
            The translator does not translate that way, masks are missing or not wanted, or it has no such attribute.
        """
        network = self.network(way)
        images = as_batch(images, channels=(getattr(network.config, "input_channels", 3),))
        if network.takes_masks != (masks is not None):
            raise UserError(_NEEDS_MASKS if network.takes_masks else "this translator takes no masks")
        infer(network, dropout)
        height, width = images.shape[2:]
        accepted = network.size_multiple, network.least_size
        settings = self.card.get("training", {}).get("method", {})
        with torch.no_grad(), own_draws():
            torch.manual_seed(seed)
            padded_masks = None if masks is None else pad(masks, *accepted)
            row = network.strength_row(strengths)
            rows = None if row is None else torch.tensor(row).to(images).expand(len(images), -1)
            made, made_masks = network.translate(pad(images, *accepted), padded_masks, settings, rows)
        made_masks = None if made_masks is None else made_masks[..., :height, :width]
        return made[..., :height, :width], made_masks

    def network(self, way: str) -> TranslationGenerator:
        """Return the generator for a way.

        Raises
        ------
        UserError
            The translator does not translate that way.
        """
        for known, network in self.networks.items():
            if known == way:
                return network
        raise UserError(f"this translator goes {', '.join(self.networks)}, not {way!r}")

    def pixels(self, side: Side) -> PixelFormat:
        """Return how values in files of A or B become those of tensors, as in the translator's training."""
        known = self.card.get("training", {}).get("data", {}).get("pixels", {})
        if side in known:
            return PixelFormat.from_dict(known[side])
        network, forth = next(iter(self.networks.values())), next(iter(self.networks)) == "a2b"
        end = "input" if (side == "a") is forth else "output"
        return PixelFormat(getattr(network.config, f"{end}_channels", 3))

    @property
    def augmentation(self) -> Augmentation | None:
        """How the training images were placed; None if the card does not say."""
        known = self.card.get("training", {}).get("data", {}).get("augmentation")
        return None if known is None else Augmentation.from_dict(known)

    def to(self, device: torch.device | str) -> Translator:
        """Move the networks to `device` and return the translator."""
        place = find_device(device)
        for network in self.networks.values():
            network.to(place)
        return self

    def save(self, path: str | Path, half: bool = False) -> None:
        """Write the translator as safetensors with its card, atomically.

        Parameters
        ----------
        path
            File to write.
        half
            Write the weights in half precision, for a file of half the size; when loaded, they are float32 again.

        Raises
        ------
        UserError
            `path` cannot be written.
        """
        tensors = {f"{way}.{name}": v for way, net in self.networks.items() for name, v in net.state_dict().items()}
        if half:
            tensors = {name: v.half() if v.is_floating_point() else v for name, v in tensors.items()}
        shapes = {way: config_to_dict(network.config) for way, network in self.networks.items()}
        cards.write(path, KIND, tensors, {**self.card, "networks": shapes})

    @classmethod
    @plain_defaults()
    @own_draws()
    def load(cls, source: str | Path, device: torch.device | str = "cpu") -> Translator:
        """See `load_translator`."""
        place = find_device(device)
        known = {row.name for row in weights.known() if row.kind == "translator"}
        if isinstance(source, str) and source in known:
            return cls({"a2b": _load_generator(_only_file(source))}, {"method": "published", "name": source}).to(place)
        if isinstance(source, str) and source in shipped_translators():
            with shipped_translator(source) as path:
                return cls.load(path, place)
        if not os.path.exists(source):
            raise _missing(source, (*shipped_translators(), *known))
        if Path(source).suffix.lower() in (".pth", ".pt"):
            return cls({"a2b": _load_generator(Path(source))}, {"method": "published"}).to(place)
        tensors, entries = cards.read(source, KIND)
        with cards.guard(source, KIND):
            card = checked(entries, _Card, str(source))
            others = _other_networks(card)
            networks: dict[Way, TranslationGenerator] = {}
            for way, shape in card.networks.items():
                own = {k.removeprefix(f"{way}."): v for k, v in tensors.items() if k.startswith(f"{way}.")}
                networks[way] = _generator(filled(config_from_dict(shape, others).build, own), source)
            described = {name: value for name, value in entries.items() if name != "networks"}
        return cls(networks, described).to(place)


def load_translator(source: str | Path, device: torch.device | str = "cpu") -> Translator:
    """Load a translator.

    Parameters
    ----------
    source
        Name of a translator that comes with the package (`smile`) or of published weights (`vintagify`), a file that
        `Translator.save` wrote, or a published `.pth`. Names take precedence over files: give a file of the same name
        as ./NAME, or as a Path.
    device
        Device of the networks.

    Raises
    ------
    UserError
        There is no such file, name or device, or the file holds no translator.
    """
    return Translator.load(source, device)


def _missing(source: str | Path, names: tuple[str, ...]) -> UserError:
    near = difflib.get_close_matches(str(source), names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return UserError(f"there is no file {source}, and no translator of that name; {hint}")


def _only_file(name: str) -> Path:
    folder = weights.get(name)
    return next(path for path in sorted(folder.iterdir()) if path.suffix == ".pth")


def _load_generator(path: Path) -> TranslationGenerator:
    return _generator(published.load(path), path)


def _generator(network: nn.Module, source: str | Path) -> TranslationGenerator:
    if not isinstance(network, TranslationGenerator):
        raise UserError(f"{source} is a discriminator, which translates nothing")
    return network


def _other_networks(card: _Card) -> Iterable[type[NetworkConfig]]:
    """Kinds of networks that a method of another package brings, if a card names one."""
    built_in = {config.kind for config in NETWORK_CONFIGS}
    known = all(shape.get("kind") in built_in for shape in card.networks.values())
    return () if known else load_method(card.method).network_configs
