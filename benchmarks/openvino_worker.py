"""Renders by OpenVINO for `mobile_vs_openvino.py`, in an interpreter that has openvino and numpy.

    python benchmarks/openvino_worker.py FOLDER WS.npy THREADS OUT.npy

For every line on its input it renders one row of WS and answers with the seconds that took; the picture of the
last is in OUT. Each line is the number of the row.
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
