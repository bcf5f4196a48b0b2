"""A photo in, the smiling photo out, step by step: align, check, project, tune, edit, paste back.

    python examples/edit_photo.py PHOTO --strength 2 --out edit_photo

`latentlab.edit_photo` and `latentlab edit --photo PHOTO --direction smile` do the same with more checks, and resume
after a stop. Without PHOTO it takes a generated face. Writes `aligned.png`, `projected.png`, `edited.png` and
`photo.png`. On two cores it takes about three minutes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

import latentlab as ll
from latentlab.cli import options
from latentlab.cli.errors import run
from latentlab.faces.identity import similarity
from latentlab.pipelines import check_photo, format_checks
from latentlab.projection import DEFAULTS, TuningSettings


def main(
    photo: Annotated[Path | None, typer.Argument(help="Photo with a face in it.")] = None,
    direction: Annotated[str, typer.Option(help="Direction: smile, or a file.")] = "smile",
    strength: Annotated[float, typer.Option(help="Strength of the edit in units of w.")] = 2.0,
    steps: Annotated[int, typer.Option(help="Steps of the projection.")] = DEFAULTS["w+"].steps,
    tuning_steps: Annotated[int, typer.Option(help="Steps of the tuning.")] = TuningSettings().steps,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("edit_photo"),
) -> None:
    """Make the person in a photo smile."""
    ll.keep_freed_memory()
    networks = ll.Components.load(network, device=device)
    generator, distance = networks.generator, networks.fast_perceptual
    if photo is None:
        with torch.no_grad():
            z = ll.z_from_seeds([641], generator.z_dim).to(networks.device)
            image = generator(z, psi=0.7).cpu()
    else:
        image = ll.load_image(photo)

    (face,) = ll.align(image, networks.detector, generator.resolution, name=str(photo))
    ll.save_image(face.image, out / "aligned.png")
    print(format_checks(check_photo(face)))
    recipe = DEFAULTS["w+"].shortened(steps)
    found = ll.project(face.image, generator, recipe, perceptual=distance)
    ws = found.ws(generator)  # (1, num_ws, w_dim)
    tuned = ll.tune(face.image, ws, generator, distance, replace(TuningSettings(), steps=tuning_steps))
    print(f"LPIPS {float(tuned.before):.3f} projected, {float(tuned.lpips):.3f} tuned")

    with torch.no_grad():
        ll.save_image(tuned.generator.synthesis(ws).clamp(-1, 1), out / "projected.png")
        edited = tuned.generator.synthesis(ll.edit(ws, ll.load_direction(direction), strength)).cpu()
    ll.save_image(edited.clamp(-1, 1), out / "edited.png")
    ll.save_image(ll.paste_back(edited, face.geometry, image), out / "photo.png")
    described = [networks.descriptor(shown) for shown in (face.image, edited.clamp(-1, 1))]
    kept = float(similarity(*described))
    print(f"identity kept: {kept:.2f} (1 for the same image, about 0 for strangers)")
    print(f"the images are in {out}")


if __name__ == "__main__":
    run(main)
