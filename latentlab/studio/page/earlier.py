"""What a visitor left behind, photos and work, to be opened again, even after the page was closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from latentlab.studio.page.common import told

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class Earlier:
    """A list of what is kept, by name, which is filled when the page opens.

    Attributes
    ----------
    chosen
        The list, with the name of the chosen one until it is opened.
    """

    def __init__(
        self,
        names: Callable[[str], list[str]],
        token: gr.BrowserState,
        label: str,
        info: str = "kept from before, from closed pages, too",
    ) -> None:
        self._names, self._token = names, token
        self.chosen = gr.Dropdown([], label=label, info=info)

    def connect(self, page: gr.Blocks, *made: Any) -> None:
        """Fill the list when the page opens, and after events that made something."""
        for happens in (page.load, *(event.success for event in made)):
            happens(self._filled, self._token, self.chosen, **_QUIET)

    def opens(self, handler: Callable[..., Any], inputs: Any, outputs: Any, **options: Any) -> Any:
        """Call a handler when one is chosen; returns the event. The list can then be asked for the same one again.

        What Gradio calls a list's input is sent whenever the list loses focus, with or without a choice.
        """
        picked = self.chosen.change(_picked, self.chosen, None, **_QUIET)
        opened = picked.success(told(handler), inputs, outputs, **options)
        opened.then(self._filled, self._token, self.chosen, **_QUIET)  # after a failure, too, to try it again
        return opened

    def _filled(self, token: str) -> Any:
        return gr.Dropdown(self._names(token), value=None)


def _picked(name: str | None) -> None:
    """End what follows, without a message, where the list was emptied."""
    if name is None:
        raise gr.Error(visible=False, print_exception=False)
