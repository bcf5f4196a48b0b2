"""Expressions of faces before and after a translation between neutral and smiling, as a classifier sees them.

    latentlab translate make latent --layout instances --faces 300 --size 64 --out SET
    latentlab translate train cyclegan SET --size 64 --base-channels 32 --epochs 30 --out RUN
    python benchmarks/translated_smile.py SET RUN/translator.safetensors

Held-out images of SET, testA (neutral) and testB (smiling), and their translations: the share of smiles, with a 95 %
interval, and the difference of a translation from its input. The classifier that chose the images of SET is also the
one that judges them, so that it is a lenient judge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import machine
import torch
import typer

from latentlab import images, scorers
from latentlab.files import named_images
from latentlab.metrics import share_interval
from latentlab.scorers import is_positive, score_images
from latentlab.translation import Application, load_translator
from latentlab.translation.data.mask_files import MaskFolder


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the set.")],
    translator: Annotated[Path, typer.Argument(help="File of the translator.")],
    attribute: Annotated[str, typer.Option(help="Score that is counted.")] = "happy",
) -> None:
    """Count smiles before and after a translation."""
    print(machine.describe("torch"))
    loaded, scorer = load_translator(translator), scorers.load_scorer("fer")
    masked = loaded.network("a2b").takes_masks
    print(f"| set | images | {attribute} before | {attribute} after | mean absolute difference |")
    print("|---|---|---|---|---|")
    for way, name in (("a2b", "testA"), ("b2a", "testB")):
        before, after = [], []
        apply = Application(loaded, way)  # type: ignore[arg-type]
        paths = named_images([folder / name])
        mask_folder = MaskFolder.for_files(folder / f"{name}_seg", paths) if masked else None
        for stem, path in paths.items():
            picture = images.load_image(path)
            masks = None if mask_folder is None else mask_folder.read(path, stem)
            before.append(picture)
            after.append(apply(picture, masks)[0])
        pictures, made = torch.cat(before), torch.cat(after)
        shares = [
            share_interval(is_positive(score_images(scorer, some), scorer.names, attribute))
            for some in (pictures, made)
        ]
        told = " | ".join(f"{share.mean:.0%} [{share.low:.0%}, {share.high:.0%}]" for share in shares)
        print(f"| {name} | {len(made)} | {told} | {float((made - pictures).abs().mean() / 2):.3f} |")


if __name__ == "__main__":
    typer.run(main)
