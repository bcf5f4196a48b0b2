"""A study of one attribute, end to end: what `latentlab smile` runs."""

from latentlab.study.report import summary
from latentlab.study.results import Bench, Edits, Fit, Study
from latentlab.study.settings import StudySettings
from latentlab.study.study import run_study

__all__ = ["Bench", "Edits", "Fit", "Study", "StudySettings", "run_study", "summary"]
