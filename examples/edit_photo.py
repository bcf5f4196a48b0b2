"""A photo in, the smiling photo out, step by step: align, project, tune, edit, paste back.

    python examples/edit_photo.py PHOTO --strength 2 --out edit_photo

`latentlab edit --photo PHOTO --direction smile` does the same, checks every step, and goes on after a stop.
Without PHOTO it takes a generated face. Writes `aligned.png`, `projected.png`, `edited.png` and `photo.png`. On two
cores it takes about three minutes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

import stylegan2
from latentlab import faces, images, perceptual
from latentlab.cli import options
from latentlab.cli.errors import told
from latentlab.directions.shipped import load_direction
from latentlab.editing import edit
from latentlab.faces.identity import FaceDescriptor, similarity
from latentlab.progress import bar
from latentlab.projection import DEFAULTS, TuningSettings, project, tune
from stylegan2.memory import keep_freed_memory


def main(
    photo: Annotated[Path | None, typer.Argument(help="A picture with a face in it.")] = None,
    direction: Annotated[str, typer.Option(help="A direction: smile, or a file.")] = "smile",
    strength: Annotated[float, typer.Option(help="How far, in units of w.")] = 2.0,
    steps: Annotated[int, typer.Option(help="Steps of the projection.")] = DEFAULTS["w+"].steps,
    tuning_steps: Annotated[int, typer.Option(help="Steps of the tuning.")] = TuningSettings().steps,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("edit_photo"),
) -> None:
    """Make the person in a photo smile."""
    keep_freed_memory()
    place = options.find_device(device)
    generator = stylegan2.load(network, device=place)
    distance = perceptual.load_perceptual("vgg", place, perceptual.fast_dtype(place))
    if photo is None:
        with torch.no_grad():
            picture = generator(stylegan2.z_from_seeds([641], generator.z_dim).to(place), psi=0.7).cpu()
    else:
        picture = images.load_image(photo)

    (face,) = faces.align(picture, faces.load_detector("dlib68"), generator.resolution, name=str(photo))
    images.save_image(face.image, out / "aligned.png")
    recipe = DEFAULTS["w+"].shortened(steps)
    with bar("projecting", "step") as step:
        found = project(face.image, generator, recipe, perceptual=distance, progress=step)
    ws = found.ws(generator)  # (1, num_ws, w_dim)
    with bar("tuning", "step") as step:
        settings = replace(TuningSettings(), steps=tuning_steps)
        tuned = tune(face.image, ws, generator, distance, settings, progress=step)
    print(f"LPIPS {float(tuned.before):.3f} projected, {float(tuned.lpips):.3f} tuned")

    with torch.no_grad():
        images.save_image(tuned.generator.synthesis(ws).clamp(-1, 1), out / "projected.png")
        edited = tuned.generator.synthesis(edit(ws, load_direction(direction), strength)).cpu()
    images.save_image(edited.clamp(-1, 1), out / "edited.png")
    pasted = faces.paste_back(edited, face.geometry, picture)
    images.save_image(pasted, out / "photo.png")
    descriptor = FaceDescriptor()
    kept = float(similarity(descriptor(face.image), descriptor(edited.clamp(-1, 1))))
    print(f"identity kept: {kept:.2f} (1: the same picture; strangers: about 0)")
    print(f"the pictures are in {out}")


if __name__ == "__main__":
    typer.run(told(main))
