"""Measure means over generated faces, and write the file that the package ships.

    python scripts/fit_face_means.py latentlab/data/face-means.safetensors

Faces of `mobile-ffhq` at psi 1 are rendered in full and reduced to 512 pixels. dlib's descriptor of each and,
in the frame of FFHQ's crop around them, its 68 landmarks are averaged; faces that dlib's detector
does not find are left out. Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from tqdm import tqdm

from latentlab import images
from latentlab.faces import FaceDetector, load_detector
from latentlab.faces.geometry import CropGeometry, Points, quad_of
from latentlab.faces.identity import FaceDescriptor
from latentlab.files import atomic_path
from stylegan2 import load, z_from_seeds
from stylegan2.memory import keep_freed_memory

GENERATOR = "mobile-ffhq"
FIRST_SEED = 300_000
RESOLUTION = 512


def landmarks_in_crop(detector: FaceDetector, image: torch.Tensor) -> NDArray[np.float64] | None:
    """Find the 68 landmarks in widths of FFHQ's crop, `(68, 2)`; None where no face is found."""
    faces = detector(image)
    if not faces:
        return None
    quad = quad_of(Points.of(faces[0].landmarks))
    return CropGeometry.plan(quad, 1, (RESOLUTION, RESOLUTION)).to_crop(faces[0].landmarks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--faces", type=int, default=500, help="faces to measure")
    arguments = parser.parse_args()
    keep_freed_memory()
    generator, detector, describe = load(GENERATOR), load_detector(), FaceDescriptor()
    descriptors, shapes = [], []
    for seed in tqdm(range(FIRST_SEED, FIRST_SEED + arguments.faces), unit="face"):
        with torch.inference_mode():
            image = images.reduce(generator(z_from_seeds(seed, generator.z_dim)), RESOLUTION)
        descriptor, shape = describe(image)[0].numpy(), landmarks_in_crop(detector, image)
        if shape is not None and np.isfinite(descriptor).all():
            descriptors.append(descriptor)
            shapes.append(shape)
    means = {
        "descriptor": np.mean(descriptors, axis=0, dtype=np.float64).astype(np.float32),
        "landmarks": np.mean(shapes, axis=0).astype(np.float32),
    }
    card = {
        "generator": generator.fingerprint,
        "faces": len(shapes),
        "seeds": f"{FIRST_SEED} to {FIRST_SEED + arguments.faces - 1}, psi 1",
        "made_by": f"scripts/fit_face_means.py --faces {arguments.faces}",
        "licence": f"non-commercial research: measured on images of {GENERATOR}, distilled from StyleGAN2-FFHQ",
    }
    with atomic_path(arguments.out) as temporary:
        temporary.write_bytes(save(means, {"format": "latentlab.face-means", "card": json.dumps(card)}))
    print(f"{arguments.out}: means of {len(shapes)} of {arguments.faces} faces")


if __name__ == "__main__":
    main()
