"""A walk through latent space, as a film: from seed to seed in a loop, or along a direction.

    python examples/latent_walk.py --seeds 600,601,602 --frames 12 --out latent_walk
    python examples/latent_walk.py --direction smile
    python examples/latent_walk.py --direction smile_direction/happy-svm.safetensors

From seed to seed it goes in W on straight lines (`--space w`) or in Z on great circles (`--space z`). With
--direction there is a second film: every seed from -4 to 4 standard deviations along it and back.
Writes `loop.gif` and `direction.gif`, and both as .mp4 if `imageio[ffmpeg]` is installed. A frame takes a second or
less on two cores; the default of 36 frames takes half a minute.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import torch
import typer

import stylegan2
from latentlab import images
from latentlab.cli import options
from latentlab.cli.errors import run
from latentlab.devices import find_device
from latentlab.directions import load_direction
from latentlab.editing import from_sigmas, walk
from latentlab.errors import UserError
from latentlab.samples import check_psi
from latentlab.video import write_gif, write_mp4


@torch.inference_mode()
def main(
    seeds: options.Seeds = "600-602",
    frames: Annotated[int, typer.Option(min=2, help="Frames from one seed, or end, to the next.")] = 12,
    space: Annotated[str, typer.Option(help="w: straight lines; z: great circles.")] = "w",
    direction: Annotated[str | None, typer.Option(help="Direction to walk along as well: smile, or a file.")] = None,
    psi: options.Psi = 0.7,
    resolution: Annotated[int, typer.Option(help="Resolution of a frame in pixels, at most.")] = 256,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the films.")] = Path("latent_walk"),
) -> None:
    """Walk from seed to seed, and along a direction."""
    if space not in ("w", "z"):
        raise UserError(f"--space is w or z, not {space!r}")
    numbers, psi = options.parse_seeds(seeds), check_psi(psi)
    generator = stylegan2.load(network, device=find_device(device))
    z = stylegan2.z_from_seeds(numbers, generator.z_dim).to(generator.w_avg.device)
    ws = generator.mapping(z, psi=psi)  # (seeds, num_ws, w_dim)

    def film(stops: torch.Tensor, name: str) -> None:
        rendered = [images.reduce(generator.synthesis(one[None]), resolution).cpu() for one in stops]
        write_gif(torch.cat(rendered), out / f"{name}.gif")
        if find_spec("imageio_ffmpeg"):
            write_mp4(torch.cat(rendered), out / f"{name}.mp4")
        print(f"{len(rendered)} frames: {out / name}.gif")

    loop = []
    for k in range(len(numbers)):
        for t in torch.arange(frames) / frames:
            if space == "w":
                loop.append(stylegan2.lerp(ws[k - 1], ws[k], t.to(ws)))
            else:
                loop.append(generator.mapping(stylegan2.slerp(z[k - 1], z[k], t.to(z))[None], psi=psi)[0])
    film(torch.stack(loop), "loop")
    if direction is not None:
        found = load_direction(direction)
        found.check(generator)
        strengths = [from_sigmas(found, float(sigmas)) for sigmas in torch.linspace(-4, 4, frames)]
        there = walk(ws, found, strengths)  # (seeds, frames, num_ws, w_dim)
        film(torch.cat([there, there.flip(1)], dim=1).flatten(0, 1), "direction")


if __name__ == "__main__":
    run(main)
