"""`latentlab directions`: the library of directions, published ones, and what directions do to faces."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latentlab.cli import options
from latentlab.errors import UserError
from latentlab.mirroring import published, shown
from latentlab.progress import bar

if TYPE_CHECKING:
    from latentlab.directions import Direction
    from latentlab.pipelines.measuring import MeasuredAttribute
    from latentlab.samples import SampleTable

app = typer.Typer(
    rich_markup_mode=None,
    help="Directions: those that come with the package, published ones, and what they do to faces.",
    no_args_is_help=True,
)

Name = Annotated[
    str,
    typer.Argument(help="A name that `latentlab directions list` shows, or a file of a direction."),
]
Names = Annotated[
    list[str],
    typer.Argument(help="Names that `latentlab directions list` shows, or files of directions."),
]


class FormName(str, Enum):
    """Form of an exported direction."""

    vector = "vector"
    row = "row"
    rows = "rows"


class RowSpace(str, Enum):
    """What the single row of a published direction moves."""

    w = "w"
    z = "z"


class TowardsName(str, Enum):
    """Which way an attribute is edited."""

    positive = "positive"
    negative = "negative"


@app.command("list")
def list_directions() -> None:
    """List the directions that come with the package, and what edits along them cost."""
    from latentlab.directions import load_direction, shipped_directions
    from latentlab.pipelines.library import library_lines

    print("\n".join(library_lines({name: load_direction(name) for name in shipped_directions()})))


@app.command()
def show(
    ctx: typer.Context,
    direction: Name,
    channels: Annotated[
        bool, typer.Option("--channels", help="Also show the layers and style channels that carry it.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(help="Also draw faces from one end of its range to the other: .png, .pdf or .svg."),
    ] = None,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
) -> None:
    """Show the card of a direction, and what was measured of it."""
    from latentlab.directions import load_direction
    from latentlab.pipelines.measuring.measured_cards import measured_table, without_measured
    from latentlab.plots import check_format

    if picture is None:
        options.refuse_without_effect(ctx, {"device": "without --picture"})
    else:
        check_format(options.check_file(picture, [Path(direction)]))
    found = load_direction(direction)
    print(without_measured(found).card())
    measured = measured_table(found)
    print(measured or "not measured; `latentlab directions measure` does that")
    if channels:
        from latentlab.pipelines import Components

        print(f"\n{found.explain(Components.load(network, device='cpu').generator)}")
    if picture is not None:
        from latentlab.pipelines.library import direction_walk

        walk, score = direction_walk(found, network, device, bar)
        walk.save(picture, score)
        print(f"\nwritten to {picture}")


@app.command()
def compare(
    directions: Names,
    network: options.Network = "mobile-ffhq",
) -> None:
    """Compare directions: the angles between them, and what differs in their cards.

    The cosine of two directions is taken in standardised styles, where all spaces meet.
    """
    from latentlab.pipelines import Components
    from latentlab.pipelines.measuring.cosines import card_differences, cosine_table

    named = _load(directions)
    if len(named) < 2:
        raise UserError("a comparison takes two directions or more")
    generator = Components.load(network, device="cpu").generator
    for one in named.values():
        one.check(generator, force=True)
    print(cosine_table(named, generator))
    print(f"\n{card_differences(named)}")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="Published direction: .npy, .npz, .pt or .safetensors, one row or one per layer.")
    ],
    out: Annotated[Path, typer.Option(help="File of the direction with its card (.safetensors).")],
    attribute: Annotated[str | None, typer.Option(help="Attribute for the card; by default the file's name.")] = None,
    scorer: Annotated[
        str,
        typer.Option(help="Scorer that finds the sign: fer, attributes:NAME, FILE.safetensors:NAME, or another."),
    ] = "attributes:smiling",
    score: Annotated[
        str | None,
        typer.Option(help="Score of a scorer that has several; by default the one named like the attribute."),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Reverse it before writing it.")] = False,
    space: Annotated[
        RowSpace | None,
        typer.Option(help="What a single row moves; by default w, or z where the generator has no W."),
    ] = None,
    network: options.Network = "mobile-ffhq",
    device: options.Device = "auto",
) -> None:
    """Give a published direction a card, and say with which sign of the strength its attribute grows."""
    from latentlab.pipelines import Components
    from latentlab.pipelines.importing import import_direction

    if out.suffix != ".safetensors":
        raise UserError(f"a direction with a card is written as .safetensors, not {out.name}")
    options.check_file(out, [file])
    components = Components.load(network, scorer, device=device)
    moved: Literal["w", "z"] | None = None if space is None else "z" if space is RowSpace.z else "w"
    found = import_direction(file, attribute or file.stem, components, score, reverse, moved)
    found.direction.save(out)
    print(found.direction.card())
    print(found.notice)
    if found.notice.sign < 0:
        print("give negative strengths, or import it with --reverse")
    print(f"written to {out}")


@app.command()
def export(
    direction: Name,
    out: Annotated[Path, typer.Argument(help="File to write: .npy, .npz, .pt or .safetensors.")],
    form: Annotated[
        FormName | None,
        typer.Option(
            help="vector: (w_dim,); row: (1, w_dim); rows: a row for each layer. By default row, or rows where layers "
            "move differently. A direction of styles has an array for each layer."
        ),
    ] = None,
    network: options.Network = "mobile-ffhq",
) -> None:
    """Write a direction without its card, in a form that other projects read."""
    from latentlab.directions import load_direction
    from latentlab.directions.exporting import export_direction
    from latentlab.directions.styles import style_widths
    from latentlab.pipelines import Components

    options.check_file(out, [Path(direction)])
    found = load_direction(direction)
    num_ws, widths = None, None
    if found.space == "s" or form is FormName.rows or found.layers is not None:
        generator = Components.load(network, device="cpu").generator
        num_ws = generator.num_ws
        widths = style_widths(generator) if found.space == "s" else None
    export_direction(found, out, None if form is None else form.value, num_ws, widths)
    print(f"written to {out}")


@app.command()
def name(
    directions: Names,
    samples: Annotated[
        Path, typer.Option(help="Folder of samples that `latentlab label` scored, from seeds that taught no direction.")
    ],
    attribute: Annotated[
        list[str] | None, typer.Option(help="Score to name them after, repeated for several; by default all.")
    ] = None,
    network: options.Network = "mobile-ffhq",
) -> None:
    """Name directions, such as GANSpace's components, by the attributes that go with them in samples."""
    from latentlab.pipelines import Components, name_directions
    from latentlab.pipelines.naming import naming_lines

    components = Components.load(network, device="cpu")
    print("\n".join(naming_lines(name_directions(samples, _load(directions), components, attribute))))


@app.command()
def stability(
    ctx: typer.Context,
    samples: Annotated[Path, typer.Argument(help="Folder of samples that `latentlab label` wrote.")],
    attribute: options.Attribute = "happy",
    method: Annotated[str, typer.Option(help="Method whose direction is examined, as for `latentlab fit`.")] = "svm",
    against: Annotated[
        str | None, typer.Option(help="Another method, to see which of the two separates better on the same faces.")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(help="Score above which a face is positive; by default that of `latentlab label`.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=2, help="How many times the samples are resampled.")] = 50,
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    device: options.Device = "auto",
) -> None:
    """Show how far a direction depends on its samples: resampled, with fewer of them, and beside another method."""
    from latentlab.directions import Needs
    from latentlab.pipelines import Components, measure_stability
    from latentlab.samples import SampleStore

    has_w = SampleStore.load(samples).has_w
    needs = [Needs.of(one, has_w) for one in (method, against) if one]
    reason = "with these methods"
    unused = {
        "network": not any(one.renderer for one in needs),
        "device": not any(one.renderer for one in needs),
        "scorer": not any(one.scorer for one in needs),
    }
    options.refuse_without_effect(ctx, {option: reason for option, without in unused.items() if without})
    components = Components.load(network, scorer, device=device)
    found = measure_stability(samples, attribute, method, components, against, threshold, resamples, bar)
    print("\n".join(found.lines()))


@app.command()
def measure(
    ctx: typer.Context,
    directions: Names,
    attribute: Annotated[
        str | None,
        typer.Option(help="Attribute that all of them are measured for; by default the one on each card."),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Score that may have taught them; by default fer:happy for a smile, else attributes:NAME."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Score that judges, from another network; by default attributes:smiling for a smile, else "
            "attributes-judge:NAME."
        ),
    ] = None,
    towards: Annotated[
        TowardsName, typer.Option(help="positive: faces without the attribute get it; negative: the reverse.")
    ] = TowardsName.positive,
    related: Annotated[
        str | None,
        typer.Option(
            help="Attributes, separated by commas, that do not count as leakage; by default the package's list."
        ),
    ] = None,
    faces: Annotated[int, typer.Option(min=2, help="Faces that are edited.")] = 40,
    success: Annotated[float, typer.Option(help="Share of them that every direction has to change.")] = 0.9,
    cap: Annotated[
        float, typer.Option(help="Largest strength per face, as a multiple of the one strength for all.")
    ] = 1.5,
    exchange: Annotated[bool, typer.Option(help="Measure once more with teacher and judge exchanged.")] = True,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Folder of samples from fresh seeds that `latentlab label` scored with both scorers, and maybe others."
        ),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=2, help="Without --samples: samples to draw.")] = 600,
    seed_start: Annotated[
        int, typer.Option(help="Without --samples: first of the seeds, none of which taught.")
    ] = 50_000,
    psi: options.Psi = 0.7,
    resolution: options.Resolution = None,
    network: options.Network = "mobile-ffhq",
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH|ADDRESS",
            help="Folder for the report, where a stopped run resumes, or an address such as s3://BUCKET/MEASURED.",
        ),
    ] = "latentlab-measured",
    device: options.Device = "auto",
    batch: options.Batch = "auto",
    workers: options.Workers = None,
    ray: options.RayAddress = None,
    gpus_per_worker: options.GpusPerWorker = None,
) -> None:
    """Measure what directions change when all of them succeed equally often, according to a judge that taught nothing.

    Writes report.html, report.md, results.json and the figures; for several attributes, in a folder each.
    """
    from latentlab.pipelines import Components
    from latentlab.pipelines.measuring import MeasureSettings, measure_directions
    from latentlab.pipelines.measuring.report import summary_lines
    from latentlab.pipelines.measuring.settings import MeasuredAttribute

    place = options.check_place(out)
    if samples is not None:
        options.refuse_without_effect(ctx, dict.fromkeys(("count", "seed_start", "psi"), "with --samples"))
    settings = MeasureSettings(
        faces, success, cap, count if samples is None else max(count, faces), seed_start, psi, resolution, exchange,
        batch_size=options.parse_batch(batch),
    )  # fmt: skip
    listed = None if related is None else tuple(name.strip() for name in related.split(",") if name.strip())
    groups = _by_attribute(_load(directions), attribute)
    if len(groups) > 1 and (teacher or judge):
        raise UserError(f"--teacher and --judge are for one attribute, and the directions are for {', '.join(groups)}")
    wanted = {name: MeasuredAttribute.named(name, teacher, judge, listed, towards.value) for name in groups}
    table = None if samples is None else _samples(samples)
    with published(place) as whole, options.on_workers(workers, ray, gpus_per_worker):
        for name, group in groups.items():
            components = Components.load(network, _scorers(wanted[name], table), device=device)
            folder = whole if len(groups) == 1 else whole / name
            found = measure_directions(
                group, wanted[name], components, folder, settings, table, bar, options.this_command()
            )
            print("\n".join(summary_lines(found)))
            print(f"The report is {shown(folder / 'report.html')}")


def _load(given: list[str]) -> dict[str, Direction]:
    """Directions by the names that tell them apart: a file's stem, or its path where stems repeat."""
    from latentlab.directions import load_direction

    if again := [name for name, times in Counter(given).items() if times > 1]:
        raise UserError(f"{again[0]} is given twice")
    stems = Counter(Path(name).stem for name in given)
    return {name if stems[Path(name).stem] > 1 else Path(name).stem: load_direction(name) for name in given}


def _by_attribute(named: dict[str, Direction], attribute: str | None) -> dict[str, dict[str, Direction]]:
    from latentlab.pipelines.measuring.settings import same_attribute

    groups: dict[str, dict[str, Direction]] = {}
    for name, direction in named.items():
        groups.setdefault(same_attribute(attribute or direction.attribute), {})[name] = direction
    return groups


def _scorers(attribute: MeasuredAttribute, table: SampleTable | None) -> str:
    """The scorers of an attribute or, where samples were labelled by these and others, all that labelled them."""
    if table is None:
        return attribute.scorers
    labelled = dict.fromkeys(name.rpartition(":")[0] for name in table.names)
    return ",".join(labelled) if set(attribute.scorers.split(",")) <= set(labelled) else attribute.scorers


def _samples(folder: Path) -> SampleTable:
    from latentlab.samples import SampleStore

    return SampleStore.load(folder).table()
