"""What a translator between neutral and smiling faces does, in the eyes of the expression classifier.

    latentlab translate make latent --layout instances --faces 300 --size 64 --out SET
    python examples/smile_cyclegan.py --folder SET --epochs 30 --batch 1 --out RUN
    python benchmarks/translated_smile.py SET RUN/training/translator.safetensors

Held-out pictures of SET, testA (neutral) and testB (smiling), and their translations: how many smile, with a 95 %
interval, and by how much a translation differs from what it was made of. The same classifier chose the pictures
of SET, so that it is a lenient judge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import machine
import torch
import typer

from latentlab import images, scorers
from latentlab.metrics import share_interval
from latentlab.scorers import is_positive, score_pictures
from latentlab.translation.data.folders import masks_of, images_in
from latentlab.translation.networks import InstaGenerator
from latentlab.translation.translator import Translator


def main(
    folder: Annotated[Path, typer.Argument(help="The set.")],
    translator: Annotated[Path, typer.Argument(help="The translator's file.")],
    attribute: Annotated[str, typer.Option(help="What is counted.")] = "happy",
) -> None:
    """See above."""
    print(machine.describe("torch"))
    loaded, scorer = Translator.load(translator), scorers.load_scorer("fer")
    masked = isinstance(loaded.network("a2b"), InstaGenerator)
    print(f"| set | pictures | {attribute} before | {attribute} after | mean absolute difference |")
    print("|---|---|---|---|---|")
    for way, name in (("a2b", "testA"), ("b2a", "testB")):
        before, after = [], []
        for path in images_in(folder / name):
            picture = images.load_image(path)
            masks = masks_of(path, folder / f"{name}_seg") if masked else None
            before.append(picture)
            after.append(loaded(picture, way, masks)[0])  # type: ignore[arg-type]
        pictures, made = torch.cat(before), torch.cat(after)
        shares = [
            share_interval(is_positive(score_pictures(scorer, some), scorer.names, attribute))
            for some in (pictures, made)
        ]
        told = " | ".join(f"{share.mean:.0%} [{share.low:.0%}, {share.high:.0%}]" for share in shares)
        print(f"| {name} | {len(made)} | {told} | {float((made - pictures).abs().mean() / 2):.3f} |")


if __name__ == "__main__":
    typer.run(main)
