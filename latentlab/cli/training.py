"""`latentlab train-generator`: train a generator on a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from latentlab.cli import options
from latentlab.cli.endings import single_line
from latentlab.errors import UserError

if TYPE_CHECKING:
    from latentlab.generators import ImageSet
    from stylegan2.training.levels import AnyGenerator
    from stylegan2.training.presets import Preset
    from stylegan2.training.settings import Augment

PresetName = Literal["tiny", "auto", "paper256", "stylegan", "progressive"]


def train_generator(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of images, subfolders included, or a zip archive.")],
    out: Annotated[Path, typer.Option(help="Folder for the training state, the samples and the networks.")],
    preset: Annotated[
        PresetName,
        typer.Option(
            help="tiny: StyleGAN2 that learns on a CPU; auto: StyleGAN2, with settings by rule of thumb; paper256: as "
            "at 256 pixels in the paper on limited data; stylegan, progressive: networks that grow."
        ),
    ] = "auto",
    resolution: Annotated[
        str,
        typer.Option(
            metavar="N|WxH", help="Side of the images, a power of two from 8 on; or width and height, such as 512x256."
        ),
    ] = "256",
    fit: Annotated[
        Literal["square", "crop", "stretch"],
        typer.Option(
            help="What is taken of images of another shape than --resolution: nothing, their middle, or the whole of "
            "them, squeezed."
        ),
    ] = "square",
    grey: Annotated[bool, typer.Option("--grey", help="Learn images with one channel.")] = False,
    labels: Annotated[bool, typer.Option("--labels", help="Learn the classes in dataset.json, too.")] = False,
    images: Annotated[int, typer.Option(min=1, help="Real images to show in all.")] = 1_000_000,
    batch: Annotated[int | None, typer.Option(min=1, help="Images per step; by default the preset's.")] = None,
    passes: Annotated[int, typer.Option(min=1, help="Forward passes per step, in each process.")] = 1,
    augment: Annotated[
        str | None, typer.Option(help="none, adaptive, or a probability from 0 to 1; by default the preset's.")
    ] = None,
    pipeline: Annotated[
        Literal["blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"],
        typer.Option(help="Which augmentations to use."),
    ] = "bgc",
    mirror: Annotated[bool, typer.Option("--mirror", help="Also show images mirrored.")] = False,
    gamma: Annotated[
        float | None, typer.Option(min=0, help="Weight of the R1 penalty; by default the preset's.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="Generator to continue from: a name, or a file, which may hold a discriminator."),
    ] = None,
    freeze: Annotated[
        int, typer.Option(min=0, help="Layers of the discriminator to keep as they are, from the image on.")
    ] = 0,
    precision: Annotated[
        Literal["bfloat16", "float32"], typer.Option(help="Type of the features in the main passes.")
    ] = "float32",
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps, or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on this machine, one device each.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Number of machines.")] = 1,
    sample_every: Annotated[int, typer.Option(min=1, help="Steps between grids of samples.")] = 500,
    measure_every: Annotated[
        int,
        typer.Option(
            min=0, help="Steps between measurements of the distance by which the best generator is kept; 0: none."
        ),
    ] = 1000,
    on_problem: Annotated[
        Literal["error", "skip"], typer.Option(help="What to do about files that cannot be used.")
    ] = "error",
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write logs for TensorBoard.")] = False,
) -> None:
    """Train a generator on images; the same command resumes a training that was stopped.

    The generator is written as `generator.safetensors`, with averaged weights, and as `best.safetensors` where its
    distance from the images was smallest.
    """
    from latentlab.generators import GeneratorRunOptions, ImageSetSettings, open_images
    from latentlab.generators import train_generator as train
    from latentlab.generators.starting import networks_from, start_of
    from latentlab.metrics.features import VGG16Features
    from latentlab.training import launch

    options.check_folder(out)
    if freeze and start is None:
        raise UserError("--freeze keeps layers that have learnt something: give --from")
    begun = None if start is None else start_of(start)
    if begun is not None:
        options.refuse_without_effect(ctx, {"resolution": "with --from", "grey": "with --from"})
    shape = _Shape.named(resolution) if begun is None else _Shape.of(begun.generator)
    channels = begun.generator.img_channels if begun is not None else 1 if grey else 3
    wanted = ImageSetSettings(shape.size, channels, fit, labels, on_problem)
    changes: dict[str, Any] = {"passes": passes, "pipeline": pipeline, "mirror": mirror, "freeze": freeze}
    changes |= {"precision": precision, "seed": seed, **({} if begun is None else {"growth": None})}
    given = {"batch_size": batch, "r1_gamma": gamma, "augment": _augment(augment)}
    changes |= {name: value for name, value in given.items() if value is not None}
    make = partial(_preset, preset, shape, images, channels, changes)
    settings = make(0).settings  # those that make no sense are reported before images are read
    if settings.augment == "none":
        options.refuse_without_effect(ctx, {"pipeline": "without augmentation"})
    if settings.objective == "wgan-gp":
        options.refuse_without_effect(ctx, {"gamma": f"with the preset {preset}, whose penalty is another one"})
    found = open_images(folder, wanted, out / "images")
    chosen = make(found.c_dim)
    networks = chosen.networks() if begun is None else networks_from(begun, chosen)
    fabric = launch(accelerator, devices, nodes)
    features = VGG16Features() if measure_every else None
    if fabric.global_rank == 0:
        _tell(found)
    run = train(
        networks,
        found,
        chosen.settings,
        out,
        fabric,
        features,
        GeneratorRunOptions(sample_every=sample_every, measure_every=measure_every, tensorboard=tensorboard),
    )
    if fabric.global_rank == 0:
        best = "" if run.best is None else f"; the best, at a distance of {run.distance:.3g}, is {run.best}"
        print(f"the generator is {run.generator}{best}")


@dataclass(frozen=True)
class _Shape:
    """Shape of the images, as networks have it."""

    resolution: int
    base_size: tuple[int, int]

    @classmethod
    def named(cls, text: str) -> _Shape:
        """Shape that --resolution names."""
        from stylegan2.config import SQUARE, shape_for

        size = options.parse_size(text)
        height, width = (size, size) if isinstance(size, int) else size
        if height == width:
            return cls(height, SQUARE)
        try:
            return cls(*shape_for(height, width))
        except ValueError as error:
            raise UserError(str(error)) from error

    @classmethod
    def of(cls, generator: AnyGenerator) -> _Shape:
        """Shape of a generator's images; those of networks that grow are square."""
        from stylegan2.config import SQUARE

        return cls(generator.resolution, getattr(generator.config, "base_size", SQUARE))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        from stylegan2.config import block_size

        return block_size(self.base_size, self.resolution)


def _preset(name: str, shape: _Shape, images: int, channels: int, changes: dict[str, Any], c_dim: int) -> Preset:
    from stylegan2.training.presets import PRESETS

    try:
        return PRESETS[name](shape.resolution, images, channels, c_dim, base_size=shape.base_size, **changes)
    except ValueError as error:
        raise UserError(str(error)) from error


def _augment(text: str | None) -> Augment | None:
    if text is None or text in ("none", "adaptive"):
        return text  # type: ignore[return-value]
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"--augment is none, adaptive or a probability from 0 to 1, not {text}") from error


def _tell(found: ImageSet) -> None:
    for reason in found.problems.values():
        print(f"left out: {single_line(reason)}")
    labels = f", labels of {found.c_dim} numbers" if found.c_dim else ""
    print(f"{len(found)} images{labels}, {len(found.problems)} files left out")
