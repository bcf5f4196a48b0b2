"""A study of one attribute, end to end: what `latentlab smile` runs."""

from .report import summary
from .results import Bench, Edits, Fit, Study
from .settings import StudySettings
from .study import run_study

__all__ = ["Bench", "Edits", "Fit", "Study", "StudySettings", "run_study", "summary"]
