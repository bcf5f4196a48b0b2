"""Renders by OpenVINO for `mobile_vs_openvino.py`, in an interpreter that has openvino and numpy.

    python benchmarks/openvino_worker.py FOLDER WS.npy THREADS OUT.npy

Every line on its input is the number of a row of WS: it renders that, leaves the picture in OUT, and answers
with the seconds that the rendering took. The first answer, unasked, is the version of OpenVINO.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov


def main() -> None:
    folder, rows, threads, out = sys.argv[1:]
    exactly = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": int(threads)}
    network = ov.Core().compile_model(Path(folder) / "SynthesisNetwork.xml", "CPU", exactly)
    w = np.load(rows)  # (n, w_dim)
    print(ov.__version__, flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        picture = network(w[int(line)][None])[0]
        seconds = time.perf_counter() - begun
        np.save(out, picture)
        print(seconds, flush=True)


if __name__ == "__main__":
    main()
