"""Editing by a distilled editor: the direction's edits in one pass, without a projection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from latentlab.comparison.caching import files_digest
from latentlab.comparison.protocol import Method
from latentlab.errors import UserError
from latentlab.images import resize
from latentlab.pipelines.distilling import DistilSettings, FaceEditor, Taught, distil, is_face_editor, renderer_for
from latentlab.progress import Stage
from latentlab.tasks.edit_faces.definition import PAIRS
from latentlab.tasks.edit_faces.response import Learnt
from latentlab.tasks.edit_faces.task import EditTask
from latentlab.tasks.trained import training_told
from latentlab.translation.translator import Translator

NAME = "distilled"
# Beyond the seeds of the task, whose held-out faces are not to be learnt from.
_OTHER_SEEDS = 10_000_000


class DistilledEdits(Method):
    """An editor distilled from a direction that was learnt on the task's faces.

    Parameters
    ----------
    task
        Task it learns.
    learnt
        The direction.
    """

    name = NAME

    def __init__(self, task: EditTask, learnt: Learnt) -> None:
        settings = task.settings
        base = DistilSettings.for_resolution(task.size)
        first = settings.seed_start + _OTHER_SEEDS
        strips = replace(base.strips, faces=settings.faces, held_out=0.0, seed_start=first, psi=settings.psi)
        self._settings = replace(
            base,
            strips=replace(strips, resolution=task.size),
            training=replace(base.training, epochs=settings.epochs_of(NAME), seed=settings.seed),
        )
        self.inputs = {
            "strips": self._settings.strips.as_dict(),
            "config": self._settings.method.as_dict(),
            "settings": self._settings.training.as_dict(),
            "taught": PAIRS,
        }
        self.training_note = f"here: {self._settings.training.epochs:g} epochs of {settings.faces} edited faces"
        self._task, self._learnt = task, learnt
        self._editor: Translator

    def use_model(self, path: Path) -> None:
        """See `Method`: take the editor in a file.

        Raises
        ------
        UserError
            If the file holds no editor of faces.
        """
        editor = Translator.load(path)
        if not is_face_editor(editor):
            raise UserError(f"{path} is no model of {NAME}, which edits faces: `latentlab distil` makes one")
        self._editor, self.given = editor, path
        self.inputs, self.training_note = {"model": files_digest([path])}, f"given: {training_told(editor)}"

    def fit(self, task: EditTask, folder: Path, stage: Stage) -> None:
        """Distil, resume what was stopped, or load what was distilled before."""
        if self.given is None:
            attribute = task.settings.attribute
            direction, _ = self._learnt(stage)
            taught = {attribute: Taught(direction, task.components.scorer, attribute)}
            self._editor = distil(
                taught, renderer_for(task.components, task.size), folder, self._settings, progress=stage
            )
        self._editor.to(task.device)

    def apply(self, images: Tensor) -> Tensor:
        """See `Method`. Images are treated as aligned faces."""
        edit = FaceEditor(self._editor, strengths={self._attribute: float(self._task.sign)})
        small = resize(images, self._task.size, self._task.size).to(self._task.device)
        return torch.cat([edit.translate(one).cpu() for one in torch.split(small, 1)])

    @property
    def _attribute(self) -> str:
        """The attribute that was taught by the task's score; else the first."""
        wanted, learnt = self._task.settings.attribute, self._editor.card.get("learnt", {})
        known = self._editor.network("a2b").attributes
        return next((name for name in known if learnt.get(name, {}).get("score") == wanted), known[0])
