"""The tab Learn: samples, a direction from them, its card and a walk along it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab import registry
from latentlab.errors import UserError
from latentlab.studio.learning import FEWEST, MOST, Learnt, headings_of, learn, learnt, names_learnt, rows_of
from latentlab.studio.page.common import LONG, Studio, offered, status, told
from latentlab.studio.page.earlier import Earlier
from latentlab.studio.page.edit import MOST_OWN
from latentlab.studio.session import Session
from latentlab.studio.visitors import is_token
from latentlab.studio.working import Finished


class LearnTab:
    """Controls of the tab, and what they do."""

    def __init__(self, studio: Studio, session: gr.State, token: gr.BrowserState) -> None:
        self._studio, self._session, self._token = studio, session, token
        names = list(studio.networks.components.scorer.names)
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                self._attribute = gr.Dropdown(
                    names, value="happy" if "happy" in names else names[0], label="Attribute", elem_id="ll-attribute"
                )
                self._finder = gr.Dropdown(
                    list(registry.finders.names()), value="svm", label="Finder", elem_id="ll-finder"
                )
                self._samples = gr.Slider(
                    FEWEST, MOST, 200, step=20, label="Samples", buttons=[], elem_id="ll-sample-count"
                )
                with gr.Row():
                    self._learn = gr.Button("Learn", variant="primary", elem_id="ll-learn")
                    self._stop = gr.Button("Cancel")
                self._progress = gr.HTML(status(""), elem_id="ll-learning")
                self._earlier = Earlier(self._names, token, "Learnt before")
                self._file = gr.Files(label="The direction's file", interactive=False, elem_id="ll-learnt")
            with gr.Column(scale=3, min_width=300):
                self._walk = gr.Image(
                    label="Walk",
                    show_label=False,
                    alt_text="Three faces, a row each, from one end of the direction to the other",
                    interactive=False,
                    format="png",
                    buttons=["download", "fullscreen"],
                    elem_id="ll-walk",
                )
                self._card = gr.Markdown(elem_id="ll-card", elem_classes="ll-table")
                self._table = gr.Dataframe(
                    label="Samples",
                    headers=headings_of(names),
                    interactive=False,
                    max_height=320,
                    elem_id="ll-samples",
                )

    def connect(self, page: gr.Blocks) -> tuple[Any, Any]:
        """Connect the controls to what they do; returns the events that gave the session a direction."""
        private: dict[str, Any] = {"api_visibility": "private"}
        shown = [self._session, self._progress, self._table, self._card, self._walk, self._file]
        self._stop.click(self._cancel, None, self._progress, queue=False, **private)
        learnt = self._learn.click(
            told(self._learnt),
            [self._session, self._token, self._attribute, self._finder, self._samples],
            shown,
            show_progress="hidden",
            **LONG,
            **private,
        )
        given = [self._session, self._token, self._earlier.chosen]
        opened = self._earlier.opens(self._opened, given, shown, **private)
        self._earlier.connect(page, learnt)
        return learnt, opened

    def _folder(self, token: str) -> Path:
        return self._studio.visitors.folder_of(token) / "directions"

    def _names(self, token: str) -> list[str]:
        return names_learnt(self._folder(token)) if is_token(token) else []

    def _opened(self, session: Session, token: str, name: str) -> Any:
        return self._shown(session, learnt(name, self._folder(token), self._studio.networks.components))

    def _learnt(
        self, session: Session, token: str, attribute: str, finder: str, samples: float, request: gr.Request
    ) -> Iterator[Any]:
        folder, components = self._folder(token), self._studio.networks.components
        nothing = [gr.skip()] * 4
        work = self._studio.works.follow(
            str(request.session_hash),
            lambda report: learn(attribute, finder, int(samples), components, folder, report),
        )
        for update in work:
            if isinstance(update, Finished):
                yield self._shown(session, update.result)
            else:
                yield session, status(str(update)), *nothing

    def _shown(self, session: Session, found: Learnt) -> tuple[Any, ...]:
        headings, rows = headings_of(found.table.names), rows_of(found.table)
        kept = f"kept in {self._studio.visitors.name_of(found.file.parent)}"
        said = f"{kept}; {found.name} is among the sliders of Edit"
        try:
            session = session.with_direction(found.name, found.direction, MOST_OWN)
        except UserError as error:
            said = f"{kept}, but no slider: {error}"
        table = gr.Dataframe(rows, headers=headings)
        walk, file = offered([found.walk, found.file])
        return session, status(said), table, found.direction.card(), walk, [file]

    def _cancel(self, request: gr.Request) -> str:
        found = self._studio.works.cancel(str(request.session_hash))
        return status("cancelling …" if found else "nothing is running")
