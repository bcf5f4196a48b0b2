"""The tab Photo: load a photo, choose a face, project it, and edit many photos one after another."""

from __future__ import annotations

import html
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.images import to_pil
from latentlab.markdown import escape, table
from latentlab.pipelines.checks import format_value
from latentlab.pipelines.photos import CheckedPhoto, PhotoRecipe, photo_recipe
from latentlab.studio.faces import PhotoFace
from latentlab.studio.page.common import LONG, Studio, offered, picture, status, told
from latentlab.studio.page.earlier import Earlier
from latentlab.studio.photos import crops_of, edit_queue, open_photo
from latentlab.studio.session import Session
from latentlab.studio.working import Finished, Report, Update

_KIND = "queue"
QUICK_LOOK, WHOLE_WAY = "quick look", "whole way"


class PhotoTab:
    """Controls of the tab, and what they do.

    Attributes
    ----------
    done
        Event of a face that was projected: the session holds it then.
    """

    def __init__(self, studio: Studio, session: gr.State, token: gr.BrowserState) -> None:
        self._studio, self._session, self._token = studio, session, token
        self._path = gr.State("")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                self._upload = gr.File(
                    label="Photo: drop one here", file_types=["image"], height=140, elem_id="ll-photo"
                )
                photos, kept = self._studio.visitors.photos_of, "what was projected of them is kept"
                self._kept = Earlier(photos, self._token, "Your photos", kept)
                self._faces = gr.Radio([], label="Face", visible=False)
                self._crops = gr.Gallery(
                    label="Faces",
                    show_label=False,
                    columns=4,
                    height=160,
                    allow_preview=False,
                    visible=False,
                    buttons=[],
                )
                self._checks = gr.Markdown(elem_id="ll-checks", elem_classes="ll-table")
            with gr.Column(scale=3, min_width=300):
                self._way = gr.Radio([QUICK_LOOK, WHOLE_WAY], value=QUICK_LOOK, label="Projection")
                self._steps = gr.Number(
                    0, label="Steps (0: the recipe's)", precision=0, minimum=0, maximum=5000, elem_id="ll-steps"
                )
                self._tune = gr.Checkbox(True, label="Refine the generator to the photo afterwards", elem_id="ll-tune")
                with gr.Row():
                    self._project = gr.Button("Project and edit", variant="primary", elem_id="ll-project")
                    self._stop = gr.Button("Cancel", elem_id="ll-cancel")
                self._progress = gr.HTML(status(""), elem_id="ll-projecting")
                self._view = gr.HTML(label="Projection", elem_id="ll-projected")
        self._build_queue()

    def _build_queue(self) -> None:
        with gr.Accordion("Many photos", open=False):
            gr.Markdown(
                "The largest face of each photo is projected, edited as the sliders of Edit stand, and pasted back. "
                "Each photo is kept as soon as it is done."
            )
            self._many = gr.Files(label="Photos", file_types=["image"], height=140, elem_id="ll-photos")
            self._queue = gr.Button("Edit all of them", elem_id="ll-queue")
            self._told = gr.HTML(status(""), elem_id="ll-queued")
            self._results = gr.Files(label="Edited photos", interactive=False, elem_id="ll-edited")
            self._earlier = Earlier(partial(self._studio.visitors.results_of, kind=_KIND), self._token, "Edited before")

    def connect(self, page: gr.Blocks) -> Any:
        """Connect the controls to what they do; returns the event of a face that was projected."""
        private: dict[str, Any] = {"api_visibility": "private"}
        shown = [self._path, self._faces, self._crops, self._checks, self._view]
        taken = self._upload.upload(
            told(self._take), [self._token, self._upload], [self._path, self._upload], **private
        )
        found = taken.success(told(self._found), self._path, shown, **private)
        self._kept.connect(page, found)
        again = self._kept.opens(self._open, [self._token, self._kept.chosen], self._path, **private)
        again.success(told(self._found), self._path, shown, **private)
        self._faces.input(told(self._checked), [self._path, self._faces], [self._checks, self._view], **private)
        recipe = [self._way, self._steps, self._tune]
        self._stop.click(self._cancel, None, self._progress, queue=False, **private)
        edited = self._queue.click(
            told(self._all),
            [self._session, self._token, self._many, *recipe],
            [self._told, self._results],
            show_progress="hidden",
            **LONG,
            **private,
        )
        self._earlier.connect(page, edited)
        given = [self._token, self._earlier.chosen]
        self._earlier.opens(self._reopened, given, [self._told, self._results], **private)
        return self._project.click(
            told(self._projected),
            [self._session, self._token, self._path, self._faces, *recipe],
            [self._session, self._progress, self._view],
            show_progress="hidden",
            **LONG,
            **private,
        )

    # --- choosing -------------------------------------------------------------------------------------------

    def _take(self, token: str, upload: str) -> Any:
        return str(self._studio.visitors.take_photo(token, upload)), None

    def _open(self, token: str, name: str) -> str:
        return str(self._studio.visitors.photo(token, name))

    def _found(self, path: str) -> Any:
        faces = self._studio.networks.faces(Path(path))
        names = [f"face {number}" for number in range(1, len(faces) + 1)]
        crops = [(to_pil(crop), name) for crop, name in zip(crops_of(faces), names, strict=True)]
        many = len(faces) > 1
        return (
            path,
            gr.Radio(names, value=names[0], visible=many),
            gr.Gallery(crops, visible=many),
            *_shown(faces[0]),
        )

    def _checked(self, path: str, name: str) -> Any:
        return _shown(self._face(path, name)[1])

    def _face(self, path: str, name: str) -> tuple[int, CheckedPhoto]:
        if not path:
            raise UserError("load a photo first")
        faces = self._studio.networks.faces(Path(path))
        number = int(name.rpartition(" ")[2]) if name else 1
        return number, faces[min(number, len(faces)) - 1]

    # --- long work ------------------------------------------------------------------------------------------

    def _projected(
        self,
        session: Session,
        token: str,
        path: str,
        name: str,
        way: str,
        steps: float | None,
        tune: bool,
        request: gr.Request,
    ) -> Iterator[Any]:
        number, photo = self._face(path, name)
        recipe = _recipe(way, steps, tune)
        networks, visitors = self._studio.networks, self._studio.visitors
        folder = visitors.folder_of(token) / "projections"

        def work(report: Report) -> PhotoFace:
            face = PhotoFace(Path(path), number, recipe)
            open_photo(face, networks, folder, report)
            return face

        for update in self._studio.works.follow(str(request.session_hash), work):
            if isinstance(update, Finished):
                yield (
                    session.pick(update.result),
                    status(f"done; kept in {visitors.name_of(folder / photo.name)}"),
                    gr.skip(),
                )
            else:
                image = gr.skip() if update.image is None else picture(update.image, f"the projection: {update}")
                yield session, status(str(update)), image

    def _all(
        self,
        session: Session,
        token: str,
        uploads: list[str] | None,
        way: str,
        steps: float | None,
        tune: bool,
        request: gr.Request,
    ) -> Iterator[Any]:
        if not uploads:
            raise UserError("load some photos first")
        visitors, networks = self._studio.visitors, self._studio.networks
        recipe, paths, done = _recipe(way, steps, tune), [Path(upload) for upload in uploads], list[Path]()

        def work(report: Report) -> list[str]:
            with visitors.new_folder(token, _KIND) as folder:
                return edit_queue(paths, networks, networks.steps(session), recipe, folder, report, done)

        for update in self._studio.works.follow(str(request.session_hash), work):
            if isinstance(update, Finished):
                lines = "".join(f"<li>{html.escape(line)}</li>" for line in update.result)
                kept = f", kept in {visitors.name_of(done[0].parent)}" if done else ""
                yield f"{status(f'{len(done)} done{kept}')}<ul>{lines}</ul>", offered(done)
            elif isinstance(update, Update):
                yield status(f"{update} ({len(done)} of {len(paths)} photos done)"), None

    def _reopened(self, token: str, name: str) -> Any:
        return status(name), offered(self._studio.visitors.result(token, _KIND, name))

    def _cancel(self, request: gr.Request) -> str:
        found = self._studio.works.cancel(str(request.session_hash))
        return status("cancelling …" if found else "nothing is running")


def _recipe(way: str, steps: float | None, tune: bool) -> PhotoRecipe:
    fast = way == QUICK_LOOK
    own = photo_recipe(tune=tune, fast=fast)
    if not steps or steps == own.projection.steps:
        return own
    if steps > own.projection.steps:
        raise UserError(
            f"the {way} has {own.projection.steps} steps; take fewer" + (", or the whole way" if fast else "")
        )
    return own.shortened(int(steps))


def _shown(photo: CheckedPhoto) -> tuple[str, str]:
    """The quality checks of a face as Markdown, and the face as HTML."""
    rows = [(check.name, format_value(check), check.verdict) for check in photo.checks]
    reasons = [f"- {escape(check.told)}" for check in photo.checks if check.cause]
    checks = "\n".join([table(["check", "value", "verdict"], rows, numbers=[1]), "", *reasons])
    return checks, picture(crops_of([photo], 512)[0], f"{photo.path.name}, face {photo.number}, aligned")
