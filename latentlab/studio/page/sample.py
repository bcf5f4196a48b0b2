"""The tab Sample: draw faces, pick one."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.errors import UserError
from latentlab.images import to_pil
from latentlab.studio.faces import Mix, SeedFace
from latentlab.studio.page.common import Studio, told
from latentlab.studio.session import Session

MOST = 24  # faces in the grid
_FIRST, _COUNT = 600, 8


class SampleTab:
    """Controls of the tab, and what they do."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        last = studio.networks.num_ws - 1
        self._drawn = gr.State(())
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                self._seed = gr.Number(_FIRST, label="First seed", precision=0, minimum=0, maximum=2**32 - 1)
                self._count = gr.Slider(1, MOST, _COUNT, step=1, label="Faces")
                self._psi = gr.Slider(
                    0.05, 1.5, 0.7, step=0.05, label="Truncation psi", info="less: more alike; more: more different"
                )
                with gr.Accordion("Mix styles", open=False):
                    self._mixed = gr.Checkbox(False, label="Take some rows from another seed")
                    self._other = gr.Number(
                        601, label="Other seed", precision=0, minimum=0, maximum=2**32 - 1, elem_id="ll-other-seed"
                    )
                    self._from = gr.Slider(0, last, min(8, last), step=1, label="First row from it", info="coarse: 0")
                    self._to = gr.Slider(0, last, last, step=1, label="Last row from it")
                with gr.Row():
                    self._draw = gr.Button("Draw", variant="primary", elem_id="ll-draw")
                    self._more = gr.Button("Next seeds")
            with gr.Column(scale=3, min_width=300):
                gr.Markdown("Pick a face to edit it.")
                self._grid = gr.Gallery(
                    label="Faces",
                    show_label=False,
                    columns=4,
                    height="auto",
                    object_fit="contain",
                    allow_preview=False,
                    format="jpeg",
                    elem_id="ll-grid",
                    buttons=[],
                )

    @property
    def _settings(self) -> list[Any]:
        return [self._seed, self._count, self._psi, self._mixed, self._other, self._from, self._to]

    def connect(self, page: gr.Blocks, session: gr.State) -> Any:
        """Connect the controls to what they do; the first faces are drawn when the page opens.

        Returns the event of a face that was picked.
        """
        shown = {"outputs": [self._drawn, self._grid], "api_visibility": "private"}
        draw = told(self._faces)
        page.load(draw, self._settings, **shown)
        self._draw.click(draw, self._settings, **shown)
        self._seed.submit(draw, self._settings, **shown)
        following = self._more.click(
            lambda seed, count: min(int(seed) + int(count), 2**32 - 1),
            [self._seed, self._count],
            self._seed,
            api_visibility="private",
        )
        following.then(draw, self._settings, **shown)
        return self._grid.select(
            _picked, [session, self._drawn], session, show_progress="hidden", api_visibility="private"
        )

    def _faces(
        self, seed: float | None, count: float, psi: float, mixed: bool, other: float | None, first: int, last: int
    ) -> Any:
        if seed is None or (mixed and other is None):
            raise UserError("give a seed: a whole number from 0")
        mix = Mix(int(other or 0), int(first), int(last)) if mixed else None
        faces = tuple(SeedFace(int(seed) + k, float(psi), mix) for k in range(min(int(count), MOST)))
        images = [(to_pil(self._studio.networks.subject(face).before), f"seed {face.seed}") for face in faces]
        return faces, images


def _picked(session: Session, drawn: tuple[SeedFace, ...], chosen: gr.SelectData) -> Session:
    return session.pick(drawn[int(chosen.index)])
