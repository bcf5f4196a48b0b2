"""Translators by name or from a visitor's file, and what they make of a photo or a drawing."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import from_pil
from latentlab.pipelines import Components
from latentlab.pipelines.distilling import FaceEditor, is_face_editor
from latentlab.studio.visitors import MOST_TRANSLATOR_BYTES, check_size
from latentlab.translation import Application, Translator, load_translator
from latentlab.translation.data.pixels import as_colour
from latentlab.translation.shipped import DRAWING, shipped_translators
from latentlab.weights.registry import REGISTRY


def translator_names() -> list[str]:
    """Names of translators that come with the package or are fetched by name."""
    return [*shipped_translators(), *(name for name, weight in REGISTRY.items() if weight.kind == "translator")]


def translator_of(source: str | Path, components: Components) -> Translator:
    """Load a translator by its name or, for a path, from a visitor's file; errors name the file, not its folder.

    Raises
    ------
    UserError
        If there is no such translator, the file is too large, or it holds none.
    """
    if isinstance(source, Path):
        check_size(source, MOST_TRANSLATOR_BYTES)
    try:
        return load_translator(source, components.device)
    except UserError as error:
        if isinstance(source, Path):
            raise UserError(str(error).replace(str(source), source.name)) from error
        raise


@torch.inference_mode()
def translate(image: Image.Image, translator: Translator, strength: float, components: Components) -> Tensor:
    """Translate an image of any size, `(1, 3, h, w)` on the CPU.

    Parameters
    ----------
    image
        The image; transparent parts lie on white.
    translator
        The translator; one that edits faces edits all faces in the image.
    strength
        How far along its first attribute, where it takes strengths.
    components
        Networks; the face detector is used for editors of faces.

    Raises
    ------
    UserError
        If no face is found for an editor of faces, the translator needs masks, or the strength is out of range.
    """
    network = translator.network("a2b")
    strengths = {network.attributes[0]: strength} if network.attributes else None
    if is_face_editor(translator):
        photo = from_pil(image).to(components.device)
        return FaceEditor(translator, components.detector, strengths).translate(photo, "the photo").cpu()
    if network.takes_masks:
        raise UserError("this translator needs masks of instances; translate by it on the command line")
    task = Application(translator, strengths=strengths)
    made, _ = task(task.formats[0].from_pil(image))
    return as_colour(made).cpu()


def translate_drawing(
    drawing: Image.Image | None, translator: Translator, strength: float, components: Components
) -> Tensor:
    """Translate what a visitor has drawn, see `translate`.

    Raises
    ------
    UserError
        If the translator edits faces of photos, nothing is drawn, or as for `translate`.
    """
    if is_face_editor(translator):
        raise UserError(
            f"this translator edits faces of photos, and takes no drawing: choose {DRAWING}, or load the file of one "
            "that was trained on drawings, as `latentlab translate train pix2pix drawings` writes it"
        )
    if drawing is None or from_pil(drawing).min() == 1:
        raise UserError("draw something first")
    return translate(drawing, translator, strength, components)
