"""The tab Edit: sliders, the live preview, what is measured beside it, and exports."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.directions import Direction
from latentlab.editing import strength_range
from latentlab.errors import UserError
from latentlab.images import to_pil
from latentlab.pipelines.photos.edits import or_unknown
from latentlab.studio.exporting import EXPORTS, export
from latentlab.studio.page.common import LONG, QUICK, Studio, offered, pair, status, told
from latentlab.studio.page.earlier import Earlier
from latentlab.studio.page.look import CUT
from latentlab.studio.recipes import recipe_of
from latentlab.studio.session import Edit, Session
from latentlab.studio.subjects import Figures
from latentlab.studio.visitors import check_size, plain_name
from latentlab.studio.working import Finished, Report

MOST_OWN = 6  # directions of a visitor's own
_FACELESS = "Pick a face under Sample, or project one under Photo."
_STEPS = 200  # of a slider, about
_KIND = "export"


def bounds(direction: Direction) -> tuple[float, float, float]:
    """Ends of a direction's slider, and its step: a round number, of which the ends are multiples."""
    away, towards = strength_range(direction)
    step = 10.0 ** math.floor(math.log10((towards - away) / _STEPS))
    step = next(step * k for k in (1, 2, 5, 10) if (towards - away) / (step * k) <= _STEPS)
    digits = max(0, -math.floor(math.log10(step)))
    return round(math.floor(away / step) * step, digits), round(math.ceil(towards / step) * step, digits), step


class EditTab:
    """Controls of the tab, and what they do."""

    def __init__(self, studio: Studio, session: gr.State, token: gr.BrowserState) -> None:
        self._studio, self._session, self._token = studio, session, token
        self._directions = studio.networks.directions
        with gr.Row():
            with gr.Column(scale=2, min_width=300, elem_id="ll-looking"):
                self._build_view()
            with gr.Column(scale=3, min_width=300):
                self._build_sliders()
        self._build_exports()

    def _build_view(self) -> None:
        scores = self._studio.networks.components.scorer.names
        self._title = gr.HTML(status(_FACELESS), elem_id="ll-title")
        self._view = gr.HTML(elem_id="ll-view", label="Live preview", min_height=200)
        with gr.Row():
            self._undo = gr.Button("Undo", size="sm", min_width=80)
            self._reset = gr.Button("Reset", size="sm", min_width=80)
            self._whole = gr.Button("Full size", size="sm", min_width=80)
        self._figures = gr.HTML(elem_id="ll-figures")
        self._cut = gr.Slider(0, 100, 0, step=1, label="Compare: per cent of the original", buttons=[])
        self._score = gr.Dropdown(list(scores), value="happy" if "happy" in scores else scores[0], label="Score")

    def _build_sliders(self) -> None:
        last = self._studio.networks.num_ws - 1
        self._sliders = []
        with gr.Row():
            for name, direction in self._directions.items():
                low, high, step = bounds(direction)
                slider = gr.Slider(
                    low, high, 0, step=step, label=name, min_width=220, buttons=[], elem_id=f"ll-slider-{name}"
                )
                self._sliders.append(slider)
            self._own = [
                gr.Slider(-1, 1, 0, label=f"own {k}", min_width=220, visible=False, buttons=[]) for k in range(MOST_OWN)
            ]
        with gr.Accordion("Layers and directions of your own", open=False):
            self._first = gr.Slider(
                0, last, 0, step=1, label="First layer that moves", info="coarse: 0; directions of w alone", buttons=[]
            )
            self._last = gr.Slider(0, last, last, step=1, label="Last layer that moves", buttons=[])
            self._file = gr.File(
                label="Direction: .safetensors, .npy, .npz, .pt",
                file_types=[".safetensors", ".npy", ".npz", ".pt"],
                height=140,
                elem_id="ll-direction",
            )

    def _build_exports(self) -> None:
        self._full = gr.Image(
            label="Full size",
            visible=False,
            interactive=False,
            format="png",
            buttons=["download", "fullscreen"],
            elem_id="ll-full",
        )
        with gr.Accordion("Export", open=False):
            self._kinds = gr.CheckboxGroup(list(EXPORTS), value=["PNG", "recipe"], label="Files")
            with gr.Row():
                self._make = gr.Button("Make the files", variant="primary", elem_id="ll-export")
                self._stop = gr.Button("Cancel")
            self._progress = gr.HTML(status(""))
            self._files = gr.Files(label="Your files", interactive=False, elem_id="ll-files")
            self._earlier = Earlier(
                partial(self._studio.visitors.results_of, kind=_KIND), self._token, "Exported before"
            )
        with gr.Accordion("The same image again", open=False):
            self._command = gr.Code(language="shell", label="Command", interactive=False, elem_id="ll-command")
            self._python = gr.Code(language="python", label="Python", interactive=False, elem_id="ll-python")

    # --- wiring ---------------------------------------------------------------------------------------------

    @property
    def _all(self) -> list[Any]:
        """All controls whose values make an edit."""
        return [self._first, self._last, *self._sliders, *self._own]

    @property
    def _pictured(self) -> list[Any]:
        """What shows a session's face: given by `_show`."""
        return [self._title, self._view, self._full]

    @property
    def _told(self) -> list[Any]:
        """What describes a session's face: given by `_measure`."""
        return [self._figures, self._command, self._python]

    def connect(self, page: gr.Blocks) -> None:
        """Connect the controls to what they do."""
        quick: dict[str, Any] = {**QUICK, "api_visibility": "private"}
        long: dict[str, Any] = {**LONG, "api_visibility": "private"}
        # Not in the queue, which looks for events, and for their answers, some tens of milliseconds apart.
        moved = gr.on(
            [one.input for one in self._all],
            self._moved,
            [self._session, *self._all],
            [self._session, *self._pictured],
            trigger_mode="always_last",
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        self._measure_after(moved)
        for button, change in ((self._undo, Session.undone), (self._reset, self._unedited)):
            back = button.click(change, self._session, self._session, **quick)
            self.after(back)
        self._score.change(told(self._measure), [self._session, self._score], self._told, **quick)
        self._cut.input(None, self._cut, None, js=CUT, api_visibility="private")
        self._whole.click(told(self._rendered), self._session, self._full, **long)
        uploaded = self._file.upload(
            told(self._with_direction), [self._session, self._file], [self._session, self._file], **quick
        )
        self.after(uploaded)
        made = self._make.click(
            told(self._export),
            [self._session, self._token, self._kinds],
            [self._progress, self._files],
            show_progress="hidden",
            **long,
        )
        self._earlier.connect(page, made)
        given = [self._token, self._earlier.chosen]
        self._earlier.opens(self._reopened, given, [self._progress, self._files], **quick)
        self._stop.click(self._cancel, None, self._progress, queue=False, api_visibility="private")

    def after(self, event: Any) -> Any:
        """After another event that changed the session, show its edit and its face."""
        quick: dict[str, Any] = {**QUICK, "api_visibility": "private"}
        there = event.success(self._values, self._session, self._all, **quick)
        shown = there.success(told(self._show), self._session, self._pictured, **quick)
        return self._measure_after(shown)

    def _measure_after(self, event: Any) -> Any:
        """Describe the face that an event showed: an event of its own, for which the next image does not wait."""
        return event.success(
            told(self._measure),
            [self._session, self._score],
            self._told,
            trigger_mode="always_last",
            api_visibility="private",
            **QUICK,
        )

    # --- what they do ---------------------------------------------------------------------------------------

    def _moved(self, session: Session, first: float, last: float, *strengths: float) -> list[Any]:
        names = [*self._directions, *session.own]
        everything = (first, last) == (0, self._studio.networks.num_ws - 1)
        given = {name: float(value or 0) for name, value in zip(names, strengths, strict=False)}
        try:
            edit = Edit.of(given, None if everything else (int(first), int(last)))
            session = session.to(edit, time.monotonic())
            return [session, *self._show(session)]
        except UserError as error:  # in place of a message, which Gradio shows of events in the queue alone
            return [session, status(str(error)), gr.skip(), gr.skip()]

    def _show(self, session: Session) -> list[Any]:
        if session.face is None:
            return [status(_FACELESS), gr.skip(), gr.skip()]
        networks = self._studio.networks
        subject = networks.subject(session.face)
        image = subject.previewed(networks.steps(session))
        alt = f"{session.face.title}: {_in_words(session.edit)}"
        return [status(alt), pair(image, subject.before, alt), gr.Image(visible=False)]

    def _measure(self, session: Session, score: str) -> list[Any]:
        if session.face is None:
            return [gr.skip()] * len(self._told)
        networks = self._studio.networks
        found = networks.figures(networks.subject(session.face), networks.steps(session))
        recipe = recipe_of(session, networks)
        return [_figures(found, score), recipe.command, recipe.python]

    def _values(self, session: Session) -> list[Any]:
        first, last = session.edit.layers or (0, self._studio.networks.num_ws - 1)
        own = list(session.own.items())
        updates: list[Any] = [first, last, *(session.edit.strength(name) for name in self._directions)]
        for k in range(MOST_OWN):
            if k < len(own):
                name, direction = own[k]
                low, high, step = bounds(direction)
                value = session.edit.strength(name)
                updates.append(gr.Slider(low, high, value, step=step, label=name, visible=True))
            else:
                updates.append(gr.Slider(visible=False))
        return updates

    @staticmethod
    def _unedited(session: Session) -> Session:
        return session.to(Edit(), time.monotonic())

    def _rendered(self, session: Session, request: gr.Request) -> Any:
        networks = self._studio.networks
        face = session.picked()
        image = self._studio.works.do(
            str(request.session_hash), lambda: networks.subject(face).full(networks.steps(session))
        )
        return gr.Image(to_pil(image), visible=True)

    def _with_direction(self, session: Session, upload: str) -> Any:
        path = Path(upload)
        check_size(path)
        direction = self._studio.networks.own_direction(path)
        name = plain_name(path.name).partition(".")[0]
        name = f"own-{name}" if name in self._directions else name
        return session.with_direction(name, direction, MOST_OWN), None

    def _export(self, session: Session, token: str, kinds: list[str], request: gr.Request) -> Iterator[Any]:
        session.picked()
        visitors, networks = self._studio.visitors, self._studio.networks

        def work(report: Report) -> list[Path]:
            with visitors.new_folder(token, _KIND) as folder:
                return export(session, kinds, networks, folder, report.stage)

        for update in self._studio.works.follow(str(request.session_hash), work):
            if isinstance(update, Finished):
                yield status(f"kept in {visitors.name_of(update.result[0].parent)}"), offered(update.result)
            else:
                yield status(str(update)), None

    def _reopened(self, token: str, name: str) -> Any:
        return status(name), offered(self._studio.visitors.result(token, _KIND, name))

    def _cancel(self, request: gr.Request) -> str:
        found = self._studio.works.cancel(str(request.session_hash))
        return status("cancelling …" if found else "nothing is running")


def _in_words(edit: Edit) -> str:
    words = ", ".join(f"{name} {strength:+g}" for name, strength in edit.strengths) or "unedited"
    return words if edit.layers is None else f"{words}, layers {edit.layers[0]}–{edit.layers[1]}"


def _figures(found: Figures, score: str) -> str:
    before, after = found.scores.get(score, (math.nan, math.nan))
    identity = or_unknown(found.identity) + (f" ({found.why_unknown})" if found.why_unknown else "")
    rows = {
        score: f"{or_unknown(before)} → {or_unknown(after)}",
        "identity": identity,
        "distance from w_avg": "unknown" if math.isnan(found.distance) else f"{found.distance:.2f} sigmas",
    }
    cells = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows.items())
    return f'<dl class="ll-figures">{cells}</dl>'
