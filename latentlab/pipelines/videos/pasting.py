"""Edited faces back into the frames of a clip, with masks that are steady over time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import move
from latentlab.faces import CropGeometry, paste_back
from latentlab.faces.cropping import cut
from latentlab.faces.keeping import before_shown, shown_by
from latentlab.faces.tone import tone_of
from latentlab.pipelines.photos.settings import Pasting
from latentlab.pipelines.videos.latents import FilmedFace
from latentlab.pipelines.videos.settings import VideoEditSettings
from latentlab.pipelines.videos.smoothing import Array, kernels
from latentlab.rendering import Renderer


class ClipPaster:
    """Edits the frames of a clip and puts the faces back, in the order of the frames.

    Each photo decides for itself what an edit shows (see `latentlab.faces.keeping`) and whether it has colours; here
    the masks are averaged over the frames around, and one tone serves the whole clip.

    Parameters
    ----------
    face
        The clip and its latents.
    direction
        Direction of the edit.
    strengths
        Its strength in each frame, `(t,)`.
    pasting
        How faces are put back.
    sigma
        Standard deviation, in frames, of the kernel that masks are smoothed with, see
        `latentlab.pipelines.videos.smoothing`.
    """

    def __init__(
        self,
        face: FilmedFace,
        direction: Direction,
        strengths: Array,
        pasting: Pasting,
        sigma: float,
    ):
        self._face, self._direction, self._strengths, self._pasting = face, direction, strengths, pasting
        self._tone = tone_of(face.image) if pasting.keep_tone else None
        self._render = Renderer(face.generator, face.generator.resolution)
        self._kernels = kernels(len(face.clip), sigma)
        self._rendered: dict[int, tuple[Tensor, Tensor]] = {}
        self._shown: dict[int, Tensor] = {}

    @classmethod
    def of(
        cls, face: FilmedFace, direction: Direction, strength: float, settings: VideoEditSettings, fps: float
    ) -> ClipPaster:
        """Make one from the settings: the strength is the same in all frames, and fades where the face is lost."""
        strengths = strength * face.clip.fading(settings.fade * fps)
        return cls(face, direction, strengths, settings.pasting, settings.smoothing * fps)

    def paste(self, index: int, frame: Tensor, geometry: CropGeometry) -> Tensor:
        """Return `frame (1, 3, h, w)` of an index in the clip, with the edited face in it.

        Raises
        ------
        UserError
            The mask is the hull, and there are no 68 landmarks.
        """
        original = None
        if self._pasting.keep_detail:
            original = before_shown(*self._rendered_at(index), cut(frame, geometry), self._steady(index))
        _, edited = self._rendered_at(index)
        self._forget(index)
        landmarks = self._face.clip.landmarks[index] if self._pasting.mask == "hull" else None
        return paste_back(edited, geometry, frame, self._pasting.mask, landmarks, original=original)

    def _steady(self, index: int) -> Tensor:
        """What the edit shows, averaged over the frames around."""
        first, weights = self._kernels[index]
        shown = [weight * self._shown_at(first + k) for k, weight in enumerate(weights.tolist())]
        return torch.stack(shown).sum(dim=0).clamp(0, 1)

    def _forget(self, index: int) -> None:
        """Forget what frames after this one do not need."""
        first, _ = self._kernels[index]
        self._rendered = {k: pair for k, pair in self._rendered.items() if k > index}
        self._shown = {k: shown for k, shown in self._shown.items() if k >= first}

    def _shown_at(self, index: int) -> Tensor:
        """What the edit shows in a frame."""
        if index not in self._shown:
            self._shown[index] = shown_by(*self._rendered_at(index))
        return self._shown[index]

    @torch.no_grad()
    def _rendered_at(self, index: int) -> tuple[Tensor, Tensor]:
        """The face of a frame before and after the edit, `(1, 3, r, r)` each."""
        if index not in self._rendered:
            ws, generator = self._face.ws[[index]], self._face.generator
            rendered = self._render(ws).cpu()
            strength = float(self._strengths[index])
            edited = self._render(move(ws, [(self._direction, strength)], generator)).cpu() if strength else rendered
            if self._tone is not None:
                rendered, edited = self._tone.apply(rendered), self._tone.apply(edited)
            self._rendered[index] = rendered, edited
        return self._rendered[index]


def edited_part(geometry: CropGeometry) -> tuple[slice, slice]:
    """Rows and columns of a frame around a crop; beyond them pasting changes nothing."""
    width, height = geometry.photo_size
    left, top = np.floor(geometry.quad.min(axis=0)).astype(int).clip(0).tolist()
    right, bottom = np.minimum(np.ceil(geometry.quad.max(axis=0)).astype(int), (width, height)).tolist()
    return slice(min(top, height - 1), max(bottom, top + 1)), slice(min(left, width - 1), max(right, left + 1))
