"""Style mixing: each cell is its column's image with the styles of some layers taken from its row's.

    python examples/style_mixing.py --columns 600-604 --rows 610-612 --first 7 --out style_mixing

The sources stand on the margins. Layers 0 to 2 (4² and 8² pixels) decide the pose and the shape of the face, 3
to 6 its features and hair, those from 7 colours and light: compare `--first 7` with `--first 0 --last 2`.
Writes `mixed.png`. A second or less per image on two cores; the default of 23 takes a quarter of a minute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

import latentlab as ll
from latentlab.cli import options
from latentlab.cli.errors import run
from latentlab.devices import find_device
from latentlab.samples import check_psi
from stylegan2.protocol import Generator


@torch.inference_mode()
def main(
    columns: Annotated[str, typer.Option(help="Seeds whose other styles are kept.")] = "600-604",
    rows: Annotated[str, typer.Option(help="Seeds whose styles are put in.")] = "610-612",
    first: Annotated[int, typer.Option(help="First layer taken from the rows, from 0.")] = 7,
    last: Annotated[
        int | None, typer.Option(help="Last layer taken from the rows; by default the last there is.")
    ] = None,
    psi: options.Psi = 0.7,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the image.")] = Path("style_mixing"),
) -> None:
    """Put the styles of the rows' layers first … last into the columns' images."""
    generator = ll.load_generator(network, device=find_device(device))
    last = generator.num_ws - 1 if last is None else last
    if not 0 <= first <= last < generator.num_ws:
        raise ll.UserError(f"layers lie in 0 … {generator.num_ws - 1}, first before last; not {first} … {last}")
    tops, sides = (latents(generator, options.parse_seeds(text), psi) for text in (columns, rows))

    def cell(ws: torch.Tensor) -> torch.Tensor:
        return ll.images.reduce(generator.synthesis(ws), 256).cpu()

    corner = torch.ones_like(cell(tops[:1]))
    cells = [corner, *(cell(top[None]) for top in tops)]
    for side in sides:
        cells.append(cell(side[None]))
        cells += [cell(ll.style_mix(top[None], side[None], range(first, last + 1))) for top in tops]
    ll.save_image(ll.images.grid(torch.cat(cells), columns=len(tops) + 1), out / "mixed.png")
    print(f"layers {first} … {last} of the rows in the columns' images: {out / 'mixed.png'}")


def latents(generator: Generator, seeds: list[int], psi: float) -> torch.Tensor:
    """Latents `(seeds, num_ws, w_dim)`."""
    z = ll.z_from_seeds(seeds, generator.z_dim).to(generator.w_avg.device)
    return generator.mapping(z, psi=check_psi(psi))


if __name__ == "__main__":
    run(main)
