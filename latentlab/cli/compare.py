"""`latentlab compare TASK`: several methods, one task, one table.

A sub-command for each registered task, with options made from the task's definition. Nothing here imports torch before
a comparison runs.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
import typer.core
import typer.main

from latentlab import registry
from latentlab.cli import options
from latentlab.cli.metavars import metavar_of
from latentlab.errors import UserError
from latentlab.mirroring import published, shown
from latentlab.progress import bar

if TYPE_CHECKING:
    from latentlab.comparison.definition import TaskDefinition


class _Tasks(typer.core.TyperGroup):
    """The registered tasks as commands, each made when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all tasks."""
        return list(registry.tasks.names())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a task.

        Raises
        ------
        UserError
            If no task has this name; suggests the nearest.
        """
        try:
            return task_command(cmd_name, registry.tasks.load(cmd_name))
        except UserError as error:
            if cmd_name not in registry.tasks.names():
                raise
            return _broken(cmd_name, error)


app = typer.Typer(
    rich_markup_mode=None,
    cls=_Tasks,
    help="Compare methods on one task: the same held-out images, what is gained, what is lost, and how sure that is.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    pass


def _broken(name: str, error: UserError) -> Any:
    """A command for a task that cannot be imported: the help lists it, and running it says why."""

    def command() -> None:
        raise error

    return _click_command(name, command, f"Cannot be used: {error}")


def _click_command(name: str, function: Callable[..., None], description: str) -> Any:
    single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=description)(function)
    return typer.main.get_command(single)


_WORKERS = {"workers": options.Workers, "ray": options.RayAddress, "gpus_per_worker": options.GpusPerWorker}

# --- a command from a definition ----------------------------------------------------------------------------


def task_command(name: str, definition: TaskDefinition) -> Any:
    """Make the click command of a task.

    Parameters
    ----------
    name
        Name of the task.
    definition
        What it offers.
    """
    preset_names = Enum("Preset", {preset: preset for preset in definition.presets}, type=str)  # type: ignore[misc]
    default = next(iter(preset_names))
    own = [*_input_options(definition), *_setting_options(definition)]
    shared = [
        _option("methods", str, "", f"Methods, separated by commas: {', '.join(_all_methods(definition))}."),
        _option("metrics", str, "", f"Further metrics, separated by commas: {', '.join(registry.metrics.names())}."),
        _option(
            "models",
            Path | None,
            None,
            "Folder of trained translators, NAME.safetensors or NAME/translator.safetensors, instead of training.",
        ),
        _option("preset", preset_names, default, "quick: within 35 minutes on two cores; full: for a GPU."),
        *(
            [_option("epoch_scale", float, 1.0, "Factor for the preset's epochs.", least=0.001)]
            * _has_epochs(definition)
        ),
        _option(
            "out",
            str,
            f"latentlab-compare-{name}",
            "Folder for the report, where a stopped run resumes, or an address such as s3://BUCKET/COMPARED.",
            metavar="PATH|ADDRESS",
        ),
        _option("device", str, "auto", "cpu, cuda, mps, or auto for the best available one."),
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in _WORKERS.items()
        ),
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [context, *own, *shared]

    def command(ctx: typer.Context, **values: Any) -> None:
        _run(ctx, definition, values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    epilogue = (
        "Whatever was learnt, projected or made is kept in the folder of --out, and the same command resumes a run "
        "that was stopped."
    )
    return _click_command(name, command, f"{definition.summary}\n\n{epilogue}")


def _all_methods(definition: TaskDefinition) -> tuple[str, ...]:
    return (*definition.methods, *definition.further_methods)


def _has_epochs(definition: TaskDefinition) -> bool:
    return any(one.name == "epochs" for one in fields(next(iter(definition.presets.values()))))


def _option(
    name: str,
    kind: Any,
    default: Any,
    description: str,
    least: float | None = None,
    flags: Sequence[str] = (),
    metavar: str | None = None,
) -> inspect.Parameter:
    info = typer.Option(*flags, help=description, min=least, metavar=metavar or metavar_of(kind))
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _offered(class_: type[Any]) -> Iterator[tuple[Field[Any], Any]]:
    """Fields of a dataclass that have a help text, and their types."""
    hints = get_type_hints(class_)
    for one in fields(class_):
        if "help" in one.metadata:
            yield one, hints[one.name]


def _kind(name: str, hint: Any) -> Any:
    """A type that typer reads: choices become an Enum, and lists their text."""
    if get_origin(hint) is Literal:
        return Enum(name, {value: value for value in get_args(hint)}, type=str)
    if _is_list(hint):
        return str | None if type(None) in get_args(hint) else str
    return hint


def _is_list(hint: Any) -> bool:
    return any(get_origin(one) in (tuple, list) for one in (hint, *get_args(hint)))


def _setting_options(definition: TaskDefinition) -> list[inspect.Parameter]:
    """An option for each setting with a help text; without a value it keeps the preset's, which the help names."""
    presets = definition.presets
    found = []
    for one, hint in _offered(type(next(iter(presets.values())))):
        values = {name: getattr(settings, one.name) for name, settings in presets.items()}
        if len(set(map(repr, values.values()))) == 1:
            default = f"Default: {next(iter(values.values()))}."
        else:
            default = f"Default: {', '.join(f'{value} ({name})' for name, value in values.items())}."
        kind, text = _kind(one.name, hint), f"{one.metadata['help']} {default}"
        found.append(_option(one.name, kind | None, None, text, one.metadata.get("min"), one.metadata.get("flags", ())))
    return found


def _input_options(definition: TaskDefinition) -> list[inspect.Parameter]:
    """An option for each of the task's inputs, with its own default."""
    if definition.inputs is None:
        return []
    return [
        _option(
            one.name,
            _kind(one.name, hint),
            one.default,
            one.metadata["help"],
            one.metadata.get("min"),
            # Without a name of its own, typer would also offer --no-paste.
            one.metadata.get("flags", (f"--{one.name.replace('_', '-')}",) if hint is bool else ()),
        )
        for one, hint in _offered(definition.inputs)
    ]


# --- running ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """What the command line says, sorted by where it goes."""

    inputs: Any
    changes: dict[str, Any]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _parsed(value: Any, hint: Any) -> Any:
    """A value of an option as its field takes it."""
    return _names(value) if _is_list(hint) and value is not None else _plain(value)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _sorted(definition: TaskDefinition, values: dict[str, Any]) -> _Given:
    inputs = None
    if definition.inputs is not None:
        inputs = definition.inputs(
            **{one.name: _parsed(values[one.name], hint) for one, hint in _offered(definition.inputs)}
        )
    changes = {
        one.name: _parsed(values[one.name], hint)
        for one, hint in _offered(type(next(iter(definition.presets.values()))))
        if values[one.name] is not None
    }
    return _Given(inputs, changes, _names(values["methods"]), _names(values["metrics"]))


def _run(ctx: typer.Context, definition: TaskDefinition, values: dict[str, Any]) -> None:
    """Check what was given, compare, and print the conclusions."""
    from latentlab.comparison.definition import Choice, Job, check_methods, run_task
    from latentlab.comparison.models import find_models

    begun = time.monotonic()
    place = options.check_place(values["out"])
    given = _sorted(definition, values)
    check_methods(given.methods, _all_methods(definition))
    settings = definition.settings(_plain(values["preset"]), given.changes, values.get("epoch_scale", 1.0))
    if definition.unused is not None:
        names = given.methods or definition.methods
        options.refuse_without_effect(ctx, definition.unused(settings, given.inputs, names))

    models = {} if values["models"] is None else find_models(values["models"])
    from latentlab.comparison.metrics import load_metrics
    from latentlab.comparison.report import summary_lines

    choice = Choice(given.methods, load_metrics(given.metrics), options.this_command(), models)
    with published(place) as folder, options.on_workers(*(values[name] for name in _WORKERS)):
        done = run_task(definition, settings, given.inputs, Job(folder, values["device"], bar), choice)
        page = shown(done.page)
    print("\n".join([*summary_lines(done.comparison, definition.excluded), *done.notes]))
    print(f"The report is {page}; done in {time.monotonic() - begun:.0f} s")
