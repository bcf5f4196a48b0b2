"""`latentlab distil`: directions into an editor that makes their edits in one pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from latentlab.cli import options
from latentlab.errors import UserError
from latentlab.progress import bar


def distil(
    direction: Annotated[
        list[str],
        typer.Option(help="Direction to learn, repeated for several: the name of a shipped one, or a file."),
    ],
    out: Annotated[Path, typer.Option(help="File of the editor (.safetensors).")],
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the faces and the training, where a stopped run resumes; by default beside --out."
        ),
    ] = None,
    strips: Annotated[
        Path | None,
        typer.Option(help="Folder of edited faces that several editors learn from; by default inside --folder."),
    ] = None,
    faces: Annotated[int, typer.Option(min=1, help="Faces that each direction is learnt from.")] = 2000,
    size: Annotated[
        int, typer.Option(min=64, help="Resolution of the editor: a multiple of 8, and of 16 from 256 on.")
    ] = 128,
    base_channels: Annotated[int, typer.Option(min=4, help="Channels at full resolution; a multiple of 4.")] = 12,
    epochs: Annotated[float, typer.Option(help="Passes through the faces.")] = 14,
    gan: Annotated[float, typer.Option(min=0, help="Weight of an adversarial loss; 0: none.")] = 0,
    seed_start: Annotated[int, typer.Option(help="First of the seeds, none of which taught the directions.")] = 100_000,
    psi: options.Psi = 1.0,
    low: Annotated[
        float, typer.Option(help="Share that -1 brings the direction's score to, above 0; for a reversed one, 1 does.")
    ] = 0.02,
    high: Annotated[float, typer.Option(help="Share that 1 brings the score to, below 1.")] = 0.98,
    precision: Annotated[Literal["32-true", "bf16-mixed"], typer.Option(help="Numerical precision.")] = "32-true",
    sample_every: Annotated[int, typer.Option(min=1, help="Steps between grids of samples.")] = 200,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
) -> None:
    """Distil directions into an editor of photos that takes milliseconds and needs no projection.

    Generated faces are edited by the strength that each needs, and a small network learns to make these edits.
    """
    from latentlab.directions import load_direction
    from latentlab.pipelines import Components
    from latentlab.pipelines.distilling import DistilSettings, renderer_for, taught_by
    from latentlab.pipelines.distilling import distil as run
    from latentlab.translation import RunOptions

    if out.suffix != ".safetensors":
        raise UserError(f"an editor is written as .safetensors, not {out.name}")
    options.check_file(out)
    place = options.check_folder(out.with_suffix("") if folder is None else folder)
    names = [Path(name).stem for name in direction]
    if len(set(names)) < len(names):
        raise UserError(f"directions are told apart by their names, and {', '.join(names)} has one twice")
    options.check_folder(place if strips is None else strips)
    components = Components.load(network, device=device)
    render = renderer_for(components, size, precision)
    base = DistilSettings.for_resolution(size, base_channels)
    edited = replace(base.strips, faces=faces, resolution=render.resolution, seed_start=seed_start, psi=psi)
    settings = DistilSettings(
        replace(edited, low=low, high=high),
        replace(base.method, gan_weight=gan),
        replace(base.training, epochs=epochs, precision=precision),
        size,
    )
    taught = {name: taught_by(load_direction(given), components) for name, given in zip(names, direction, strict=True)}
    editor = run(taught, render, place, settings, RunOptions(sample_every=sample_every), bar, strips)
    editor.save(out)
    print(f"the editor is {out}; `latentlab translate apply {out} PHOTO` edits photos")
