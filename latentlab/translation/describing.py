"""The card of a translator, for readers."""

from __future__ import annotations

from collections.abc import Iterator

from latentlab.markdown import escape, table
from latentlab.translation.networks.base import MOST_STRENGTH
from latentlab.translation.translator import Translator


def card_of(translator: Translator) -> str:
    """Describe a translator in Markdown, with what is known about it."""
    title = escape(translator.card.get("method", "unknown"))
    return f"# Translator: {title}\n\n{table(['', ''], _entries(translator), numbers=())}\n"


def summary_of(translator: Translator) -> str:
    """Say in one line what a translator edits, at which resolution, and how large it is."""
    network = next(iter(translator.networks.values()))
    weights = sum(weight.numel() for weight in network.parameters())
    resolution = translator.card.get("resolution", "any")
    what = f"edits {', '.join(network.attributes)}" if network.attributes else f"translates by {_method(translator)}"
    size = "images of any size" if resolution == "any" else f"{resolution} pixels"
    return f"{what}; {size}, {weights / 1e6:.2f} million weights"


def _method(translator: Translator) -> str:
    return str(translator.card.get("method", "an unknown method"))


def _entries(translator: Translator) -> Iterator[tuple[str, object]]:
    card = translator.card
    for way, network in translator.networks.items():
        weights = sum(weight.numel() for weight in network.parameters())
        yield f"network {way}", f"{network.config.kind}, {weights:,} weights"
        if network.attributes:
            yield "strengths", f"{', '.join(network.attributes)}: -1 … 1 each, and up to {MOST_STRENGTH:g} either way"
    if "framing" in card:
        yield "faces", f"{card['framing'].upper()}'s framing, {card.get('resolution', 'any')} pixels"
    for name, learnt in card.get("learnt", {}).items():
        targets = f", from {learnt['low']:g} to {learnt['high']:g}" if {"low", "high"} <= learnt.keys() else ""
        yield f"{name} learnt from", f"direction {learnt['direction']} ({learnt['method']}); {learnt['score']}{targets}"
    for name in ("psi", "seed_start", "generator", "steps"):
        if name in card:
            yield name.replace("_", " "), card[name]
    training = card.get("training", {})
    for name, value in training.get("data", {}).items():
        yield f"data, {name}", value
    for name, value in training.get("settings", {}).items():
        yield name.replace("_", " "), value
