"""The tab Drag: pairs of points on the face, an optional mask, and the drag."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.studio.dragging import SIDE, Moves, check_draggable, drag_face, image_with, mask_of
from latentlab.studio.faces import CodeFace, photo_of
from latentlab.studio.kept import CODE, kept_face
from latentlab.studio.page.common import LONG, QUICK, Studio, picture, status, told
from latentlab.studio.page.earlier import Earlier
from latentlab.studio.photos import open_photo
from latentlab.studio.session import Edit, Session
from latentlab.studio.working import Finished, Report

_STEPS = 60
_KIND = "dragged"


class DragTab:
    """Controls of the tab, and what they do."""

    def __init__(self, studio: Studio, session: gr.State, token: gr.BrowserState) -> None:
        self._studio, self._session, self._token = studio, session, token
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                gr.Markdown("Click on a point of the face, then where it is to go. Points with their own place stay.")
                self._image = gr.Image(
                    label="The face",
                    show_label=False,
                    alt_text="The face, with its points in red and their targets in blue",
                    interactive=False,
                    format="jpeg",
                    buttons=[],
                    elem_id="ll-drag-image",
                )
            with gr.Column(scale=1, min_width=300):
                self._moves = gr.Textbox(
                    label="Moves",
                    info="a line each: x,y > x,y in pixels of the full image",
                    lines=3,
                    elem_id="ll-moves",
                )
                self._most = gr.Slider(
                    1, 200, _STEPS, step=1, label="Steps at most", buttons=[], elem_id="ll-drag-steps"
                )
                with gr.Row():
                    self._go = gr.Button("Drag", variant="primary", elem_id="ll-drag")
                    self._stop = gr.Button("Cancel")
                    self._clear = gr.Button("Clear")
                self._progress = gr.HTML(status(""), elem_id="ll-dragging")
                self._earlier = Earlier(partial(studio.visitors.results_of, kind=_KIND), token, "Dragged before")
                self._view = gr.HTML(label="Preview", elem_id="ll-dragged")
                self._build_mask()

    def _build_mask(self) -> None:
        with gr.Accordion("Mask", open=False):
            gr.Markdown("Paint over what may move. Where nothing is painted at all, everything may.")
            self._mask = gr.ImageEditor(
                label="Mask",
                type="pil",
                sources=(),
                layers=False,
                transforms=(),
                brush=gr.Brush(default_size=40, colors=["#2563eb80"], color_mode="fixed"),
                canvas_size=(SIDE, SIDE),
                fixed_canvas=True,
                elem_id="ll-mask",
            )

    def connect(self, page: gr.Blocks, tab: gr.Tab) -> tuple[Any, Any]:
        """Connect the controls to what they do; returns the events of a face that was dragged, now or before."""
        quick: dict[str, Any] = {**QUICK, "api_visibility": "private"}
        drawn = {"inputs": [self._session, self._moves], "outputs": self._image, "trigger_mode": "always_last", **quick}
        tab.select(told(self._opened), self._session, [self._image, self._mask], **quick)
        clicked = self._image.select(told(self._clicked), self._moves, self._moves, **quick)
        clicked.success(told(self._marked), **drawn)
        self._moves.blur(told(self._marked), **drawn)
        cleared = self._clear.click(lambda: "", None, self._moves, **quick)
        cleared.success(told(self._marked), **drawn)
        self._stop.click(self._cancel, None, self._progress, queue=False, api_visibility="private")
        long: dict[str, Any] = {**LONG, "show_progress": "hidden", "api_visibility": "private"}
        shown = [self._session, self._progress, self._view, self._moves]
        given = [self._session, self._token, self._moves, self._most, self._mask]
        dragged = self._go.click(told(self._dragged), given, shown, **long)
        given = [self._session, self._token, self._earlier.chosen]
        reopened = self._earlier.opens(self._reopened, given, shown, **long)
        self._earlier.connect(page, dragged)
        return dragged, reopened

    def _opened(self, session: Session) -> Any:
        if session.face is None:
            return gr.skip(), gr.skip()
        check_draggable(self._studio.networks.subject(session.face))
        image = self._marked(session, "")
        return image, {"background": image, "layers": [], "composite": None}

    def _marked(self, session: Session, text: str) -> Any:
        networks = self._studio.networks
        return image_with(networks.subject(session.picked()), networks.steps(session), Moves.parse(text))

    def _clicked(self, text: str, at: gr.SelectData) -> str:
        scale = self._studio.networks.components.generator.resolution / SIDE
        x, y = at.index
        return str(Moves.parse(text).clicked(round(x * scale), round(y * scale)))

    def _dragged(
        self, session: Session, token: str, text: str, most: float, drawn: Any, request: gr.Request
    ) -> Iterator[Any]:
        networks, moves = self._studio.networks, Moves.parse(text)
        subject, steps = networks.subject(session.picked()), networks.steps(session)
        check_draggable(subject)
        moves.checked()
        layers = (drawn or {}).get("layers") or [None]
        mask = mask_of(layers[0], networks.components.generator.resolution)
        visitors, photo = self._studio.visitors, photo_of(session.picked())

        def work(report: Report) -> Path:
            with visitors.new_folder(token, _KIND) as folder:
                return drag_face(subject, steps, moves, mask, int(most), folder / CODE, report, photo)

        for update in self._studio.works.follow(str(request.session_hash), work):
            if isinstance(update, Finished):
                left = {name: far for name, far in session.edit.strengths if self._of_styles(session, name)}
                session = session.pick(CodeFace(update.result, photo)).to(Edit.of(left), 0.0)
                yield session, status(f"done; kept in {visitors.name_of(update.result.parent)}"), gr.skip(), ""
            else:
                image = gr.skip() if update.image is None else picture(update.image, str(update))
                yield session, status(str(update)), image, gr.skip()

    def _reopened(self, session: Session, token: str, name: str, request: gr.Request) -> Iterator[Any]:
        networks, visitors = self._studio.networks, self._studio.visitors
        face = kept_face(visitors.result(token, _KIND, name), partial(visitors.photo, token))
        photo, folder = face.photo, visitors.folder_of(token) / "projections"
        if photo is not None and not networks.is_open(photo):
            work = partial(open_photo, photo, networks, folder)
            for update in self._studio.works.follow(str(request.session_hash), work):
                if not isinstance(update, Finished):
                    yield session, status(str(update)), gr.skip(), gr.skip()
        yield session.pick(face), status(f"{name} is open in Edit"), gr.skip(), ""

    def _of_styles(self, session: Session, name: str) -> bool:
        known = {**self._studio.networks.directions, **session.own}
        return known[name].space == "s"

    def _cancel(self, request: gr.Request) -> str:
        found = self._studio.works.cancel(str(request.session_hash))
        return status("cancelling …" if found else "nothing is running")
