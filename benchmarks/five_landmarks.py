"""Crops from 5 landmarks against crops from 68, on generated faces, and the constants of the estimated mouth."""

from __future__ import annotations

import argparse

import numpy as np
import torch
from machine import describe

import stylegan2
from latentlab.faces import Points, load_detector, quad_of
from latentlab.faces.geometry import Array, in_eye_frame
from latentlab.progress import bar


def landmarks_of(seeds: range) -> tuple[Array, Array]:
    """68 and 5 landmarks `(n, 68, 2)`, `(n, 5, 2)` of generated faces; those not found are left out."""
    generator = stylegan2.load("mobile-ffhq")
    detectors = load_detector("dlib68"), load_detector("dlib5")
    many, few = [], []
    with torch.inference_mode(), bar("finding landmarks") as step:
        for done, seed in enumerate(seeds):
            # Half without truncation: more faces that are turned.
            ws = generator.mapping(stylegan2.z_from_seeds([seed], generator.z_dim), psi=1.0 if seed % 2 else 0.7)
            found = [detector(generator.synthesis(ws)) for detector in detectors]
            if all(found):
                many.append(found[0][0].landmarks)
                few.append(found[1][0].landmarks)
            step(done + 1, len(seeds))
    return np.array(many), np.array(few)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed-start", type=int, default=600)
    parser.add_argument("--faces", type=int, default=160)
    arguments = parser.parse_args()
    print(describe("torch", "dlib-bin"))
    many, few = landmarks_of(range(arguments.seed_start, arguments.seed_start + arguments.faces))
    eyes, nose, mouth = [], [], []
    for full, short in zip(many, few, strict=True):
        left, right, truth = short[2:4].mean(0), short[:2].mean(0), Points.of(full)
        eyes.append(in_eye_frame(left, right, (truth.eye_left + truth.eye_right) / 2))
        nose.append(in_eye_frame(left, right, short[4]))
        mouth.append(in_eye_frame(left, right, truth.mouth))
    x, y = np.array(nose).T
    across = (x * np.array(mouth)[:, 0]).sum() / (x**2).sum()
    down, offset = np.polyfit(y, np.array(mouth)[:, 1], 1)
    print(f"{len(many)} faces; in units of the eyes' distance, from the midpoint of the corners of the eyes:")
    print(f"eyes at y = {np.mean(eyes, 0)[1]:.4f}; mouth at ({across:.3f} x, {down:.3f} y + {offset:.3f}), nose (x, y)")
    corners = [[quad_of(Points.of(landmarks)) for landmarks in group] for group in (many, few)]
    full, short = np.array(corners)  # (n, 4, 2) each
    widths = np.linalg.norm(full[:, 3] - full[:, 0], axis=1)
    off = np.linalg.norm(full - short, axis=-1).mean(1) / widths
    ratio = np.linalg.norm(short[:, 3] - short[:, 0], axis=1) / widths
    print(f"corners of the two crops apart, in % of the width: median {np.median(off):.1%}, "
          f"95 % below {np.quantile(off, 0.95):.1%}; width's ratio {ratio.mean():.3f} ± {ratio.std():.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
