"""Compare methods on one task: every method learns, meets the same held-out images, and is measured alike.

`compare` runs the methods, `write_report` writes a page and tables. A `Task` and a `Method` are protocols that your
own classes meet; a `TaskDefinition` makes a task a sub-command of `latentlab compare`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.comparison.conclusions import WorstImage, draw_conclusions, worst_images
    from latentlab.comparison.definition import Choice, Job, TaskDefinition, TaskRun, run_task
    from latentlab.comparison.protocol import Columns, Measure, Method, Task
    from latentlab.comparison.report import ReportSection, summary_lines, write_report
    from latentlab.comparison.run import Comparison, MethodResult, compare

__all__ = [
    "Choice",
    "Columns",
    "Comparison",
    "Job",
    "Measure",
    "Method",
    "MethodResult",
    "ReportSection",
    "Task",
    "TaskDefinition",
    "TaskRun",
    "WorstImage",
    "compare",
    "draw_conclusions",
    "run_task",
    "summary_lines",
    "worst_images",
    "write_report",
]

_MODULES = {
    **dict.fromkeys(("WorstImage", "draw_conclusions", "worst_images"), "conclusions"),
    **dict.fromkeys(("Choice", "Job", "TaskDefinition", "TaskRun", "run_task"), "definition"),
    **dict.fromkeys(("Columns", "Measure", "Method", "Task"), "protocol"),
    **dict.fromkeys(("ReportSection", "summary_lines", "write_report"), "report"),
    **dict.fromkeys(("Comparison", "MethodResult", "compare"), "run"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
