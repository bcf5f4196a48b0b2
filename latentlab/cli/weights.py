"""`latentlab weights`: the named weights, and files of other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import stylegan2
from latentlab import weights
from latentlab.cli.errors import told

app = typer.Typer(help="Named weights, and checkpoints of other formats.")


@app.command("list")
@told
def list_weights() -> None:
    """List the named weights: what they are, their licence, and whether they are cached."""
    for row in weights.known():
        print(f"{row.name:<22} {row.kind:<12} {'cached' if row.cached else '-':<7} {row.note}")
        print(f"{'':<22} {row.licence}; {row.source}")


@app.command()
@told
def get(name: Annotated[str, typer.Argument(help="A name that `latentlab weights list` shows.")]) -> None:
    """Fetch named weights into the cache, and print where they lie."""
    print(weights.get(name))


@app.command()
@told
def convert(
    source: Annotated[str, typer.Argument(help="A checkpoint of any supported format, or a name.")],
    target: Annotated[Path, typer.Argument(help="The file to write (safetensors).")],
    network: Annotated[str, typer.Option(help="Which network of the file: G_ema, G or D.")] = "G_ema",
) -> None:
    """Write a network in the project's own format, and prove that it still does the same."""
    seeds = (0, 1, 2)
    difference = stylegan2.convert(source, target, seeds=seeds, network=network)
    print(f"{target}: {network} of {source}")
    shown = ", ".join(map(str, seeds))
    print(f"largest difference of a pixel before and after, seeds {shown}: {difference:.3g}")
