"""`latentlab drag`: points of an image pulled to where they should be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentlab.cli import options
from latentlab.errors import UserError
from latentlab.progress import bar

if TYPE_CHECKING:
    from torch import Tensor

    from latentlab.pipelines import Components

_NUMBER = r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*"
_MOVE = re.compile(f"{_NUMBER},{_NUMBER}:{_NUMBER},{_NUMBER}")


def parse_move(text: str) -> tuple[float, float, float, float]:
    """Parse a move such as '300,400:320,380': x and y of a point, and of its target; UserError if it is not one."""
    match = _MOVE.fullmatch(text)
    if match is None:
        raise UserError(
            f"a move is X,Y:X,Y in pixels, from a point to its target, such as 300,400:320,380, not {text!r}"
        )
    x, y, to_x, to_y = map(float, match.groups())
    return x, y, to_x, to_y


def drag(
    ctx: typer.Context,
    move: Annotated[
        list[str],
        typer.Option(
            metavar="X,Y:X,Y",
            help="Point and target in pixels of the image, from its upper left corner; may be given several times. "
            "A point whose target is its own place is held there.",
        ),
    ],
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the image.")] = 600,
    psi: options.Psi = 0.7,
    cutoff: options.Cutoff = None,
    class_label: options.ClassLabel = None,
    latents: Annotated[
        Path | None,
        typer.Option(help="File with the latent code of the image instead of a seed, such as projected_w.npz."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="Image of the same size, white where the image may move and black where it is to stay."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Maximum number of steps.")] = 60,
    network: options.Network = "mobile-ffhq",
    out: Annotated[Path, typer.Option(help="The dragged image (.png).")] = Path("dragged.png"),
    device: options.Device = "auto",
) -> None:
    """Pull points of an image to where they should be; the generator finds the image that has them there.

    Writes the image, its latent code (.safetensors) and a comparison of before and after with the points drawn, named
    after --out.
    """
    import torch

    from latentlab.dragging import DragSettings
    from latentlab.pipelines import Components, DragFiles, drag_image

    if out.suffix.lower() != ".png":
        raise UserError(f"the image is written as a PNG; name a file such as dragged.png with --out, not {out.name}")
    if latents is not None:
        options.refuse_without_effect(ctx, dict.fromkeys(("seed", "psi", "cutoff", "class_label"), "with --latents"))
    options.check_cutoff(ctx, psi)
    files, read = DragFiles(out), [path for path in (latents, mask) if path is not None]
    for path in files.all:
        options.check_file(path, read)
    moves = [parse_move(text) for text in move]
    area = None if mask is None else _read_mask(mask)
    code = None if latents is None else _read_code(latents)
    components = Components.load(network, device=device)
    _check(components)
    ws = _of_code(components, code) if code is not None else _of_seed(components, seed, psi, class_label, cutoff)
    points, targets = (torch.tensor([one[k : k + 2] for one in moves]) for k in (0, 2))
    result = drag_image(ws, points, targets, components, files, DragSettings(steps=steps), area, bar)
    for one, left in zip(move, result.distances[-1].tolist(), strict=True):
        print(f"{one}: {left:.1f} pixels left, as the points were tracked")
    told = "all points arrived" if result.arrived else "not all points arrived"
    print(f"{told} after {result.steps} steps; written to {', '.join(map(str, files.all))}")


def _read_mask(path: Path) -> Tensor:
    """Where the image may move, `(1, h, w)`: 1 for white."""
    from latentlab.images import load_image, luma

    return ((luma(load_image(path))[0] + 1) / 2).clamp(0, 1)


def _read_code(path: Path) -> Tensor:
    """The one latent code `(1, rows, w_dim)` of a file."""
    from latentlab.latents import load_latents

    codes = load_latents(path)
    if len(codes) != 1:
        raise UserError(
            f"{path} holds {len(codes)} latent codes, and one image is dragged at a time; give a file of one"
        )
    return codes


def _check(components: Components) -> None:
    """Refuse a generator whose images cannot be dragged."""
    from latentlab.mapping import check_has_w, check_square

    check_has_w(components.generator, "dragging")
    check_square(components.generator, "dragging")


def _of_code(components: Components, code: Tensor) -> Tensor:
    """The latent `(1, num_ws, w_dim)` of a code, on the generator's device."""
    from latentlab.latents import match_rows

    generator = components.generator
    rows = match_rows(code, generator.num_ws) if code.shape[1] == 1 else code
    return rows.to(generator.w_avg.device)


def _of_seed(components: Components, seed: int, psi: float, class_label: int | None, cutoff: int | None) -> Tensor:
    """The latent `(1, num_ws, w_dim)` of a seed, on the generator's device."""
    import torch

    from latentlab.mapping import ws_of_seeds

    with torch.no_grad():
        return ws_of_seeds(components.generator, [seed], psi, class_label, cutoff)
