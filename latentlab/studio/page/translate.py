"""The tab Translate: a translator, and a photo or a drawing for it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from latentlab.errors import UserError
from latentlab.images import opened, save_image, to_pil
from latentlab.studio.page.common import LONG, Studio, told
from latentlab.studio.page.earlier import Earlier
from latentlab.studio.translating import translate, translate_drawing, translator_names, translator_of
from latentlab.studio.visitors import check_upload
from latentlab.translation import shipped

PHOTO, DRAWING = "a photo", "a drawing"
_FOR_PHOTOS = shipped.shipped_editors()[0]
_KIND = "translated"
_SIDE = 512  # of the sketchpad
# Lines of training drawings are a pixel wide: here 4 of 512, twice the radius, are 2 of 256 or 1 of 128.
_BRUSH_RADIUS = 2
_ABOUT_DRAWINGS = f"""Draw dark strokes on white: the outlines of a face, as large as those of *Sample*, with hair,
brows, eyes, nose and mouth. The translator `{shipped.DRAWING}` paints it in 128 pixels; colours are its guess. Another
translator of drawings is one that you train, `latentlab translate train pix2pix`: load its file above.
"""


class TranslateTab:
    """Controls of the tab, and what they do."""

    def __init__(self, studio: Studio, token: gr.BrowserState) -> None:
        self._studio, self._token = studio, token
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._name = gr.Dropdown(
                    translator_names(), value=_FOR_PHOTOS, label="Translator", elem_id="ll-translator-name"
                )
                self._file = gr.File(
                    label="Or a file of your own: .safetensors, .pth",
                    file_types=[".safetensors", ".pth"],
                    height=140,
                    elem_id="ll-translator",
                )
                self._strength = gr.Slider(
                    -1.5, 1.5, 1, step=0.1, label="Strength", info="for translators that take one", buttons=[]
                )
                self._kind = gr.Radio([PHOTO, DRAWING], value=PHOTO, label="Translate", elem_id="ll-kind")
                self._photo = gr.File(label="Photo", file_types=["image"], height=140, elem_id="ll-translated")
                self._about = gr.Markdown(_ABOUT_DRAWINGS, visible=False, elem_id="ll-about-drawings")
                self._drawing = _sketchpad()
                self._go = gr.Button("Translate", variant="primary", elem_id="ll-translate")
            with gr.Column(scale=1, min_width=300):
                self._result = gr.Image(
                    label="Translation",
                    interactive=False,
                    format="png",
                    buttons=["download", "fullscreen"],
                    elem_id="ll-translation",
                )
                self._earlier = Earlier(partial(studio.visitors.results_of, kind=_KIND), token, "Translated before")

    def connect(self, page: gr.Blocks) -> None:
        """Connect the controls to what they do."""
        private: dict[str, Any] = {"api_visibility": "private"}
        self._kind.input(
            lambda kind: (
                _FOR_PHOTOS if kind == PHOTO else shipped.DRAWING,
                gr.File(visible=kind == PHOTO),
                gr.Markdown(visible=kind == DRAWING),
                gr.Sketchpad(visible=kind == DRAWING),
            ),
            self._kind,
            [self._name, self._photo, self._about, self._drawing],
            show_progress="hidden",
            **private,
        )
        self._drawing.clear(_blank, None, self._drawing, show_progress="hidden", **private)
        given = [self._token, self._name, self._file, self._strength, self._kind, self._photo, self._drawing]
        made = self._go.click(told(self._translated), given, self._result, **LONG, **private)
        self._earlier.connect(page, made)
        self._earlier.opens(self._reopened, [self._token, self._earlier.chosen], self._result, **private)

    def _reopened(self, token: str, name: str) -> Image.Image:
        return _opened(self._studio.visitors.result(token, _KIND, name)[0])

    def _translated(
        self,
        token: str,
        name: str,
        upload: str | None,
        strength: float,
        kind: str,
        photo: str | None,
        drawing: Any,
        request: gr.Request,
    ) -> Any:
        components = self._studio.networks.components

        def work() -> Image.Image:
            translator = translator_of(Path(upload) if upload else name, components)
            if kind == DRAWING:
                made = translate_drawing((drawing or {}).get("composite"), translator, float(strength), components)
            else:
                made = translate(_loaded(photo), translator, float(strength), components)
            with self._studio.visitors.new_folder(token, _KIND) as folder:
                save_image(made, folder / "translation.png")
            return to_pil(made)

        return self._studio.works.do(str(request.session_hash), work)


def _sketchpad() -> gr.Sketchpad:
    """White paper and a black brush."""
    return gr.Sketchpad(
        _blank(),
        label="Drawing",
        height=440,
        type="pil",
        canvas_size=(_SIDE, _SIDE),
        fixed_canvas=True,
        layers=False,
        transforms=(),
        brush=gr.Brush(default_size=_BRUSH_RADIUS, colors=["#000000"], color_mode="fixed"),
        visible=False,
        elem_id="ll-drawing",
    )


def _blank() -> dict[str, Any]:
    """White paper: without it, Gradio's sketchpad waits for its brush to be chosen, at first and once cleared."""
    return {"background": Image.new("RGB", (_SIDE, _SIDE), "white"), "layers": [], "composite": None}


def _loaded(photo: str | None) -> Image.Image:
    if not photo:
        raise UserError("load a photo first")
    check_upload(Path(photo))
    return _opened(Path(photo))


def _opened(path: Path) -> Image.Image:
    with opened(path) as image:
        return image.copy()
