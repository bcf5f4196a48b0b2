"""Networks, settings and folder that the steps of a study share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.batching import AnyBatch, Batches
from latentlab.pipelines.components import Components
from latentlab.pipelines.study.settings import StudySettings
from latentlab.progress import Stage
from latentlab.rendering import Renderer


@dataclass(frozen=True)
class StudyContext:
    """Networks, settings and folder of a study.

    Attributes
    ----------
    components
        Networks; the generator and the scorer are used.
    settings
        Settings of the study.
    folder
        Folder of the results.
    renderer
        Renderer of the images that are scored.
    batches
        Images that are scored at once.
    shown
        Images rendered at once for figures alone.
    stage
        Shows the progress.
    """

    components: Components
    settings: StudySettings
    folder: Path
    renderer: Renderer
    batches: Batches
    shown: AnyBatch
    stage: Stage
