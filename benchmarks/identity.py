"""How well the face descriptor tells persons apart: similarities and distances of pairs of photos.

    python benchmarks/identity.py PHOTOS

PHOTOS is a folder of photos with a table identity.csv in it, of columns `image` and `identity`. Each photo is
aligned at 1024 pixels; those in which no face is found are counted and left out.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from latentlab import faces
from latentlab.errors import UserError
from latentlab.faces.identity import FaceDescriptor, distance, similarity


def row(label: str, values: NDArray[np.float32]) -> str:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"| {label} | {low:.2f} | {middle:.2f} | {high:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with open(arguments.photos / "identity.csv", newline="") as table:
        person = {line["image"]: line["identity"] for line in csv.DictReader(table)}

    describe = FaceDescriptor()
    persons, descriptors, unfound = [], [], 0
    for path, found in faces.align_files([arguments.photos / name for name in person], faces.load_detector()):
        descriptor = None if isinstance(found, UserError) else describe(found[0].image)
        if descriptor is None or descriptor.isnan().any():
            unfound += 1
            continue
        persons.append(person[path.name])
        descriptors.append(descriptor)
    all_descriptors, names = torch.cat(descriptors), np.array(persons)
    i, j = np.triu_indices(len(names), 1)
    same = names[i] == names[j]
    a, b = all_descriptors[i], all_descriptors[j]
    alike, far = similarity(a, b).numpy(), distance(a, b).numpy()
    plain = torch.cosine_similarity(a, b).numpy()

    print(f"{len(names)} photos of {len(set(persons))} persons ({unfound} without a face found),")
    print(f"{same.sum()} pairs of one person, {(~same).sum()} of strangers")
    print("| | 5 % | median | 95 % |\n|---|---|---|---|")
    for label, values in (("similarity", alike), ("distance", far), ("plain cosine", plain)):
        print(row(f"{label}, one person", values[same]))
        print(row(f"{label}, strangers", values[~same]))
    for label, values in (("similarity", alike), ("distance", -far), ("plain cosine", plain)):
        print(f"AUC of {label}: {roc_auc_score(same, values):.4f}")
    near = far < 0.6
    print(f"distance below 0.6: {near[same].mean():.1%} of one person, {near[~same].mean():.2%} of strangers")


if __name__ == "__main__":
    main()
