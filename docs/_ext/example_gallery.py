"""What the gallery shows of an example, and in which order the examples stand."""

import shutil
from pathlib import Path
from typing import Any

READING_ORDER = (
    "generate",
    "style_mixing",
    "latent_walk",
    "smile_direction",
    "direction_library",
    "own_attribute",
    "edit_photo",
    "edges_to_face",
    "shapes_instagan",
    "smile_cyclegan",
    "smile_instagan",
    "train_generator",
    "own_method",
    "facades",
)


def reading_order(name: str) -> int:
    """Place of an example in the gallery, by its file's name."""
    return READING_ORDER.index(Path(name).stem)


def shown_by_notebooks(block: Any, variables: dict[str, Any], settings: dict[str, Any]) -> str:
    """Show a cell's last expression as a notebook would: an image, a figure, or what is in an image file.

    Sphinx-Gallery itself knows the figures of pyplot alone, and this library's are without pyplot's global state.
    """
    from sphinx_gallery.scrapers import figure_rst  # the tests look at the order, and have no Sphinx

    shown = variables["example_globals"].get("___")
    variables["example_globals"]["___"] = None  # so that the next cell does not show it again
    if isinstance(shown, Path) and shown.suffix in (".gif", ".png"):
        path = Path(variables["image_path_iterator"].next()).with_suffix(shown.suffix)
        shutil.copyfile(shown, path)
    elif hasattr(shown, "_repr_png_"):
        path = Path(variables["image_path_iterator"].next())
        path.write_bytes(shown._repr_png_())
    else:
        return ""
    return str(figure_rst([path], settings["src_dir"]))
