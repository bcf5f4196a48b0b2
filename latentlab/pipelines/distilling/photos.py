"""Edit photos with a distilled editor: align, edit in one pass, carry over to the photo what the edit changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces import FaceDetector, align, paste_back
from latentlab.faces.alignment import NoFace
from latentlab.faces.cropping import crop
from latentlab.faces.geometry import CropGeometry
from latentlab.images import as_batch, load_image, reduce, resize, save_image
from latentlab.translation.networks import Editor
from latentlab.translation.translator import Translator

# Half a level of an image of 8 bits: the soft mask of an editor is nowhere quite 0, but what it changes by less than
# this does not show, and a photo is not to be touched there.
_LEAST_CHANGE = 1 / 255
# Where more than the first of these shares of a photo goes, its detail goes faster than the rest, and beyond the second
# all of it goes: the edges of teeth are what an eye would see through closed lips.
_DETAIL_GONE = 0.15, 0.5


def is_face_editor(translator: Translator) -> bool:
    """Whether a translator edits faces in FFHQ's framing by strengths."""
    return translator.card.get("framing") == "ffhq" and isinstance(translator.networks.get("a2b"), Editor)


@dataclass(frozen=True)
class FaceEditor:
    """Edits the faces of photos in one pass each.

    An editor works at its own resolution, such as 128 pixels, and a face in a photo may be ten times as large. So the
    edit is enlarged, and not the edited face: how much of the photo stays at each place, and what comes on top.
    Skin and hair keep their sharpness; teeth disappear, edges and all, where lips close over them; and where nothing
    was edited the photo stays as it was, bit for bit.

    Attributes
    ----------
    translator
        Editor that `distil` made.
    detector
        Detector of faces and landmarks, see `latentlab.faces.load_detector`; None where images are aligned faces
        themselves, squares in FFHQ's framing.
    strengths
        By attribute, from -1 to 1 or a little beyond, 0 for those that are not named; None for 1 for the first one.

    Raises
    ------
    UserError
        The translator edits no faces, there is no such attribute, or a strength is out of range.
    """

    translator: Translator
    detector: FaceDetector | None = None
    strengths: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not is_face_editor(self.translator):
            raise UserError("this translator was not distilled from edits of faces")
        self._network.strength_row(self.strengths)

    @torch.no_grad()
    def translate(self, photo: Tensor, name: str = "photo") -> Tensor:
        """Edit all faces of a photo.

        Parameters
        ----------
        photo
            `(1, 3, h, w)` or `(3, h, w)` in [-1, 1], on the editor's device.
        name
            Name of the photo in messages.

        Returns
        -------
        Tensor
            `(1, 3, h, w)`.

        Raises
        ------
        UserError
            No face was found, or an aligned face is not square.
        """
        made = as_batch(photo, "a photo")
        if self.detector is None:
            _check_square(made, name)
            return self._edit_aligned(made)
        for face in align(made, self.detector, self._resolution, "all", name):
            made = self.edit_face(made, face.geometry)
        return made

    @torch.no_grad()
    def edit_face(self, photo: Tensor, geometry: CropGeometry) -> Tensor:
        """Edit the face at one place of `photo (1, 3, h, w)`, and return the whole photo."""
        # As fine as the photo has it, so that nothing but the edit is lost between the two.
        resolution = max(round(geometry.length), self._resolution)
        original, fine = crop(photo, geometry.quad, resolution)
        # Colours need not be matched: what the editor left alone is the photo's own.
        return paste_back(self._edit_aligned(original), fine, photo, match_colour=False, original=original)

    def for_frames(self) -> Callable[[Tensor], Tensor]:
        """Return a function that edits frames of a video, `(1, 3, h, w)`; frames without a face stay as they are."""

        def edit(frame: Tensor) -> Tensor:
            try:
                return self.translate(frame.to(self._device), "frame").to(frame.device)
            except NoFace:
                return frame

        return edit

    def translate_file(self, path: Path, name: str, out: Path) -> None:
        """Write a photo with its faces edited to OUT/NAME.png.

        Raises
        ------
        UserError
            As `translate` says, or a file cannot be read or written.
        """
        save_image(self.translate(load_image(path).to(self._device), str(path)).cpu(), out / f"{name}.png")

    @property
    def _device(self) -> torch.device:
        return next(self._network.parameters()).device

    @property
    def _network(self) -> Editor:
        network = self.translator.networks["a2b"]
        assert isinstance(network, Editor)  # is_face_editor
        return network

    @property
    def _resolution(self) -> int:
        return int(self.translator.card["resolution"])

    def _edit_aligned(self, face: Tensor) -> Tensor:
        """Edit an aligned face of any resolution, `(1, 3, h, h)`."""

        seen = resize(reduce(face, self._resolution), self._resolution, self._resolution)
        layers = self._network.layers(seen, seen.new_tensor([self._network.strength_row(self.strengths)]))
        edit = torch.cat([1 - layers.kept, layers.added], dim=1)
        edit = torch.where(edit.abs().amax(dim=1, keepdim=True) < _LEAST_CHANGE, 0.0, edit)
        enlarged = F.interpolate(torch.cat([edit, seen], dim=1), face.shape[2:], mode="bicubic", antialias=True)
        gone, added, blurred = enlarged[:, :1].clamp(0, 1), enlarged[:, 1:4], enlarged[:, 4:]
        least, most = _DETAIL_GONE
        detail = (1 - gone) * ((gone - least) / (most - least)).clamp(0, 1) * (face - blurred)
        return (face - gone * face + added - detail).clamp(-1, 1)


def _check_square(face: Tensor, name: str) -> None:
    height, width = face.shape[2:]
    if height != width:
        raise UserError(
            f"{name}: an aligned face is square, not {width}x{height}; photos are edited without --aligned, and "
            "`latentlab align` cuts faces out of them"
        )
