"""Damage files where that reaches new lines of the readers: by atheris, for one format, in a process of its own.

    python benchmarks/reliability/guided.py FORMAT SECONDS FOLDER

FOLDER keeps the inputs that reached something new, and, called crash-…, one that was read wrongly.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris

with atheris.instrument_imports(include=["stylegan2", "latentlab"]):
    from formats import FORMATS

    from latentlab.errors import UserError
    from stylegan2.errors import CheckpointError


def main() -> None:
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    form, corpus = FORMATS[name], folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for k, files in enumerate(form.whole()):
        ((file, data),) = files.items()
        (corpus / f"{k:02d}-{file}").write_bytes(data)
    path = folder / file

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            form.read(path)
        except (UserError, CheckpointError) as error:
            if "\n" in str(error):
                raise AssertionError(f"several lines: {str(error)[:300]!r}") from error

    limits = [f"-max_total_time={seconds}", "-timeout=5", "-rss_limit_mb=4000", "-max_len=100000"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(corpus)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
