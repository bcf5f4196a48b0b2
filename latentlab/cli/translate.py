"""`latentlab translate`: train a translator, apply it, export it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latentlab import registry
from latentlab.archives import is_archive, named_as_given, unpack, unpacked_for_a_while
from latentlab.cli import options, training_sets
from latentlab.cli.endings import single_line
from latentlab.cli.errors import end_with, noted
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.files import SUFFIXES, NestedImages, named_images
from latentlab.progress import bar, titled

if TYPE_CHECKING:
    from latentlab.translation.applying import AppliedSize
    from latentlab.translation.data.mask_files import MaskFolder
    from latentlab.translation.data.transforms import Fit
    from latentlab.translation.translator import Translator

app = typer.Typer(
    rich_markup_mode=None, help="Translate images: pix2pix, CycleGAN, InstaGAN, CUT.", no_args_is_help=True
)
app.add_typer(training_sets.app, name="make")

Recursive = Annotated[bool, typer.Option("--recursive", help="Also take the images in subfolders.")]
Source = Annotated[
    str, typer.Argument(help="File of a translator, a published .pth, or a name that `latentlab translate list` shows.")
]


def _method_names() -> list[str]:
    return list(registry.translators.names())


@app.command("list")
def list_translators() -> None:
    """List the translators that have a name: those that come with the package, and published weights."""
    from latentlab import weights
    from latentlab.translation import load_translator
    from latentlab.translation.describing import summary_of
    from latentlab.translation.shipped import shipped_translators

    for name in shipped_translators():
        print(f"{name:<22} {summary_of(load_translator(name))}")
    for entry in weights.known():
        if entry.kind == "translator":
            print(f"{entry.name:<22} {entry.note}; {entry.licence}")


@app.command()
def show(translator: Source) -> None:
    """Show the card of a translator: its networks, and what it learnt from."""
    from latentlab.translation import load_translator
    from latentlab.translation.describing import card_of

    print(card_of(load_translator(translator)), end="")


@app.command()
def train(
    ctx: typer.Context,
    method: Annotated[
        str,
        typer.Argument(
            help="Translation method: pix2pix, cyclegan, instagan, cut, or one from another package.",
            autocompletion=_method_names,
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="Folder with trainA/ and trainB/, or pairs side by side in train/.")],
    out: Annotated[Path, typer.Option(help="Folder for the training state, the samples and the translator.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER_B]", help="Folder of B, where FOLDER itself holds A.")
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="Size of the images: 256, or width and height such as 960x540.")
    ] = "256",
    keep_aspect: Annotated[
        bool, typer.Option("--keep-aspect", help="Resize images to cover the size, and crop, instead of stretching.")
    ] = False,
    resize: Annotated[
        bool, typer.Option("--resize/--no-resize", help="Resize images; or only crop them, at their own scale.")
    ] = True,
    flip: Annotated[bool, typer.Option("--flip/--no-flip", help="Mirror images with even odds.")] = True,
    base_channels: Annotated[int, typer.Option(min=1, help="Base channel count (ngf, ndf).")] = 64,
    input_channels: Annotated[int, typer.Option(help="Channels of A: 1 grey, 3 colour, 4 with alpha.")] = 3,
    output_channels: Annotated[int, typer.Option(help="Channels of B.")] = 3,
    epochs: Annotated[float, typer.Option(help="Passes through the data.")] = 200,
    batch: Annotated[int, typer.Option(min=1, help="Samples per forward pass, in each process.")] = 1,
    accumulate: Annotated[int, typer.Option(min=1, help="Forward passes per step.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 2e-4,
    decay: Annotated[float, typer.Option(help="Share of the steps over which the learning rate falls to 0.")] = 0.5,
    ema: Annotated[float, typer.Option(help="Decay of the moving average of the weights, such as 0.999; 0: none.")] = 0,
    discriminator_rate: Annotated[
        float, typer.Option(help="Learning rate of the discriminators in units of that of the generators (TTUR).")
    ] = 1,
    upsampling: Annotated[
        Literal["transposed", "resize"],
        typer.Option(help="How generators double the resolution; resize leaves no checkerboards."),
    ] = "transposed",
    perceptual: Annotated[float, typer.Option(min=0, help="Weight of LPIPS beside L1; 0: none.")] = 0,
    backbone: Annotated[Literal["alex", "vgg"], typer.Option(help="Network of LPIPS.")] = "alex",
    scales: Annotated[
        int, typer.Option(min=1, max=4, help="Discriminators, each at half the resolution of the one before.")
    ] = 1,
    spectral_norm: Annotated[
        bool, typer.Option("--spectral-norm", help="Spectral norm in the discriminators, in place of their own norm.")
    ] = False,
    diff_augment: Annotated[
        bool, typer.Option("--diff-augment", help="Show discriminators augmented images, for small sets.")
    ] = False,
    objective: Annotated[
        str | None, typer.Option(help="vanilla, least-squares, wgan-gp or hinge; by default the paper's.")
    ] = None,
    variant: Annotated[
        str,
        typer.Option(help="Variant of the method: pix2pix has l1, cgan, encoder-decoder, pixel, …; cut has fast."),
    ] = "paper",
    order: Annotated[Literal["AB", "BA"], typer.Option(help="Pairs: which half is translated into which.")] = "AB",
    unequal: Annotated[
        Literal["error", "resize"], typer.Option(help="What to do about pairs in two folders that differ in size.")
    ] = "error",
    on_problem: Annotated[
        Literal["error", "skip"], typer.Option(help="What to do about files that cannot be used.")
    ] = "error",
    recursive: Recursive = False,
    precision: Annotated[Literal["32-true", "bf16-mixed"], typer.Option(help="Numerical precision.")] = "32-true",
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps, or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on this machine, one device each.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Number of machines.")] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images.")] = 0,
    sample_every: Annotated[int, typer.Option(min=1, help="Steps between grids of samples.")] = 500,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write logs for TensorBoard.")] = False,
) -> None:
    """Train a translator on a folder of images; the same command resumes a training that was stopped."""
    from latentlab import translation
    from latentlab.translation import Augmentation, Reading, RunOptions, Techniques, TrainingSettings
    from latentlab.translation.training import MODEL

    options.check_folder(out)
    settings = TrainingSettings(
        epochs,
        decay,
        batch,
        accumulate,
        learning_rate,
        discriminator_rate=discriminator_rate,
        ema=ema,
        precision=precision,
        seed=seed,
    )
    found = translation.load_method(method)
    if not found.paired:
        unlike = f"with {method}, which does not learn from pairs"
        options.refuse_without_effect(ctx, {"order": unlike, "unequal": unlike})
    if not perceptual:
        options.refuse_without_effect(ctx, {"backbone": "without --perceptual"})
    if not resize:
        options.refuse_without_effect(ctx, {"keep_aspect": "with --no-resize, which keeps the shape of all"})
    resolution, fit = options.parse_size(size, 16), _fit(keep_aspect, resize)
    config = found.configure(resolution, base_channels, variant, objective)
    config = config.for_channels(input_channels, output_channels)
    config = config.with_techniques(Techniques(upsampling, perceptual, backbone, scales, spectral_norm, diff_augment))
    sides = {"a": folder, "b": other}  # apart, since both archives may have one name
    masked = config.masks_per_image > 0
    places = [_unpacked(place, out / "unpacked" / side, masked) for side, place in sides.items() if place is not None]
    folders = places[0] if other is None else (places[0], places[1])
    reading = Reading(order, on_problem, unequal, recursive)
    augmentation = Augmentation.for_resolution(resolution, fit, flip)
    with _recursive_named():
        opened = found.open_folder(folders, "train", config, augmentation, reading)
        part, plain = found.held_out_part(folders), Augmentation.none(resolution, fit)
        as_learnt = replace(reading, pixels=opened.pixels)
        held_out = None if part is None else found.open_folder(folders, part, config, plain, as_learnt).source
    fabric = translation.launch(accelerator, devices, nodes, settings.precision)
    first = fabric.global_rank == 0
    if first:
        for problem in opened.problems:
            print(f"left out: {single_line(str(problem))}")
        print(f"{len(opened.source)} samples, {len(opened.problems)} files left out")
        for side, option, pixels in zip("AB", ("--input-channels", "--output-channels"), opened.pixels, strict=True):
            if pixels.deep and pixels.channels > 1:
                print(
                    f"{side} is grey of 16 bits, {pixels.low} to {pixels.high}, read as {pixels.channels} channels: "
                    f"translations to it are written with 8 bits; {option} 1 keeps 16"
                )
    run = RunOptions(workers, sample_every=sample_every, tensorboard=tensorboard)
    translation.train(config, opened.source, settings, out, held_out, fabric, run)
    if first:
        print(f"the translator is {out / MODEL}, its samples are in {out / 'samples'}")


def _fit(keep_aspect: bool, resize: bool) -> Fit:
    if not resize:
        return "crop"
    return "cover" if keep_aspect else "stretch"


def _unpacked(path: Path, folder: Path, masked: bool) -> Path:
    """A zip archive becomes the folder that it is unpacked into.

    If the images are `masked`, so does the archive NAME_seg.zip beside it, and of the folders NAME and NAME_seg in one
    archive the first is taken.
    """
    if not is_archive(path):
        return path
    place = unpack(path, folder / path.stem)
    if masked:
        inner = sorted(one for one in place.iterdir() if one.is_dir())
        if len(inner) == 2 and inner[1].name == f"{inner[0].name}_seg":
            place = inner[0]
        beside = path.with_name(f"{path.stem}_seg.zip")
        if beside.is_file():
            unpack(beside, place.with_name(f"{place.name}_seg"), SUFFIXES | {".json"})
    return place


@contextmanager
def _recursive_named() -> Iterator[None]:
    """Say which option takes images in subfolders, where there are no others."""
    try:
        yield
    except NestedImages as error:
        raise UserError(f"{error}; --recursive takes these") from error


@app.command()
def apply(
    ctx: typer.Context,
    translator: Source,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Images and videos, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the translations.")] = Path("latentlab-translated"),
    way: Annotated[Literal["a2b", "b2a"], typer.Option(help="From A to B, or back.")] = "a2b",
    size: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="Size at which images are translated: training, as the translator was trained, and then back to their "
            "own; own; the length of the shorter side; or width and height such as 960x540.",
        ),
    ] = "training",
    masks: Annotated[
        Path | None,
        typer.Option(
            help="InstaGAN: folder or zip archive of the masks, or a JSON file of COCO; by default, what lies beside "
            "the images."
        ),
    ] = None,
    dropout: Annotated[bool, typer.Option(help="Keep the dropout of training, the noise of pix2pix.")] = True,
    seed: Annotated[int, typer.Option(help="Random seed of the dropout.")] = 0,
    strength: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ATTRIBUTE=]NUMBER",
            help="Editors: from -1 to 1, or up to 1.5, beyond what was learnt; repeated for several attributes; by "
            "default 1 for the first attribute.",
        ),
    ] = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="Editors: the images are faces as `latentlab align` cuts them out.")
    ] = False,
    recursive: Recursive = False,
    device: options.Device = "auto",
) -> None:
    """Translate images of any size: NAME.png for each, NAME.mp4 for a video.

    An editor, as `latentlab distil` makes it, edits all faces of a photo. Failures are listed at the end, with exit
    code 2.
    """
    from latentlab.faces import load_detector
    from latentlab.pipelines.distilling import FaceEditor, is_face_editor
    from latentlab.translation import Application, load_translator
    from latentlab.video import VIDEO_SUFFIXES, check_video, is_video, translate_frames

    if not dropout:
        options.refuse_without_effect(ctx, {"seed": "without dropout, which is all that is random"})
    applied: AppliedSize = "own" if size == "own" else "training" if size == "training" else options.parse_size(size, 4)
    options.check_folder(out)
    sources = images if masks is None else [*images, masks]
    with unpacked_for_a_while(sources, out, SUFFIXES | VIDEO_SUFFIXES | {".json"}) as given:
        with _recursive_named():
            paths = named_images(given[: len(images)], recursive, SUFFIXES | VIDEO_SUFFIXES)
        options.check_folder(out, paths.values())
        videos = {name: paths.pop(name) for name in list(paths) if is_video(paths[name])}
        if videos:
            check_video("frames.mp4")
        if videos and masks is not None:
            raise UserError(f"{next(iter(videos.values()))} is a video, whose frames have no masks; translate it alone")
        place = find_device(device)
        loaded = load_translator(translator, place)
        _refuse_without_effect(ctx, loaded)
        strengths = options.parse_named_strengths(strength, loaded.network(way).attributes)
        paths, folder = _masks_for(
            loaded.network(way).takes_masks, None if masks is None else given[-1], paths, recursive
        )
        task: Application | FaceEditor
        if is_face_editor(loaded):
            task = FaceEditor(loaded, None if aligned else load_detector(), strengths)
            translate_file = task.translate_file
        else:
            task = Application(loaded, way, applied, dropout, seed, strengths)
            translate_file = partial(task.translate_file, masks=folder)
        shots = [(name, path, task.for_frames()) for name, path in videos.items()]
        failures: list[str] = []
        if paths:
            with bar("translating") as step:
                for done, (name, path) in enumerate(paths.items()):
                    with noted(path, failures):
                        translate_file(path, name, out)
                    step(done + 1, len(paths))
        for name, path, translate_frame in shots:
            with noted(path, failures):
                translate_frames(path, out / f"{name}.mp4", translate_frame, titled(True, f"translating {name}"))
    failures = [named_as_given(failure, given, sources) for failure in failures]
    whole = len(paths) + len(videos)
    print(f"translations written to {out}: {whole - len(failures)} of {whole}", flush=True)
    end_with(failures)


def _masks_for(
    takes_masks: bool, masks: Path | None, paths: Mapping[str, Path], recursive: bool
) -> tuple[dict[str, Path], MaskFolder | None]:
    """Return the images that are no masks, and their masks: in the place given with --masks, or else beside them."""
    from latentlab.translation.data.mask_files import MaskFolder

    if masks is None and (not takes_masks or not paths):
        return dict(paths), None
    found = MaskFolder.for_files(masks, paths, recursive)
    if masks is None and not found.own:
        raise UserError(
            "this translator needs masks of the instances: give their folder with --masks, or put them beside the "
            f"images as NAME_mask.png or NAME.json of labelme{found.unread_told}"
        )
    return found.without_masks(paths), found


def _refuse_without_effect(ctx: typer.Context, translator: Translator) -> None:
    """Refuse the options of `apply` that a translator has no use for."""
    from latentlab.pipelines.distilling import is_face_editor

    if is_face_editor(translator):
        unused = dict.fromkeys(("way", "size", "masks", "dropout", "seed"), "with an editor of faces")
    else:
        unused = {"aligned": "with this translator, which does not look for faces"}
        if not any(network.attributes for network in translator.networks.values()):
            unused["strength"] = "with this translator, which takes no strengths"
    options.refuse_without_effect(ctx, unused)


@app.command()
def export(
    ctx: typer.Context,
    translator: Source,
    out: Annotated[Path, typer.Argument(help="NAME.pth for the published code, or NAME.safetensors.")],
    way: Annotated[Literal["a2b", "b2a"], typer.Option(help="Which of the networks to write, for a .pth.")] = "a2b",
    half: Annotated[
        bool, typer.Option("--half", help="Weights in half precision, for a .safetensors of half the size.")
    ] = False,
) -> None:
    """Write a translator in another format."""
    from latentlab.translation import load_translator, published

    options.check_file(out, [Path(translator)])
    if out.suffix not in (".pth", ".safetensors"):
        raise UserError(f"a translator is written as .pth or .safetensors, not {out.name}")
    if out.suffix == ".safetensors":
        options.refuse_without_effect(ctx, {"way": "for .safetensors, which holds all of its networks"})
    else:
        options.refuse_without_effect(ctx, {"half": "for .pth, which is written as the published code writes it"})
    loaded = load_translator(translator)
    if out.suffix == ".pth":
        published.save(loaded.network(way), out)
    else:
        loaded.save(out, half)
    print(f"written: {out}")
