"""What a visitor's work left behind, to be opened again: after the page was closed, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr


class Earlier:
    """A list of results by name, which is filled when the page opens.

    Attributes
    ----------
    chosen
        The list, with the name of the chosen one.
    """

    def __init__(self, names: Callable[[str], list[str]], token: gr.BrowserState, label: str) -> None:
        self._names, self._token = names, token
        self.chosen = gr.Dropdown([], label=label, info="kept from before, from closed pages, too")

    def connect(self, page: gr.Blocks, *made: Any) -> None:
        """Fill the list when the page opens, and after events that made something."""
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(self._filled, self._token, self.chosen, **quiet)
        for event in made:
            event.success(self._filled, self._token, self.chosen, **quiet)

    def _filled(self, token: str) -> Any:
        return gr.Dropdown(self._names(token), value=None)
