"""A study of one attribute, end to end: what `latentlab smile` runs."""

from latentlab.pipelines.study.report import summary
from latentlab.pipelines.study.results import Bench, Edits, Fit, Study
from latentlab.pipelines.study.settings import StudySettings
from latentlab.pipelines.study.study import run_study

__all__ = ["Bench", "Edits", "Fit", "Study", "StudySettings", "run_study", "summary"]
