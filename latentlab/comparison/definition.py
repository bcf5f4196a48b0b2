"""A task as it is registered: what `latentlab compare NAME` offers, without importing anything slow.

A task of another package is one module with such a definition, and one line of its metadata::

    [options.entry_points]
    latentlab.tasks =
        colours = my_package.colours:COLOURS
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from latentlab.comparison.models import methods_with_models
from latentlab.errors import UserError
from latentlab.progress import Stage

if TYPE_CHECKING:
    from latentlab.comparison.metrics import ExtraMetric
    from latentlab.comparison.protocol import Method, Task
    from latentlab.comparison.report import ReportSection
    from latentlab.comparison.run import Comparison

__all__ = [
    "Choice",
    "Job",
    "TaskDefinition",
    "TaskRun",
    "check_methods",
    "choose_methods",
    "resolve",
    "run_task",
    "without_users",
]

MakeTask: TypeAlias = "Callable[[Any, Any, Job], Task]"
BuildMethods: TypeAlias = "Callable[[Any, Sequence[str]], list[Method]]"
AddSections: TypeAlias = "Callable[[Comparison, Sequence[Method], Any, Job], Sequence[ReportSection]]"


@dataclass(frozen=True)
class Job:
    """Where and how a comparison runs.

    Attributes
    ----------
    folder
        Folder of the comparison.
    device
        Name of the networks' device, see `latentlab.devices.find_device`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.
    """

    folder: Path
    device: str = "auto"
    progress: bool | Stage = True


@dataclass(frozen=True)
class TaskDefinition:
    """What the command line and `run_task` need to know about a task.

    Functions may be given as "module:attribute", which is imported when the task runs, so that help answers at once.

    Attributes
    ----------
    summary
        One line for the help.
    presets
        Settings by the preset's name, the default first: frozen dataclasses of one class. A field whose metadata has
        a 'help' becomes an option; 'min' is its least value and 'flags' are its names, if they are not the field's.
        A field `epochs`, a mapping by method, is multiplied by the option --epoch-scale.
    methods
        Names of the methods that are compared by default, in the order of the tables.
    make
        `make(settings, inputs, job)` returns the task.
    build_methods
        `build_methods(task, names)` returns the methods with those names.
    sections
        `sections(comparison, methods, inputs, job)` returns further sections of the report.
    baselines
        Names of methods that every other one should beat; they do not compete.
    oracles
        Names of methods that see the answer; they do not compete.
    further_methods
        Names of methods that are compared only when they are asked for.
    inputs
        Frozen dataclass of what else the task takes, such as photos; its fields become options like those of the
        settings, and each has a default.
    unused
        `unused(settings, inputs, names)` returns the fields of both, and 'epoch_scale', that have no effect with the
        others and on the methods with these names, each with the reason. It is an error to give one as an option.
    """

    summary: str
    presets: Mapping[str, Any]
    methods: tuple[str, ...]
    make: str | MakeTask
    build_methods: str | BuildMethods
    sections: str | AddSections | None = None
    baselines: tuple[str, ...] = ()
    oracles: tuple[str, ...] = ()
    further_methods: tuple[str, ...] = ()
    inputs: type[Any] | None = None
    unused: Callable[[Any, Any, Sequence[str]], Mapping[str, str]] | None = None

    @property
    def excluded(self) -> tuple[str, ...]:
        """Names of the methods that do not compete."""
        return (*self.baselines, *self.oracles)

    def settings(self, preset: str, changes: Mapping[str, Any], epoch_scale: float = 1.0) -> Any:
        """Return the settings of a preset with some fields changed, and epochs multiplied by `epoch_scale`.

        Raises
        ------
        UserError
            As the settings say.
        """
        settings = self.presets[preset]
        if any(one.name == "epochs" for one in fields(settings)):
            epochs = {name: epoch_scale * value for name, value in settings.epochs.items()}
            changes = {"epochs": epochs, **changes}
        return replace(settings, **changes)


def resolve(function: str | Callable[..., Any]) -> Callable[..., Any]:
    """Import a function that is given as "module:attribute"; return any other as it is."""
    if not isinstance(function, str):
        return function
    module, _, attribute = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def without_users(names: Sequence[str], users: Sequence[str], *options: str) -> dict[str, str]:
    """Return options that have no effect because none of the methods that use them is chosen, with this reason.

    Parameters
    ----------
    names
        Chosen methods.
    users
        Methods that use the options.
    options
        Names of the fields.
    """
    listed = " or ".join(filter(None, [", ".join(users[:-1]), users[-1]]))
    reason = f"without {listed} among the methods"
    return {} if set(names) & set(users) else dict.fromkeys(options, reason)


def check_methods(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse unknown names of methods, and a method that is named twice.

    Raises
    ------
    UserError
        If a name is unknown (suggests the nearest) or occurs twice.
    """
    for name in names:
        if list(names).count(name) > 1:
            raise UserError(f"the method {name} is named twice")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise UserError(f"no method of this task is called {name!r}{hint}; there are {', '.join(known)}")


def choose_methods(known: Mapping[str, Callable[[], Method]], names: Sequence[str]) -> list[Method]:
    """Construct the methods with these names.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    check_methods(names, tuple(known))
    return [known[name]() for name in names]


@dataclass(frozen=True)
class TaskRun:
    """A finished comparison.

    Attributes
    ----------
    comparison
        The results.
    page
        The report.
    notes
        What sections of the report say in one line each.
    """

    comparison: Comparison
    page: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What is compared, and by which metrics.

    Attributes
    ----------
    methods
        Names of the methods; empty for all.
    metrics
        Metrics beyond the task's own, by column name.
    command
        Command that runs it, for the report.
    models
        Files of trained models by the names of methods, which take them in place of trainings of their own; several
        files are trainings with different seeds. See `latentlab.comparison.models.find_models`.
    """

    methods: Sequence[str] = ()
    metrics: Mapping[str, ExtraMetric] = field(default_factory=dict)
    command: str = ""
    models: Mapping[str, Sequence[Path]] = field(default_factory=dict)


def run_task(definition: TaskDefinition, settings: Any, inputs: Any, job: Job, choice: Choice | None = None) -> TaskRun:
    """Make a task, compare methods on it, and write the report into the job's folder.

    Parameters
    ----------
    definition
        The task.
    settings
        One of the task's presets, or one changed from it.
    inputs
        An object of the task's class of inputs; None if it has none.
    job
        Folder, device and progress.
    choice
        Methods and further metrics; by default all methods.

    Raises
    ------
    UserError
        If a method is unknown, or as the task says.
    """
    from latentlab.comparison.report import write_report
    from latentlab.comparison.run import compare
    from latentlab.comparison.trainings import training_sections

    choice = Choice() if choice is None else choice
    known = (*definition.methods, *definition.further_methods)
    check_methods(tuple(choice.models), known)
    further = tuple(name for name in choice.models if name not in definition.methods)
    names = tuple(choice.methods) or (*definition.methods, *further)
    check_methods(names, known)
    task = resolve(definition.make)(settings, inputs, job)
    build = resolve(definition.build_methods)
    methods = methods_with_models(lambda some: build(task, some), names, choice.models)
    comparison = compare(task, methods, choice.metrics, job.progress)
    own = () if definition.sections is None else resolve(definition.sections)(comparison, methods, inputs, job)
    sections = [*own, *training_sections(comparison, methods, short=_is_short(definition, settings))]
    page = write_report(comparison, choice.command, sections, definition.excluded)
    return TaskRun(comparison, page, tuple(section.note for section in sections if section.note))


def _is_short(definition: TaskDefinition, settings: Any) -> bool:
    """Whether methods are trained no longer than with the preset 'quick'."""
    quick = definition.presets.get("quick")
    epochs, least = (getattr(one, "epochs", {}) for one in (settings, quick))
    return bool(epochs) and all(epochs[name] <= least.get(name, 0) for name in epochs)
