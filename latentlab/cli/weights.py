"""`latentlab weights`: named weights, and checkpoints of other formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentlab.cli import options

if TYPE_CHECKING:
    from stylegan2 import Inspected

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


@app.command()
def export(
    generator: Annotated[str, typer.Argument(help="A generator in any supported format, or a name.")],
    target: Annotated[Path, typer.Argument(help="The file to write (.pt, .pth, .model).")],
    discriminator: Annotated[Path | None, typer.Option(help="File of the discriminator, to be included.")] = None,
    layout: Annotated[
        Literal["rosinality", "release", "genforce"],
        typer.Option(
            help="rosinality: as its ports of StyleGAN2 and StyleGAN; release: StyleGAN2 as state dicts with NVIDIA's "
            "names; genforce: StyleGAN and Progressive GAN."
        ),
    ] = "rosinality",
) -> None:
    """Write networks in the layout of other code, which reads them with `torch.load`."""
    import stylegan2
    from stylegan2.checkpoints.exporting import export as write

    options.check_file(target, [Path(generator), *([] if discriminator is None else [discriminator])])
    judge = None if discriminator is None else stylegan2.load(discriminator, "D")
    write(target, stylegan2.load(generator), judge, layout)  # type: ignore[arg-type]  # refuses other networks
    print(f"written: {target}")


@app.command()
def inspect(
    source: Annotated[str, typer.Argument(help="A checkpoint, a file of latentlab, or the name of known weights.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that is known, for programs.")] = False,
) -> None:
    """Print what a file holds without making a network of it, so that no file can do harm.

    Format, networks and their configurations, tensors, metadata, the card of latentlab's own files, and the Python
    names that a pickle asks for: those that are not allowed could run code, and loading refuses them.
    """
    import json
    from dataclasses import asdict

    import stylegan2
    from latentlab import weights

    found = stylegan2.inspect(source)
    known = weights.REGISTRY.get(source)
    said = {**asdict(found), "licence": known.licence if known else found.metadata.get("license"), "card": _card(found)}
    if as_json:
        print(json.dumps(said, indent=1))
        return
    print(f"{found.path}: {found.format}")
    for title, text in _lines(said):
        print(f"{title:<10} {text}")


def _card(found: Inspected) -> dict[str, Any] | None:
    """The card of a file that latentlab wrote, if it can be read."""
    import msgspec

    if not found.metadata.get("format", "").startswith("latentlab."):
        return None
    try:
        return msgspec.json.decode(found.metadata.get("card", "").encode(), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        return None


def _lines(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What there is to print: a title, and a line of text."""
    yield "size", f"{said['size']:,} bytes" + (f", sha256 {said['sha256']}" if said["sha256"] else "")
    if said["licence"]:
        yield "licence", said["licence"]
    for name, config in said["networks"].items():
        yield "network", f"{name}: {', '.join(f'{field} {value}' for field, value in config.items())}"
    tensors = said["tensors"]
    types = ", ".join(f"{count} {dtype}" for dtype, count in tensors["dtypes"].items())
    yield "tensors", f"{tensors['count']:,} of {tensors['values']:,} values" + (f": {types}" if types else "")
    for name, allowed in said["globals"].items():
        yield "asks for", name if allowed else f"{name} (not allowed: it could run code)"
    for name, value in said["metadata"].items():
        if name not in ("card", "config"):
            yield "says", f"{name}: {_short(value)}"
    for name, value in (said["card"] or {}).items():
        yield "card", f"{_short(name)}: {_short(value)}"
    if said["problem"] and said["card"] is None:  # files with a card are no checkpoints
        yield "problem", said["problem"]


def _short(value: Any) -> str:
    """A value of a card on one line."""
    from stylegan2.describing import printable

    text = value if isinstance(value, str) else repr(value)
    return printable(text[:99] + "…" if len(text) > 100 else text)
