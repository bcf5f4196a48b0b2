"""One task, several methods, one table: what is gained, what is lost, and how sure that is."""

from latentlab.comparison.findings import findings, worst
from latentlab.comparison.protocol import Columns, Figure, Method, Task
from latentlab.comparison.report import Section, summary_lines, write_report
from latentlab.comparison.run import Comparison, Row, compare

__all__ = [
    "Columns",
    "Comparison",
    "Figure",
    "Method",
    "Row",
    "Section",
    "Task",
    "compare",
    "findings",
    "summary_lines",
    "worst",
    "write_report",
]
