"""Options that several commands share, each with its help in one place, and the parsing of their values."""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from latentlab.errors import UserError
from latentlab.places import is_address, store_at


def _check_batch(text: str) -> str:
    if text != "auto" and not (re.fullmatch(r"\d{1,6}", text) and int(text)):
        raise typer.BadParameter(f"it is auto, or a number of 1 or more, not {text!r}")
    return text


Network = Annotated[str, typer.Option(help="Generator: a name that `latentlab weights list` shows, or a checkpoint.")]
ScorerName = Annotated[
    str,
    typer.Option("--scorer", help="Scorer: fer, attributes:NAME, FILE.safetensors:NAME, or one from another package."),
]
EditScorer = Annotated[
    str | None,
    typer.Option(
        "--scorer",
        help="Scorer: fer, attributes:NAME, FILE.safetensors:NAME, or one from another package; by default the one "
        "that taught the direction, where its card says so, or fer.",
    ),
]
Psi = Annotated[float, typer.Option(help="Truncation psi, 0 < psi <= 2; 1 is none, 0.7 the usual choice.")]
Cutoff = Annotated[
    int | None,
    typer.Option(
        min=1, help="Rows of ws that --psi truncates, from the first; by default all. StyleGAN's paper truncates 8."
    ),
]
ClassLabel = Annotated[
    int | None, typer.Option("--class", min=0, help="Class, from 0; for a conditional generator only.")
]
SeedStart = Annotated[int, typer.Option(help="First seed.")]
Samples = Annotated[int, typer.Option(help="Number of consecutive seeds.")]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 600-605,612.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto for the best available one.")]
Batch = Annotated[
    str,
    typer.Option(
        metavar="auto|N",
        callback=_check_batch,
        help="Images rendered at once: auto for what is quick and fits into memory, or a number.",
    ),
]


class PrecisionName(str, Enum):
    """Types that images are rendered in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


Precision = Annotated[
    PrecisionName,
    typer.Option(
        help="Type that images are rendered in: float32, bfloat16, or auto for bfloat16 where the hardware is quick "
        "at it; a run that was stopped goes on in its own."
    ),
]
ImagePrecision = Annotated[
    PrecisionName,
    typer.Option(
        "--precision",
        help="Type that images are rendered in: float32, bfloat16, which is faster where the hardware is quick at it "
        "and differs by less than the eye sees, or auto for bfloat16 there and float32 elsewhere.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Processes that share the work, through Ray; by default this one alone does it."
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Ray cluster that shares the work, such as auto or IP:6379."),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(min=0, help="GPUs of each worker, or a fraction of one; by default an equal share of all, 1 at most."),
]
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
Strengths = Annotated[
    str | None,
    typer.Option(
        help="Strengths, such as -2,0,2; by default across the direction's calibrated range or, where its card has "
        "none, 3 sigmas or else 2 units to either side."
    ),
]


class Units(str, Enum):
    """Units of strengths on the command line."""

    w = "w"
    sigma = "sigma"
    published = "published"


StrengthUnits = Annotated[
    Units,
    typer.Option(
        "--units",
        help="Units of --strengths: w, the direction's own (units of w; in space s, standard deviations of its style "
        "channels together); sigma, the population's standard deviation along the direction; or "
        "published, lengths of a published array, as its publication counts them.",
    ),
]
ScoreTarget = Annotated[
    float | None,
    typer.Option(
        "--target",
        help="Score that each face is to reach, at a strength of its own instead of --strengths: such as 0.9, or 0.1 "
        "to lose the attribute.",
    ),
]
Cap = Annotated[
    float | None,
    typer.Option(
        help="With --target, or --photo without --strengths: the most that a face is moved, in the direction's units; "
        "by default 1.25 times the end of the direction's calibrated range, for a photo 1.5 times."
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(
        help="Layers (rows of ws) to move: all, or a list such as 0-3,5. With this option, directions and codes whose "
        "number of rows is not the generator's are matched to it by resolution."
    ),
]
LatentsFile = Annotated[
    Path | None,
    typer.Option(
        "--latents",
        help="File of latent codes instead of seeds: latents.pt from e4e or pSp, projected_w.npz, or the like.",
    ),
]
SaveLatents = Annotated[
    Path | None,
    typer.Option(
        "--save-latents",
        help="Also write the latents of all images to one file, in w or w+: .pt as e4e does, .npz as the public "
        "projector does, .npy or .safetensors.",
    ),
]


def _parse_ranges(text: str) -> list[tuple[int, int]] | None:
    """First and last number of each part of a list such as '600-605,612'; None if it is no such list."""
    matches = [re.fullmatch(r"\s*(\d{1,10})(?:\s*-\s*(\d{1,10}))?\s*", part) for part in text.split(",")]
    found = [(int(match[1]), int(match[2] or match[1])) for match in matches if match is not None]
    return found if len(found) == len(matches) else None


def parse_seeds(text: str) -> list[int]:
    """Parse seeds such as '600-605,612'.

    Raises
    ------
    UserError
        If it is no list of seeds in 0 … 2**32 − 1, or one is given twice.
    """
    ranges = _parse_ranges(text)
    if ranges is None:
        raise UserError(f"seeds are numbers and ranges such as 600-605,612, not {text!r}")
    seeds: list[int] = []
    for first, last in ranges:
        part = str(first) if first == last else f"{first}-{last}"
        if not first <= last < 2**32:
            raise UserError(f"seeds lie in 0 … {2**32 - 1} and ranges go upwards, not {part!r}")
        if last - first >= 100_000:
            raise UserError(f"{part!r} names {last - first + 1} seeds; 100000 is the most")
        seeds += range(first, last + 1)
    if again := [seed for seed, times in Counter(seeds).items() if times > 1]:
        raise UserError(f"seed {again[0]} is given twice in {text!r}")
    return seeds


def parse_layers(text: str) -> list[int] | None:
    """Parse layers such as '0-3,5'; None for 'all'.

    Raises
    ------
    UserError
        If it is neither.
    """
    if text.strip() == "all":
        return None
    ranges = _parse_ranges(text)
    if ranges is None or any(not first <= last < 1000 for first, last in ranges):
        raise UserError(f"layers are all, or numbers and ranges such as 0-3,5, not {text!r}")
    return sorted({layer for first, last in ranges for layer in range(first, last + 1)})


def parse_size(text: str, least: int = 1) -> int | tuple[int, int]:
    """Parse a size such as '256', or '960x540' for width and height.

    Returns
    -------
    int or tuple of int
        The number, or height and width.

    Raises
    ------
    UserError
        If it is no size, or a side has less than `least` pixels.
    """
    match = re.fullmatch(r"\s*(\d{1,6})(?:x(\d{1,6}))?\s*", text.lower())
    if match is None:
        raise UserError(f"a size is a number such as 256, or width and height such as 960x540, not {text!r}")
    numbers = [int(number) for number in match.groups() if number is not None]
    if min(numbers) < least:
        raise UserError(f"a size has {least} pixels or more at each side, unlike {text!r}")
    return numbers[0] if len(numbers) == 1 else (numbers[1], numbers[0])


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


def parse_named_strengths(given: Sequence[str] | None, attributes: Sequence[str]) -> dict[str, float] | None:
    """Parse strengths such as 'smile=0.5', or '0.5' for the first of the attributes; None for none.

    Raises
    ------
    UserError
        If one is not a number, or two are for one attribute.
    """
    strengths: dict[str, float] = {}
    for text in given or ():
        name, _, number = text.rpartition("=")
        name = name or attributes[0]
        try:
            strength = float(number)
        except ValueError:
            raise UserError(f"a strength is a number or ATTRIBUTE=NUMBER, such as {name}=0.5, not {text!r}") from None
        if name in strengths:
            raise UserError(f"two strengths of {name} are given; give one")
        strengths[name] = strength
    return strengths or None


def check_folder(path: Path, inputs: Iterable[Path] = ()) -> Path:
    """Return the folder that results are to be written to, before any work is done for it.

    Parameters
    ----------
    path
        The folder, which need not exist yet.
    inputs
        Files that are read, whose names results may take.

    Raises
    ------
    UserError
        If a file is in the way, or the folder holds one of the inputs.
    """
    if is_address(path):
        raise UserError(f"{path} is an address, and this command writes to a folder of this machine: give one to --out")
    there = next(place for place in (path, *path.absolute().parents) if place.exists() or place.is_symlink())
    if not there.is_dir():
        raise UserError(f"{there} is a file; choose a folder with --out")
    for one in inputs:
        if one.exists() and one.resolve().parent == path.resolve():
            raise UserError(f"{one} lies in {path}, where results would replace it; choose another folder with --out")
    return path


def check_place(text: str) -> Path | str:
    """Return the folder, or the address in an object store, that results are to be written to.

    Raises
    ------
    UserError
        If the store cannot be reached or written to, or as `check_folder` says.
    """
    if not is_address(text):
        return check_folder(Path(text))
    store_at(text).check()
    return text


def check_file(path: Path, inputs: Iterable[Path] = ()) -> Path:
    """Return the file that a result is to be written to, before any work is done for it.

    Parameters
    ----------
    path
        The file; one that exists is replaced.
    inputs
        Files that are read.

    Raises
    ------
    UserError
        If a folder has its name, a file is in the place of its folder, or it is one of the inputs.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it")
    check_folder(path.parent)
    for one in inputs:
        if one.exists() and one.resolve() == path.resolve():
            raise UserError(f"{path} is what is read; write to another file")
    return path


def check_latents_file(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse a file that latents cannot be written to; UserError, see `check_file`."""
    from latentlab.latents import check_latents_path

    check_latents_path(path)
    check_file(path, inputs)


def parse_batch(text: str) -> int | Literal["auto"]:
    """Parse a batch size that the command line has checked: a number, or 'auto'."""
    return "auto" if text == "auto" else int(text)


@contextmanager
def on_workers(workers: int | None, address: str | None, gpus_per_worker: float | None) -> Iterator[None]:
    """Let workers do the work within, if the options ask for any.

    Raises
    ------
    UserError
        If the options ask for none, but say how many GPUs each has; or as `latentlab.cluster` says.
    """
    if workers is None and address is None:
        if gpus_per_worker is not None:
            raise UserError("--gpus-per-worker has no effect without --workers or --ray; leave it out")
        yield
        return
    from latentlab.distributed import cluster

    with cluster(workers, address, gpus_per_worker):
        yield


def is_given(ctx: typer.Context, name: str) -> bool:
    """Whether an option, by the name of its parameter, is given on the command line."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse_without_effect(ctx: typer.Context, unused: Mapping[str, str]) -> None:
    """Refuse options that were given though they have no effect beside the others.

    Parameters
    ----------
    ctx
        Context of the command.
    unused
        Reasons by the names of the parameters, such as ``{"seeds": "with --photo"}``.

    Raises
    ------
    UserError
        If one was given; names it and the reason.
    """
    for parameter in ctx.command.params:
        if parameter.name in unused and is_given(ctx, parameter.name):
            flags = "/".join([*parameter.opts, *parameter.secondary_opts])
            raise UserError(f"{flags} has no effect {unused[parameter.name]}; leave it out")


def check_cutoff(ctx: typer.Context, psi: float) -> None:
    """Refuse --cutoff where nothing is truncated; UserError."""
    if psi == 1:
        refuse_without_effect(ctx, {"cutoff": "with --psi 1, which truncates nothing"})


def this_command() -> str:
    """Return the command line of this process, ready to be run again."""
    program = Path(sys.argv[0]).name
    words = ["python", "-m", "latentlab"] if program == "__main__.py" else [program]
    return shlex.join([*words, *sys.argv[1:]])
