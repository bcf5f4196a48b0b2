"""A method of one's own in the comparison: the mean difference of the two domains, in pixels instead of in W.

    python examples/own_method.py --out own_method
    python examples/own_method.py --faces 160 --held-out 12 --steps 36    # as in `latentlab compare`

Draws and labels faces, learns, edits held-out faces by this method and by the SVM's direction, and writes
`report.html`. About two minutes on two cores.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

import stylegan2
from latentlab import images, scorers
from latentlab.cli import options
from latentlab.cli.errors import told
from latentlab.comparison import Method, compare, write_report
from latentlab.progress import Stage, bar
from latentlab.tasks.edit_faces import FLOOR, PRESETS, EditLab, EditTask, edit_methods, make_edit_task
from stylegan2.memory import keep_freed_memory


class PixelMean(Method):
    """Adds the mean of the target domain's pictures minus the mean of the source's."""

    name = "pixel-mean"

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """Learn one picture."""
        path = folder / "difference.png"
        if not path.exists():
            images.save_image((task.part("trainB").mean(dim=0) - task.part("trainA").mean(dim=0)) / 2, path)
        self.difference = 2 * images.load_image(path)

    def apply(self, pictures: Tensor) -> Tensor:
        """Add it."""
        side = self.difference.shape[3]
        return (images.resize(pictures, side, side) + self.difference).clamp(-1, 1)


def main(
    faces: Annotated[int, typer.Option(help="Of each domain to learn from.")] = 60,
    held_out: Annotated[int, typer.Option(help="To be edited.")] = 4,
    steps: Annotated[int, typer.Option(help="Of each projection.")] = 20,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("own_method"),
) -> None:
    """Compare it with a latent method."""
    keep_freed_memory()
    place = options.find_device(device)
    lab = EditLab.of(
        stylegan2.load(network, device=place), scorers.load_scorer("fer", place), scorers.load_attributes()
    )
    settings = replace(PRESETS["quick"], faces=faces, held_out=held_out, projection_steps=steps)
    task = make_edit_task(settings, lab, out, stage=bar)
    comparison = compare(task, [*edit_methods(task, ["latent-svm"]), PixelMean()], bar)
    print(write_report(comparison, options.this_command(), floors=[FLOOR]))


if __name__ == "__main__":
    typer.run(told(main))
