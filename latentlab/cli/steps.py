"""Images of seeds, edits and walks: generate, edit, walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentlab.cli import moves, options, photos, videos
from latentlab.files import list_images
from latentlab.mirroring import published
from latentlab.progress import bar

if TYPE_CHECKING:
    from latentlab.directions import Direction
    from latentlab.pipelines import Components, HealthyRegion
    from latentlab.samples import EditTable

Force = Annotated[bool, typer.Option("--force", help="Apply the direction to a generator that it was not learnt on.")]


def generate(
    ctx: typer.Context,
    seeds: options.Seeds = "600-607",
    psi: options.Psi = 0.7,
    cutoff: options.Cutoff = None,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    resolution: options.Resolution = None,
    out: Annotated[Path, typer.Option(help="Folder for the images.")] = Path("latentlab-images"),
    device: options.Device = "auto",
    precision: options.ImagePrecision = options.PrecisionName.float32,
) -> None:
    """Write an image per seed, and a grid of the first hundred of them."""
    from latentlab.pipelines import Components, SeedSettings, generate_images
    from latentlab.pipelines.seeds import GRID

    options.check_folder(out)
    options.check_cutoff(ctx, psi)
    numbers, settings = (
        options.parse_seeds(seeds),
        SeedSettings(psi, resolution, class_label=class_label, precision=precision.value, cutoff=cutoff),
    )
    components = Components.load(network, device=device)
    written = generate_images(numbers, components, settings, out, bar)
    shown = "them all" if len(written) <= GRID else f"the first {GRID}"
    print(f"{_images(len(written))} in {out}, and grid.png of {shown}")


# Options of `edit` and `walk` that some of their modes do not use, and why.
_NOT_FOR_PHOTOS = ("seeds", "psi", "cutoff", "resolution", "healthy", "precision")
_FOR_PHOTOS = ("mask", "keep_detail", "keep_tone", "steps", "tune", "fast", "strict", "aligned", "landmarks", "face")
_NOT_FOR_VIDEOS = (
    *_NOT_FOR_PHOTOS, "latents", "photo", "strict", "landmarks", "batch", "fast", "save_latents",
    "workers", "ray", "gpus_per_worker",
)  # fmt: skip
_FOR_FIGURES = ("attribute", "scorer")
_FOR_ANIMATIONS = ("frames", "fps")


def edit(
    ctx: typer.Context,
    direction: moves.DirectionNames,
    seeds: options.Seeds = "600-603",
    strengths: options.Strengths = None,
    units: options.StrengthUnits = options.Units.w,
    layers: options.Layers = None,
    psi: options.Psi = 0.7,
    cutoff: options.Cutoff = None,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    scorer: options.EditScorer = None,
    resolution: options.Resolution = None,
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH|ADDRESS",
            help="Folder for the images and edits.parquet, or an address such as s3://BUCKET/EDITS.",
        ),
    ] = "latentlab-edits",
    device: options.Device = "auto",
    force: Force = False,
    batch: options.Batch = "auto",
    latents: Annotated[
        Path | None,
        typer.Option(
            help="File of latent codes instead of seeds: latents.pt from e4e or pSp, projected_w.npz, or the like. "
            "With --photo, one for each photo, rendered by the generator that was refined on it."
        ),
    ] = None,
    save_latents: options.SaveLatents = None,
    precision: options.ImagePrecision = options.PrecisionName.float32,
    photo: Annotated[
        list[Path] | None,
        typer.Option(help="Photo to edit instead of seeds, or folder of photos; may be given several times."),
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(
            help="With --target, --photo or --video: score to reach, or to report; by default the one that taught the "
            "direction."
        ),
    ] = None,
    target: options.ScoreTarget = None,
    cap: options.Cap = None,
    healthy: Annotated[
        float | None,
        typer.Option(
            help="With --target, on seeds or latents: faces stay where this share of the generator's own latents lies, "
            "such as 0.99."
        ),
    ] = None,
    mask: Annotated[
        photos.MaskName,
        typer.Option(
            help="With --photo: part that is pasted back: the whole crop (feather), or the face alone (hull).",
        ),
    ] = photos.MaskName.feather,
    keep_detail: Annotated[
        bool,
        typer.Option(
            "--keep-detail/--no-keep-detail",
            help="With --photo: the photo keeps its own pixels where the edit shows nothing else.",
        ),
    ] = True,
    keep_tone: Annotated[
        bool,
        typer.Option(
            "--keep-tone/--no-keep-tone", help="With --photo: a photo without colours, grey or of one tint, stays so."
        ),
    ] = True,
    steps: photos.Steps = None,
    tune: photos.Tune = True,
    fast: photos.Fast = False,
    strict: photos.Strict = False,
    aligned: photos.Aligned = False,
    landmarks: photos.Landmarks = None,
    face: photos.FaceName = "largest",
    video: Annotated[
        Path | None, typer.Option(help="Video to edit instead of seeds; needs the package imageio[ffmpeg].")
    ] = None,
    strength: moves.OneStrength = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="With --video: folder of the work, which is kept, so that another strength or direction starts from "
            "its latents; by default one beside --out, which is removed when the video is done."
        ),
    ] = None,
    workers: options.Workers = None,
    ray: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
) -> None:
    """Write each seed's image at each strength, and the scores of all as a table.

    With --direction and --strength several times: one image each, moved along all directions at once. With --target: at
    strength 0, and at the strength that brings its score to the target. With --latents: the images of latent codes from
    a file. With --photo: align, check, project, refine, edit and paste back; each photo gets a folder with everything,
    where the same command resumes after a stop. Without --strengths and --target, a photo whose --attribute is what the
    direction moves is brought to 0.1 and to 0.9 of it. With --video: follow the face, edit every frame by one
    --strength (by default the one that brings the middle frame to --target, or to 0.9), and write the MP4 file of --out
    with a report beside it.
    """
    from latentlab.pipelines import Components, SeedSettings, StrengthSettings, edit_latents, edit_seeds
    from latentlab.pipelines.photos import Pasting
    from latentlab.pipelines.photos.quick import has_editor
    from latentlab.pipelines.scoring import scored_by

    several = moves.check_directions(ctx, direction, strength, target, video)
    if video is not None:
        _check_video(ctx, bool(strength), target)
    else:
        options.refuse_without_effect(ctx, {"state": "without --video"})
        reason = "with --photo" if photo else "without --photo or --video"
        options.refuse_without_effect(ctx, dict.fromkeys(_NOT_FOR_PHOTOS if photo else _FOR_PHOTOS, reason))
        moves.check_sources(ctx, None if photo else latents, several or strengths is not None)
        options.check_cutoff(ctx, psi)
        _check_target(ctx, target, several or strengths is not None, bool(photo))
    search = StrengthSettings() if cap is None else StrengthSettings(cap)
    paths = list_images(photo or ())
    place = Path(out) if video is not None else photos.check_places(out, paths)
    if save_latents is not None:
        options.check_latents_file(save_latents, () if latents is None else [latents])
    given = moves.Given(direction, strengths, strength, units, layers)
    read = moves.read_edit(given, latents, save_latents is not None)
    numbers = options.parse_seeds(seeds)
    faces = photos.ChosenFaces(aligned, landmarks, photos.parse_face(face))
    size = options.parse_batch(batch)
    if video is not None:
        film = Path(out) if options.is_given(ctx, "out") else Path(out) / f"{video.stem}.mp4"
        film = videos.check_out(film, video, state)
    components = Components.load(network, scorer, faces.detector, device=device)
    wanted = read(components)
    if video is not None:
        pasting = Pasting(mask.value, keep_detail, keep_tone)
        how = videos.edit_settings(steps, tune, faces.face, attribute, target, cap, pasting, force, state)
        how = replace(how, class_label=class_label)
        one = None if wanted.strengths is None else wanted.strengths[0]
        videos.edit_video(video, wanted.one, one, components, how, film)
        return
    if paths:
        recipe = photos.Recipe(
            steps=steps,
            tune=tune,
            fast=fast,
            strict=strict,
            faces=faces,
            class_label=class_label,
            batch=4 if size == "auto" else size,
        )
        pasting = Pasting(mask.value, keep_detail, keep_tone)
        settings = photos.edit_settings(recipe, attribute, pasting, force, target, cap)
        settings = replace(settings, codes=wanted.codes)
        quick = fast and steps is None and not several and latents is None
        if quick and has_editor(wanted.one, wanted.strengths, components, settings):
            unused = ("mask", "keep_detail", "tune", "cap", "class_label", "save_latents")
            options.refuse_without_effect(ctx, dict.fromkeys(unused, f"with --fast and the editor of {direction[0]}"))
            with options.on_workers(workers, ray, gpus_per_worker):
                photos.edit_photos_quickly(paths, wanted.one, components, settings, place)
            return
        with options.on_workers(workers, ray, gpus_per_worker):
            photos.edit_photos(paths, wanted.direction, wanted.strengths, components, settings, place, save_latents)
        return
    if healthy is not None:
        search = replace(search, healthy=_healthy_region(healthy, wanted.one, components))
    components, score = scored_by(components, wanted.direction, attribute)
    chosen = SeedSettings(
        psi, resolution, size, force, class_label, score, target, search, save_latents, precision.value, cutoff
    )
    with published(place, lambda name: False) as folder, options.on_workers(workers, ray, gpus_per_worker):
        if wanted.codes is not None:
            table = edit_latents(wanted.codes, wanted.direction, wanted.strengths, components, chosen, folder, bar)
        else:
            table = edit_seeds(numbers, wanted.direction, wanted.strengths, components, chosen, folder, bar)
    if target is not None:
        bounds = "--cap" if healthy is None else "--cap or --healthy"
        _print_strengths(table, "seed" if wanted.codes is None else "latent", score, target, bounds)
    print(f"{_images(table.scores[..., 0].size)} in {out}, their scores in edits.parquet")
    if save_latents is not None:
        print(f"their latents are in {save_latents}, face by face at each strength")


def _healthy_region(share: float, direction: Direction, components: Components) -> HealthyRegion:
    """The region of the generator's latents in which a direction leaves a trace."""
    from latentlab.pipelines import HealthyRegion

    return HealthyRegion.measure(components.generator, "s" if direction.space == "s" else "w", share)


def _print_strengths(table: EditTable, noun: str, attribute: str, target: float, bounds: str) -> None:
    """Print how far each face was moved to a target, and how many got there."""
    from latentlab.pipelines.strengths import describe_strength

    assert table.reached is not None
    scores, faces = table.column(attribute).tolist(), len(table.seeds)
    for k, number in enumerate(table.seeds.tolist()):
        (before, after), strength = scores[k], float(table.own_strengths[k, 1])
        told = describe_strength(attribute, before, after, strength, bool(table.reached[k]))
        print(f"{noun} {number}: {told}")
    there = int(table.reached.sum())
    told = "all faces reach" if there == faces else f"{there} of {faces} faces reach"
    print(
        f"{told} {attribute} {target:g}" + ("" if there == faces else f"; a larger {bounds} lets the others go further")
    )


def walk(
    ctx: typer.Context,
    direction: moves.DirectionName,
    seeds: options.Seeds = "600-603",
    strengths: options.Strengths = None,
    units: options.StrengthUnits = options.Units.w,
    layers: options.Layers = None,
    attribute: Annotated[
        str | None,
        typer.Option(help="Score to show under each image of a figure; by default the one that taught the direction."),
    ] = None,
    psi: options.Psi = 0.7,
    cutoff: options.Cutoff = None,
    class_label: options.ClassLabel = None,
    network: options.Network = "mobile-ffhq",
    scorer: options.EditScorer = None,
    resolution: Annotated[
        int | None,
        typer.Option(min=1, help="Height and width of each face; by default 256, or the generator's own if less."),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames of an animation, there and back.")] = 60,
    fps: Annotated[
        float, typer.Option(help="Frames per second of an animation; GIF has 50, 25, 20, 10 exactly, and at most 50.")
    ] = 25,
    out: Annotated[
        Path,
        typer.Option(help="A figure (.png, .pdf, .svg) or an animation (.gif; .mp4 with the package imageio[ffmpeg])."),
    ] = Path("walk.png"),
    device: options.Device = "auto",
    force: Force = False,
    batch: options.Batch = "auto",
    latents: options.LatentsFile = None,
    precision: options.ImagePrecision = options.PrecisionName.float32,
) -> None:
    """Draw a walk along a direction: a row per face, a column per strength, the score under each image.

    Or animate it, to the other end of the strengths and back.
    """
    from latentlab.editing import strength_range
    from latentlab.pipelines import Components, SeedSettings, walk_latents, walk_seeds
    from latentlab.pipelines.scoring import scored_by
    from latentlab.pipelines.walks import check_walk_path, is_animation, sweep

    animated = is_animation(options.check_file(out, () if latents is None else [latents]))
    check_walk_path(out, fps)
    reason = "on an animation" if animated else "on a figure"
    options.refuse_without_effect(ctx, dict.fromkeys(_FOR_FIGURES if animated else _FOR_ANIMATIONS, reason))
    moves.check_sources(ctx, latents, strengths is not None)
    options.check_cutoff(ctx, psi)
    read = moves.read_edit(moves.Given([direction], strengths, None, units, layers), latents)
    size = options.parse_batch(batch)
    numbers = options.parse_seeds(seeds)
    settings = SeedSettings(psi, resolution, size, force, class_label, precision=precision.value, cutoff=cutoff)
    components = Components.load(network, scorer, device=device)
    wanted = read(components)
    series: Sequence[float] | None = wanted.strengths
    score = ""
    if animated:
        series = sweep(*(strength_range(wanted.one) if series is None else (min(series), max(series))), frames)
    else:
        components, score = scored_by(components, wanted.one, attribute)
        components.check_attribute(score)
    if wanted.codes is not None:
        made = walk_latents(wanted.codes, wanted.one, series, components, settings, not animated, bar)
    else:
        made = walk_seeds(numbers, wanted.one, series, components, settings, not animated, bar)
    made.save(out, score, fps)
    print(f"written to {out}")


def _check_target(ctx: typer.Context, target: float | None, given: bool, photo: bool) -> None:
    """Refuse what a target makes superfluous, or what has no effect without one.

    Photos have targets by default, where strengths are not given.
    """
    if target is not None:
        options.refuse_without_effect(ctx, {"strengths": "with --target, which finds them"})
    else:
        options.refuse_without_effect(ctx, {"healthy": "without --target"})
        if not photo or given:
            options.refuse_without_effect(ctx, {"cap": "without --target"})
        if not photo:
            options.refuse_without_effect(ctx, {"attribute": "without --target or --photo"})


def _check_video(ctx: typer.Context, given: bool, target: float | None) -> None:
    """Refuse what has no effect on a video; `given` says whether a strength is."""
    options.refuse_without_effect(ctx, {"strengths": "with --video, which is edited by one: give --strength"})
    options.refuse_without_effect(ctx, dict.fromkeys(_NOT_FOR_VIDEOS, "with --video"))
    if target is not None:
        options.refuse_without_effect(ctx, {"strength": "with --target, which finds it"})
    if given:
        unused = ("cap", "attribute", "scorer")
        options.refuse_without_effect(ctx, dict.fromkeys(unused, "on a video with --strength"))
    else:
        options.refuse_without_effect(ctx, {"units": "on a video without --strength"})


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
