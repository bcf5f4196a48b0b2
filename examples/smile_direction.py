"""The smile direction in a few lines: sample, label, fit, evaluate, save, and one walk to look at.

    python examples/smile_direction.py --samples 400 --out smile_direction

`latentlab smile` does this and evaluates edits as well. Samples are rendered by the generator's preview if
it has one. Writes both directions (safetensors) and `walk.png`. On two cores 400 samples take about a minute by
preview and two in full; the same command resumes a stopped run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

import stylegan2
from latentlab import images, scorers
from latentlab.cli import options
from latentlab.cli.errors import run
from latentlab.devices import find_device
from latentlab.directions import cosine, fit
from latentlab.editing import from_sigmas, walk
from latentlab.rendering import Renderer
from latentlab.samples import SampleSettings, SampleStore, draw_samples, split
from stylegan2.memory import keep_freed_memory


def main(
    samples: options.Samples = 400,
    seed_start: options.SeedStart = 600,
    psi: options.Psi = 0.7,
    attribute: options.Attribute = "happy",
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("smile_direction"),
) -> None:
    """Learn the direction of an expression by two methods, and compare them."""
    keep_freed_memory()
    place = find_device(device)
    generator, scorer = stylegan2.load(network, device=place), scorers.load_scorer("fer", place)
    resolution = generator.resolutions[0]  # the preview's, or the full one
    settings = SampleSettings(
        generator.fingerprint, scorer.fingerprint, scorer.names, psi, seed_start, samples, resolution
    )
    store = SampleStore.open(out / "samples", settings)
    table = draw_samples(generator, scorer, store, Renderer(generator, resolution), 4)
    print(f"{table.is_positive(attribute).mean():.1%} of {len(table)} samples are {attribute}")

    found = {}
    for method in ("mean", "svm"):
        learnt = fit(table, attribute, method)  # on three quarters of the samples, judged on the others
        found[method] = learnt.direction
        learnt.direction.save(out / f"{attribute}-{method}.safetensors")
        print(f"{method}: held-out accuracy {learnt.held_out.accuracy:.3f}, AUC {learnt.held_out.auc:.3f}")
    print(f"cosine between the two: {cosine(found['mean'], found['svm']):.3f}")

    strengths = [from_sigmas(found["svm"], sigmas) for sigmas in (-4, -2, 0, 2, 4)]
    _, test = split(table)
    ws = walk(table.subset(test).ws(generator.num_ws)[:3].to(place), found["svm"], strengths).flatten(0, 1)
    with torch.inference_mode():
        cells = [images.reduce(generator.synthesis(one[None]), 256).cpu() for one in ws]
    images.save_image(images.grid(torch.cat(cells), columns=len(strengths)), out / "walk.png")
    print(f"the directions and walk.png are in {out}")


if __name__ == "__main__":
    run(main)
