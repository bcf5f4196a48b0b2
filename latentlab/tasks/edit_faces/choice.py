"""From names on the command line to a task of editing faces: defaults that fit each other, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from latentlab.comparison.definition import Job
from latentlab.datasets.labelled_photos import RealFaces
from latentlab.devices import find_device
from latentlab.errors import UserError
from latentlab.pipelines.components import Components
from latentlab.scorers import EXPRESSIONS, load_attributes, load_scorer
from latentlab.scorers.attributes.scorer import SHIPPED
from latentlab.tasks.edit_faces.definition import EditInputs, EditSettings
from latentlab.tasks.edit_faces.task import EditTask, check_inputs, make_edit_task

_EXPRESSION = {"smile": "happy", "smiling": "happy"}
"""Other names of expressions that the default labelling scorer knows."""
_MEANS = {"happy": "smiling"}
"""Attributes of the judge by the expression that means the same."""


@dataclass(frozen=True)
class Labelling:
    """What labels the faces.

    Attributes
    ----------
    scorer
        Name of the scorer.
    attribute
        One of its scores.
    """

    scorer: str
    attribute: str


def choose_labelling(inputs: EditInputs) -> Labelling:
    """Choose the labelling scorer and its attribute from what was given.

    The shipped classifier knows forty attributes but is the default judge, and no classifier may do both; the default
    scorer knows expressions only. So a smile needs nothing else, and any other attribute needs a second classifier.

    Raises
    ------
    UserError
        If the attribute needs a scorer; names the option.
    """
    attribute = inputs.attribute
    if inputs.scorer is not None:
        named = inputs.scorer.rpartition(":")[2] if ":" in inputs.scorer else "happy"
        return Labelling(inputs.scorer, named if attribute is None else attribute)
    attribute = "happy" if attribute is None else _EXPRESSION.get(attribute, attribute)
    if attribute in EXPRESSIONS:
        return Labelling("fer", attribute)
    if inputs.judge != SHIPPED:
        return Labelling(f"{SHIPPED}:{attribute}", attribute)
    raise UserError(
        f"--attribute {attribute} takes a second classifier that knows it, since the one that judges may not label: "
        f"add --scorer FILE.safetensors:{attribute} (`latentlab scorer train` makes one), or --judge FILE.safetensors"
    )


def choose_judged(inputs: EditInputs, labelling: Labelling, known: tuple[str, ...]) -> str:
    """Choose the attribute of the judge that means the same as the labelling scorer's.

    Raises
    ------
    UserError
        If the judge knows none of that name; names the option.
    """
    if inputs.judged is not None:
        return inputs.judged
    found = _MEANS.get(labelling.attribute, labelling.attribute)
    if found not in known:
        raise UserError(
            f"the judge has no attribute {found}: add --judged NAME, the one that means the same; "
            f"there are {', '.join(known)}"
        )
    return found


def complete_settings(settings: EditSettings, inputs: EditInputs, labelling: Labelling, judged: str) -> EditSettings:
    """Fill in the attributes, and the conditions that fit them."""
    conditions = tuple(name for name in settings.conditions if name != judged)
    return replace(
        settings,
        attribute=labelling.attribute,
        judged=judged,
        conditions=conditions if inputs.conditions is None else inputs.conditions,
        related=settings.related if inputs.related is None else inputs.related,
    )


def make_from_inputs(settings: EditSettings, inputs: EditInputs, job: Job) -> EditTask:
    """Make the task of `latentlab compare edit`; classifiers are loaded first, as they allow everything to be checked.

    Raises
    ------
    UserError
        If inputs do not fit each other, or as `make_edit_task` says.
    """
    if inputs.paste and inputs.photos is None:
        raise UserError("--paste puts edits back into --photos, and there are none")
    if (settings.data == "real") != (inputs.folder is not None) or (inputs.folder is None) != (inputs.labels is None):
        raise UserError("--data real takes a --folder of photos and their --labels, and no other data does")
    labelling = choose_labelling(inputs)
    device = find_device(job.device)
    scorer, judge = load_scorer(labelling.scorer, device), load_attributes(inputs.judge, device)
    if labelling.attribute not in scorer.names:
        known = ", ".join(scorer.names)
        raise UserError(f"no score of {labelling.scorer} is called {labelling.attribute!r}; there are {known}")
    judged = choose_judged(inputs, labelling, judge.names)
    settings = complete_settings(settings, inputs, labelling, judged)
    real = None
    if inputs.folder is not None and inputs.labels is not None:
        real = RealFaces(inputs.folder, inputs.labels, judged)
    check_inputs(settings, scorer, judge, inputs.photos, real)
    components = Components.load(inputs.network, scorer=scorer, device=device)
    return make_edit_task(settings, components, judge, job.folder, inputs.photos, real, job.progress)
