"""Faces before and after a translation between neutral and smiling: who smiles, and who is still the same person.

    latentlab translate make latent --layout instances --faces 300 --size 64 --out SET
    latentlab translate train cyclegan SET --size 64 --base-channels 32 --epochs 30 --out RUN
    python benchmarks/translated_smile.py SET RUN/translator.safetensors

Held-out images of SET, testA (neutral) and testB (smiling), and their translations, with 95 % intervals: the share of
smiles to the classifier that chose the images of SET, and to one that had no part in it; how much of the identity is
kept, by dlib's descriptors of images enlarged; the difference of a translation from its input, in percent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import machine
import numpy as np
import torch
import typer
from torch import Tensor

from latentlab import images
from latentlab.files import named_images
from latentlab.intervals import Interval
from latentlab.metrics import Identity, format_interval, mean_interval, share_interval
from latentlab.metrics.intervals import format_share
from latentlab.pipelines import MeasuredAttribute
from latentlab.scorers import Scorer, is_positive, load_scorer, score_images
from latentlab.translation import Application, Translator, load_translator
from latentlab.translation.data.mask_files import MaskFolder
from latentlab.translation.networks import Way


def translated(translator: Translator, way: Way, folder: Path) -> tuple[Tensor, Tensor]:
    """The images of a folder, and what becomes of them, `(n, 3, s, s)` both."""
    masked, apply = translator.network(way).takes_masks, Application(translator, way)
    paths = named_images([folder])
    mask_folder = MaskFolder.for_files(folder.with_name(f"{folder.name}_seg"), paths) if masked else None
    before, after = [], []
    for stem, path in paths.items():
        image = images.load_image(path)
        after.append(apply(image, None if mask_folder is None else mask_folder.read(path, stem))[0])
        side = after[-1].shape[2]
        before.append(images.resize(image, side, side))
    return torch.cat(before), images.to_bytes(torch.cat(after)).float() / 127.5 - 1


def share(scorer: Scorer, attribute: str, faces: Tensor) -> Interval:
    """Share of the faces that have the attribute."""
    scores = np.concatenate([score_images(scorer, some) for some in torch.split(faces, 16)])
    return share_interval(is_positive(scores, scorer.names, attribute))


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the set.")],
    translator: Annotated[Path, typer.Argument(help="File of the translator.")],
    attribute: Annotated[str, typer.Option(help="Score that is counted.")] = "happy",
) -> None:
    """Count smiles before and after a translation, and measure what it kept."""
    print(machine.describe("torch"))
    loaded, identity = load_translator(translator), Identity()
    judge = MeasuredAttribute.named(attribute).judge
    scorers = {"fer": (load_scorer("fer"), attribute), judge: (load_scorer(judge), judge.rpartition(":")[2])}
    titles = [f"{name} {when}" for name in scorers for when in ("before", "after")]
    print(f"| set | images | {' | '.join(titles)} | identity | difference, % |")
    print("|---" * (len(titles) + 4) + "|")
    ways: dict[Way, str] = {"a2b": "testA", "b2a": "testB"}
    for way, name in ways.items():
        before, after = translated(loaded, way, folder / name)
        shares = [share(*scorer, faces) for scorer in scorers.values() for faces in (before, after)]
        kept = mean_interval(identity.per_image(before, after))
        difference = mean_interval(50 * (after - before).abs().mean(dim=(1, 2, 3)).numpy())
        told = [*map(format_share, shares), format_interval(kept), format_interval(difference)]
        print(f"| {name} | {len(after)} | {' | '.join(told)} |")


if __name__ == "__main__":
    typer.run(main)
