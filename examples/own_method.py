"""A method of one's own in the comparison: the mean difference of the two domains, in pixels instead of in W.

    python examples/own_method.py --out own_method
    python examples/own_method.py --faces 160 --held-out 12 --steps 36    # as in `latentlab compare edit`

Draws and labels faces, learns, edits held-out faces by this method and by the SVM's direction, and writes
`report.html`. About two minutes on two cores.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from latentlab import keep_freed_memory, load_image, save_image
from latentlab.cli import options
from latentlab.cli.errors import run
from latentlab.comparison import Method, compare, write_report
from latentlab.images import resize
from latentlab.pipelines import Components
from latentlab.progress import Stage
from latentlab.scorers import load_attributes
from latentlab.tasks.edit_faces import PRESETS, PROJECTION, EditTask, edit_methods, make_edit_task


class PixelMean(Method):
    """Adds the mean of the target domain's images minus the mean of the source's."""

    name = "pixel-mean"

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """Learn one image."""
        path = folder / "difference.png"
        if not path.exists():
            save_image((task.part("trainB").mean(dim=0) - task.part("trainA").mean(dim=0)) / 2, path)
        self.difference = 2 * load_image(path)

    def apply(self, images: Tensor) -> Tensor:
        """Add it."""
        size = self.difference.shape[3]
        return (resize(images, size, size) + self.difference).clamp(-1, 1)


def main(
    faces: Annotated[int, typer.Option(help="Faces of each domain to learn from.")] = 60,
    held_out: Annotated[int, typer.Option(help="Held-out faces to edit.")] = 4,
    steps: Annotated[int, typer.Option(help="Steps of each projection.")] = 20,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("own_method"),
) -> None:
    """Compare a method of your own with a latent method."""
    keep_freed_memory()
    components = Components.load(network, scorer="fer", device=device)
    judge = load_attributes(device=components.device)
    settings = replace(PRESETS["quick"], faces=faces, held_out=held_out, projection_steps=steps)
    task = make_edit_task(settings, components, judge, out)
    comparison = compare(task, [*edit_methods(task, ["latent-svm"]), PixelMean()])
    print(write_report(comparison, options.this_command(), excluded=[PROJECTION]))


if __name__ == "__main__":
    run(main)
