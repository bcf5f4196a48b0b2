"""The tab Translate: a translator, and a photo or a drawing for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from latentlab.errors import UserError
from latentlab.images import opened, to_pil
from latentlab.studio.page.common import LONG, Studio, told
from latentlab.studio.translating import translate, translator_names, translator_of
from latentlab.studio.visitors import check_size, check_upload

PHOTO, DRAWING = "a photo", "a drawing"
_SIDE = 512  # of the sketchpad


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
                    height=120,
                    elem_id="ll-translator",
                )
                self._strength = gr.Slider(
                    -1.5, 1.5, 1, step=0.1, label="Strength", info="for translators that take one", buttons=[]
                )
                self._kind = gr.Radio([PHOTO, DRAWING], value=PHOTO, label="Translate")
                self._photo = gr.File(label="Photo", file_types=["image"], height=120, elem_id="ll-translated")
                self._drawing = gr.Sketchpad(
                    label="Drawing: dark strokes on white, such as the outlines of a face",
                    type="pil",
                    canvas_size=(_SIDE, _SIDE),
                    fixed_canvas=True,
                    layers=False,
                    brush=gr.Brush(default_size=4, colors=["#000000"], color_mode="fixed"),
                    visible=False,
                    elem_id="ll-drawing",
                )
                self._go = gr.Button("Translate", variant="primary", elem_id="ll-translate")
            with gr.Column(scale=1, min_width=300):
                self._result = gr.Image(
                    label="Translation", interactive=False, format="png", buttons=["download", "fullscreen"]
                )

    def connect(self) -> None:
        """Let the controls do what they are for."""
        private: dict[str, Any] = {"api_visibility": "private"}
        self._kind.input(
            lambda kind: (gr.File(visible=kind == PHOTO), gr.Sketchpad(visible=kind == DRAWING)),
            self._kind,
            [self._photo, self._drawing],
            show_progress="hidden",
            **private,
        )
        given = [self._name, self._file, self._strength, self._kind, self._photo, self._drawing]
        self._go.click(told(self._translated), given, self._result, **LONG, **private)

    def _translated(
        self, name: str, upload: str | None, strength: float, kind: str, photo: str | None, drawing: Any
    ) -> Any:
        components = self._studio.networks.components
        if upload:
            check_size(Path(upload))
        translator = translator_of(Path(upload) if upload else name, components)
        return to_pil(translate(_image(kind, photo, drawing), translator, float(strength), components))


def _image(kind: str, photo: str | None, drawing: Any) -> Image.Image:
    if kind == DRAWING:
        if not drawing or drawing.get("composite") is None:
            raise UserError("draw something first")
        composite: Image.Image = drawing["composite"]
        return composite
    if not photo:
        raise UserError("load a photo first")
    check_upload(Path(photo))
    with opened(photo) as image:
        return image.copy()
