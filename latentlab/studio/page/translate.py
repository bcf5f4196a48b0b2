"""The tab Translate: a translator, and a photo or a drawing for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from latentlab.errors import UserError
from latentlab.images import opened, to_pil
from latentlab.studio.page.common import LONG, Studio, told
from latentlab.studio.translating import translate, translate_drawing, translator_names, translator_of
from latentlab.studio.visitors import check_upload

PHOTO, DRAWING = "a photo", "a drawing"
_SIDE = 512  # of the sketchpad
# Lines of training drawings are a pixel wide: here 4 of 512, twice the radius, are 2 of 256 or 1 of 128.
_BRUSH_RADIUS = 2
_ABOUT_DRAWINGS = """Drawings are for translators that were trained on drawings, such as by pix2pix. None comes with the
studio: those in the list are for photos. Load a file of your own above, the `translator.safetensors` that these make:

    latentlab translate make drawings --seeds 600-999 --size 256 --out drawings
    latentlab translate train pix2pix drawings --out painter

Draw dark strokes on white, such as the outlines of a face.
"""


class TranslateTab:
    """Controls of the tab, and what they do."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        names = translator_names()
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._name = gr.Dropdown(names, value=names[0], label="Translator")
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
                self._drawing = gr.Sketchpad(
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
                self._go = gr.Button("Translate", variant="primary", elem_id="ll-translate")
            with gr.Column(scale=1, min_width=300):
                self._result = gr.Image(
                    label="Translation",
                    interactive=False,
                    format="png",
                    buttons=["download", "fullscreen"],
                    elem_id="ll-translation",
                )

    def connect(self) -> None:
        """Let the controls do what they are for."""
        private: dict[str, Any] = {"api_visibility": "private"}
        self._kind.input(
            lambda kind: (
                gr.File(visible=kind == PHOTO),
                gr.Markdown(visible=kind == DRAWING),
                gr.Sketchpad(visible=kind == DRAWING),
            ),
            self._kind,
            [self._photo, self._about, self._drawing],
            show_progress="hidden",
            **private,
        )
        self._drawing.clear(_blank, None, self._drawing, show_progress="hidden", **private)
        given = [self._name, self._file, self._strength, self._kind, self._photo, self._drawing]
        self._go.click(told(self._translated), given, self._result, **LONG, **private)

    def _translated(
        self,
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
            return to_pil(made)

        return self._studio.works.do(str(request.session_hash), work)


def _blank() -> dict[str, Any]:
    """White paper: on none, Gradio's sketchpad waits for its brush to be chosen, at first and after it was cleared."""
    return {"background": Image.new("RGB", (_SIDE, _SIDE), "white"), "layers": [], "composite": None}


def _loaded(photo: str | None) -> Image.Image:
    if not photo:
        raise UserError("load a photo first")
    check_upload(Path(photo))
    with opened(photo) as image:
        return image.copy()
