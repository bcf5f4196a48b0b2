"""Record what OpenVINO makes of the mobile generator, for the test suite to compare with.

Run it in an environment of its own with openvino and numpy; it needs nothing of the project but the files:

    python scripts/record_mobile_vector.py "$(latentlab weights get mobile-ffhq)" tests/data/mobile_vector.npz

z of a seed is `numpy.random.RandomState(seed).randn(1, 512)`. The images are generated ones, and only every
sixteenth pixel of them and a patch at the mouth are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import openvino as ov

SEEDS = (0, 1, 600, 2599)  # w is kept for all, pixels of the first two
STEP = 16
PATCH = (704, 496, 32)  # top, left, size


def compile_network(folder: Path, name: str) -> ov.CompiledModel:
    # OpenVINO may choose bfloat16 by itself on a processor that has it.
    exactly = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return ov.Core().compile_model(folder / f"{name}Network.xml", "CPU", exactly)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the two .xml and the two .bin files")
    parser.add_argument("out", type=Path, help="the .npz to write")
    arguments = parser.parse_args()
    mapping, synthesis = (compile_network(arguments.folder, name) for name in ("Mapping", "Synthesis"))
    z = [np.random.RandomState(seed).randn(1, 512).astype(np.float32) for seed in SEEDS]
    w = np.concatenate([mapping(one)[0] for one in z])  # (seeds, 512)
    rendered = np.concatenate([synthesis(one[None])[0] for one in w[:2]])  # (2, 3, 1024, 1024)
    top, left, size = PATCH
    np.savez_compressed(
        arguments.out,
        seeds=np.array(SEEDS),
        w=w,
        step=STEP,
        sparse=rendered[:, :, ::STEP, ::STEP],
        patch_at=np.array(PATCH),
        patch=rendered[:, :, top : top + size, left : left + size],
    )
    print(f"OpenVINO {ov.__version__}: pixels from {rendered.min():.3f} to {rendered.max():.3f}")


if __name__ == "__main__":
    main()
