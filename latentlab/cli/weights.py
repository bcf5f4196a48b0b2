"""`latentlab weights`: named weights, and checkpoints of other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options

app = typer.Typer(rich_markup_mode=None, help="Named weights, and checkpoints of other formats.", no_args_is_help=True)


@app.command("list")
def list_weights() -> None:
    """List the named weights: what they are, their licence, and whether they are cached."""
    from latentlab import weights

    for entry in weights.known():
        print(f"{entry.name:<22} {entry.kind:<12} {'cached' if entry.cached else '-':<7} {entry.note}")
        print(f"{'':<22} {entry.licence}; {entry.source}")


@app.command()
def get(name: Annotated[str, typer.Argument(help="A name from `latentlab weights list`.")]) -> None:
    """Fetch named weights into the cache, and print their path."""
    from latentlab import weights

    print(weights.get(name))


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="A checkpoint in any supported format, or the name of known weights.")],
    target: Annotated[Path, typer.Argument(help="The file to write (safetensors).")],
    network: Annotated[
        str | None, typer.Option(help="Which network of the file: G_ema, G or D; by default its generator for images.")
    ] = None,
) -> None:
    """Convert a network to the project's own format, and compare what it computes before and after."""
    import stylegan2

    options.check_file(target, [Path(source)])
    seeds = (0, 1, 2)
    difference = stylegan2.convert(source, target, seeds=seeds, network=network)
    print(f"{target}: {network or 'the generator'} of {source}")
    shown = ", ".join(map(str, seeds))
    what = "logit" if network == "D" else "pixel"
    print(f"largest difference of a {what} before and after, seeds {shown}: {difference:.3g}")
