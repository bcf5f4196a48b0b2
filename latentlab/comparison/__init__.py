"""Compare methods on one task: every method learns, meets the same held-out images, and is measured alike.

`compare` runs the methods, `write_report` writes a page and tables. A `Task` and a `Method` are protocols that your
own classes meet; a `TaskDefinition` makes a task a sub-command of `latentlab compare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

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

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "conclusions": ("WorstImage", "draw_conclusions", "worst_images"),
            "definition": ("Choice", "Job", "TaskDefinition", "TaskRun", "run_task"),
            "protocol": ("Columns", "Measure", "Method", "Task"),
            "report": ("ReportSection", "summary_lines", "write_report"),
            "run": ("Comparison", "MethodResult", "compare"),
        },
    )
