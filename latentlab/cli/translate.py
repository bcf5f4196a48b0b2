"""`latentlab translate`: train a translator, apply it, pass it on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
import typer

from latentlab import images
from latentlab.cli import options, training_sets
from latentlab.cli.errors import one_line, told
from latentlab.errors import UserError
from latentlab.progress import silent

if TYPE_CHECKING:
    from latentlab.translation.data.sets import Opened
    from latentlab.translation.data.sources import Source
    from latentlab.translation.data.transforms import Augmentation
    from latentlab.translation.methods import MethodConfig
    from latentlab.translation.translator import Translator, Way

app = typer.Typer(help="Translate pictures: pix2pix, CycleGAN, InstaGAN.", add_completion=False)


class MethodName(str, Enum):
    """What can be trained."""

    pix2pix = "pix2pix"
    cyclegan = "cyclegan"
    instagan = "instagan"


class OrderName(str, Enum):
    """Which half of a pair becomes which."""

    AB = "AB"
    BA = "BA"


class OnProblemName(str, Enum):
    """What becomes of a file that cannot be used."""

    error = "error"
    skip = "skip"


class WayName(str, Enum):
    """Ways to translate."""

    a2b = "a2b"
    b2a = "b2a"


class PrecisionName(str, Enum):
    """Arithmetic of a training."""

    full = "32-true"
    mixed = "bf16-mixed"


def train(
    method: Annotated[MethodName, typer.Argument(help="What to train.")],
    folder: Annotated[Path, typer.Argument(help="pix2pix: pairs side by side, in train/; others: trainA/, trainB/.")],
    out: Annotated[Path, typer.Option(help="Folder of the state, the samples and the translator.")],
    size: Annotated[int, typer.Option(min=16, help="Side of the pictures; a power of two for pix2pix.")] = 256,
    width: Annotated[int, typer.Option(min=1, help="Feature maps at the thinnest (ngf, ndf).")] = 64,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 200,
    batch: Annotated[int, typer.Option(min=1, help="Samples a forward pass, of each process.")] = 1,
    accumulate: Annotated[int, typer.Option(min=1, help="Forward passes a step.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 2e-4,
    decay: Annotated[float, typer.Option(help="Share of the steps over which the learning rate falls to 0.")] = 0.5,
    ema: Annotated[float, typer.Option(help="Decay of the mean of the weights, such as 0.999; 0: none.")] = 0.0,
    objective: Annotated[
        str | None, typer.Option(help="vanilla, least-squares, wgan-gp or hinge; by default the paper's.")
    ] = None,
    ablation: Annotated[
        str, typer.Option(help="pix2pix: paper, l1, cgan, encoder-decoder, encoder-decoder-l1, pixel, patch-16, image.")
    ] = "paper",
    order: Annotated[OrderName, typer.Option(help="pix2pix: which half becomes which.")] = OrderName.AB,
    on_problem: Annotated[OnProblemName, typer.Option(help="Files that cannot be used.")] = OnProblemName.error,
    precision: Annotated[PrecisionName, typer.Option(help="Arithmetic.")] = PrecisionName.full,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps, or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on this machine, a device each.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read pictures.")] = 0,
    sample_every: Annotated[int, typer.Option(min=1, help="Steps between grids of samples.")] = 500,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write for TensorBoard, too.")] = False,
) -> None:
    """Train a translator on a folder of pictures; a run that was stopped goes on with the same command."""
    from latentlab.translation.data.transforms import Augmentation
    from latentlab.translation.training import TrainingSettings
    from latentlab.translation.training.loop import MODEL, launch
    from latentlab.translation.training.loop import train as train_translator

    options.check_folder(out)
    settings = TrainingSettings(
        epochs, decay, batch, accumulate, learning_rate, ema=ema, precision=precision.value, seed=seed
    )
    config = _config(method.value, size, width, ablation, objective)
    opened = _open(method, folder, "train", Augmentation.of(size), config, order, on_problem)
    held_out = _held_out(method, folder, size, config, order, on_problem)
    fabric = launch(accelerator, devices, nodes, settings.precision)
    first = fabric.global_rank == 0
    if first:
        for problem in opened.problems:
            print(f"left out: {one_line(str(problem))}")
        print(f"{len(opened.source)} samples, {len(opened.problems)} files left out")
    with (options.bar if first else silent)("training", "sample") as step:
        train_translator(
            config,
            opened.source,
            settings,
            out,
            shown=held_out,
            fabric=fabric,
            workers=workers,
            sample_every=sample_every,
            progress=step,
            tensorboard=tensorboard,
        )
    if first:
        print(f"the translator is {out / MODEL}, its samples are in {out / 'samples'}")


def apply(
    translator: Annotated[str, typer.Argument(help="A translator's file, a published .pth, or vintagify.")],
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE…", help="Pictures, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder of the translations.")] = Path("latentlab-translated"),
    way: Annotated[WayName, typer.Option(help="From A to B, or back.")] = WayName.a2b,
    size: Annotated[int | None, typer.Option(min=4, help="Scale the shorter side to so many pixels first.")] = None,
    masks: Annotated[Path | None, typer.Option(help="InstaGAN: folder of the masks, NAME_0.png and so on.")] = None,
    dropout: Annotated[bool, typer.Option(help="Keep the dropout of the training, pix2pix's noise.")] = True,
    seed: Annotated[int, typer.Option(help="Of that noise.")] = 0,
    device: options.Device = "auto",
) -> None:
    """Translate pictures of any size: NAME.png each. One that fails is named at the end, and makes the exit code 2."""
    from latentlab.translation.translator import Translator

    options.check_folder(out)
    paths = _files(pictures)
    options.check_stems(paths)
    place = options.find_device(device)
    loaded = Translator.load(translator, place)
    failures = []
    with options.bar("translating") as step:
        for done, path in enumerate(paths):
            try:
                _translate(loaded, path, out, way.value, size, masks, dropout, seed, place)
            except UserError as error:
                failures.append(f"{path}: {str(error).removeprefix(f'{path}: ')}")
            step(done + 1, len(paths))
    print(f"translations written to {out}: {len(paths) - len(failures)} of {len(paths)}")
    for failure in failures:
        print(f"latentlab: {one_line(failure)}", file=sys.stderr)
    if failures:
        raise typer.Exit(2)


def export(
    translator: Annotated[str, typer.Argument(help="A translator's file, a published .pth, or vintagify.")],
    out: Annotated[Path, typer.Argument(help="NAME.pth: as the published code reads it; NAME.safetensors: ours.")],
    way: Annotated[WayName, typer.Option(help="Which of the networks, for a .pth.")] = WayName.a2b,
) -> None:
    """Write a translator in another format."""
    from latentlab.translation import published
    from latentlab.translation.translator import Translator

    loaded = Translator.load(translator)
    if out.suffix == ".pth":
        published.save(loaded.network(way.value), out)
    elif out.suffix == ".safetensors":
        loaded.save(out)
    else:
        raise UserError(f"a translator is written as .pth or .safetensors, not {out.name}")
    print(f"written: {out}")


for command in (train, apply, export):
    app.command(command.__name__)(told(command))
app.add_typer(training_sets.app, name="make")


def _config(method: str, size: int, width: int, ablation: str, objective: str | None) -> MethodConfig:
    from latentlab.translation.methods import ABLATIONS, Pix2PixConfig, paper_config

    config = paper_config(method, size, width)
    if isinstance(config, Pix2PixConfig):
        if ablation not in ABLATIONS:
            raise UserError(f"an ablation is one of {', '.join(ABLATIONS)}, not {ablation!r}")
        config = ABLATIONS[ablation].resized(size, width)
    elif ablation != "paper":
        raise UserError(f"ablations are pix2pix's; {method} has none")
    return config if objective is None else replace(config, objective=objective)


def _open(
    method: MethodName,
    folder: Path,
    part: str,
    augmentation: Augmentation,
    config: MethodConfig,
    order: OrderName,
    on_problem: OnProblemName,
) -> Opened:
    from latentlab.translation.data.sets import open_pairs, open_unpaired
    from latentlab.translation.methods import InstaGANConfig

    if method is MethodName.pix2pix:
        return open_pairs(folder, part, augmentation, order.value, on_problem.value)
    instances = config.instances if isinstance(config, InstaGANConfig) else 0
    return open_unpaired(folder, part, augmentation, instances, on_problem.value)


def _held_out(
    method: MethodName, folder: Path, size: int, config: MethodConfig, order: OrderName, on_problem: OnProblemName
) -> Source | None:
    """Held-out samples for the grids: the folder's test or val part; None without."""
    from latentlab.translation.data.transforms import Augmentation

    for part in ("test", "val"):
        name = part if method is MethodName.pix2pix else f"{part}A"
        if (folder / name).is_dir():
            return _open(method, folder, part, Augmentation(size, size, flip=False), config, order, on_problem).source
    return None


def _files(pictures: Sequence[Path]) -> list[Path]:
    from latentlab.translation.data.folders import pictures_in

    return [path for given in pictures for path in (pictures_in(given) if given.is_dir() else [given])]


def _translate(
    translator: Translator,
    path: Path,
    out: Path,
    way: Way,
    size: int | None,
    masks: Path | None,
    dropout: bool,
    seed: int,
    device: torch.device,
) -> None:
    from latentlab.translation.data.folders import masks_of

    picture = images.load_image(path)
    found = None if masks is None else masks_of(path, masks)
    if size is not None:
        picture, found = _scaled(picture, found, size)
    made, made_masks = translator(
        picture.to(device), way, None if found is None else found.to(device), dropout=dropout, seed=seed
    )
    if made_masks is not None:
        for k, mask in enumerate(made_masks[0].cpu()):
            images.save_image(mask.expand(3, -1, -1), out / "masks" / f"{path.stem}_{k}.png")
    images.save_image(made.cpu(), out / f"{path.stem}.png")


def _scaled(picture: torch.Tensor, masks: torch.Tensor | None, size: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Picture and masks with `size` pixels at the shorter side."""
    height, width = picture.shape[2:]
    scale = size / min(height, width)
    sides = (round(height * scale), round(width * scale))
    return images.resize(picture, *sides), None if masks is None else images.resize_masks(masks, *sides)
