"""How to add an attribute: score images with a function or a module of your own, and study it.

    python examples/own_attribute.py --attribute bright --samples 400 --out own_attribute-bright

`bright` (is the background light?) is a plain function, `warm` (are the face's colours warm?) an `nn.Module`.
`FunctionScorer` makes a scorer of either; a single score above one half means that an image has the attribute.
The study is that of `latentlab smile`: it learns the direction, edits held-out images along it, and writes
`report.md`, figures and a film. Some five minutes on two cores; the same command resumes a stopped run.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from torch import Tensor, nn

import stylegan2
from latentlab.cli import options
from latentlab.cli.errors import run
from latentlab.devices import find_device
from latentlab.pipelines import Components, StudySettings, study_attribute
from latentlab.pipelines.study import summary
from latentlab.scorers import FunctionScorer
from stylegan2.memory import keep_freed_memory


def bright(images: Tensor) -> Tensor:
    """Brightness of the upper corners of `images (b, 3, h, w)`: `(b,)`, one half at middle grey."""
    size = images.shape[-1] // 8
    corners = torch.cat([images[..., :size, :size], images[..., :size, -size:]], dim=-1)
    return torch.sigmoid(4 * corners.mean(dim=(1, 2, 3)))


class Warmth(nn.Module):
    """How much more red than blue the middle of an image is, compared with typical images: `(b,)`."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        # As a buffer it is part of the scorer's fingerprint: samples of other scorers do not mix with these.
        self.register_buffer("typical", self._redness(images).median())

    def _redness(self, images: Tensor) -> Tensor:
        margin = images.shape[-1] // 4
        red, _, blue = images[..., margin:-margin, margin:-margin].mean(dim=(2, 3)).unbind(1)
        return red - blue

    def forward(self, images: Tensor) -> Tensor:
        """Score `images (b, 3, h, w)`: one half for a typical one."""
        return torch.sigmoid(4 * (self._redness(images) - self.typical))


def main(
    attribute: Annotated[Literal["bright", "warm"], typer.Option(help="Attribute to study.")] = "bright",
    samples: options.Samples = 400,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the study.")] = Path("own_attribute"),
) -> None:
    """Study an attribute that no classifier was trained for."""
    keep_freed_memory()
    generator = stylegan2.load(network, device=find_device(device))
    if attribute == "bright":
        scorer = FunctionScorer(("bright",), bright)
    else:
        z = stylegan2.z_from_seeds(range(16), generator.z_dim).to(generator.w_avg.device)
        with torch.inference_mode():
            scorer = FunctionScorer(("warm",), Warmth(torch.cat([generator(one[None], psi=0.7) for one in z])))
    settings = StudySettings(
        name=attribute, attribute=attribute, network=network, scorer=attribute, samples=samples, edited_faces=16
    )
    components = Components.load(generator, scorer)
    study = study_attribute(components, settings, out, shlex.join(["python", *sys.argv]))
    print("\n".join(summary(study)))


if __name__ == "__main__":
    run(main)
