"""The tab Compare: open the report of a comparison."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.studio.comparing import report_frame
from latentlab.studio.page.common import told


class CompareTab:
    """Controls of the tab, and what they do."""

    def __init__(self) -> None:
        self._file = gr.File(label="report.html of a comparison", file_types=[".html"], height=140, elem_id="ll-report")
        self._report = gr.HTML(label="Report", elem_id="ll-shown-report")

    def connect(self) -> None:
        """Connect the controls to what they do."""
        private: dict[str, Any] = {"api_visibility": "private"}
        self._file.upload(told(report_frame), self._file, self._report, **private)
