"""Options that several commands share, each with its help in one place, and the parsing of their values."""

from __future__ import annotations

import math
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from latentlab.errors import UserError

Network = Annotated[str, typer.Option(help="Generator: a name that `latentlab weights list` shows, or a checkpoint.")]
ScorerName = Annotated[
    str,
    typer.Option("--scorer", help="Scorer: fer, attributes:NAME, FILE.safetensors:NAME, or one of another package."),
]
Psi = Annotated[float, typer.Option(help="Truncation psi, 0 < psi <= 2; 1 is none, 0.7 the usual choice.")]
SeedStart = Annotated[int, typer.Option(help="First seed.")]
Samples = Annotated[int, typer.Option(help="Number of consecutive seeds.")]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 600-605,612.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto for the best available one.")]
Batch = Annotated[int, typer.Option(min=1, help="Images rendered at once.")]
Resolution = Annotated[
    int | None, typer.Option(help="Resolution of the images: the generator's own, or its preview's.")
]
Attribute = Annotated[str, typer.Option(help="Score that decides whether a face is positive.")]
Threshold = Annotated[
    str | None,
    typer.Option(
        help="Score above which a face is positive: a number, median, or quantiles such as q0.3,q0.7, between which "
        "faces are neither; by default one half, or the largest of several scores."
    ),
]
Strengths = Annotated[str, typer.Option(help="Strengths in units of w, such as -4,-2,0,2,4.")]


def parse_seeds(text: str) -> list[int]:
    """Parse seeds such as '600-605,612'.

    Raises
    ------
    UserError
        If it is no list of seeds in 0 … 2**32 − 1.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})(?:\s*-\s*(\d{1,10}))?\s*", part)
        if match is None:
            raise UserError(f"seeds are numbers and ranges such as 600-605,612, not {text!r}")
        first = int(match[1])
        last = int(match[2] or first)
        if not first <= last < 2**32:
            raise UserError(f"seeds lie in 0 … {2**32 - 1} and ranges go upwards, not {part.strip()!r}")
        if last - first >= 100_000:
            raise UserError(f"{part.strip()!r} names {last - first + 1} seeds; 100000 is the most")
        seeds += range(first, last + 1)
    return seeds


def parse_strengths(text: str) -> list[float]:
    """Parse strengths such as '-4,-2,0,2,4'; UserError if they are not different, finite numbers."""
    try:
        strengths = [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"strengths are numbers such as -4,-2,0,2,4, not {text!r}") from None
    if not all(math.isfinite(strength) for strength in strengths):
        raise UserError(f"strengths must be finite, not {text!r}")
    if len(set(strengths)) < len(strengths):
        raise UserError(f"strengths must differ, unlike {text!r}")
    return strengths


def check_folder(path: Path) -> Path:
    """Return `path` if it is a folder or does not exist yet; UserError otherwise, before any work is done for it."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; choose a folder with --out")
    return path


def this_command() -> str:
    """Return the command line of this process, to be given again."""
    program = Path(sys.argv[0]).name
    words = ["python", "-m", "latentlab"] if program == "__main__.py" else [program]
    return shlex.join([*words, *sys.argv[1:]])
