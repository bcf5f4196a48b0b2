"""The page in the browser: sample faces, edit them with sliders, project photos, learn directions.

The modules beside this one know nothing of Gradio: what a session holds, how a face is rendered, what is exported.
`latentlab.studio.page` draws them.
"""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.studio.exporting import EXPORTS, export
    from latentlab.studio.faces import CodeFace, Face, Mix, PhotoFace, SeedFace
    from latentlab.studio.networks import Networks
    from latentlab.studio.recipes import recipe_of
    from latentlab.studio.serving import StudioSettings, served
    from latentlab.studio.session import Edit, History, Session

__all__ = [
    "EXPORTS",
    "CodeFace",
    "Edit",
    "Face",
    "History",
    "Mix",
    "Networks",
    "PhotoFace",
    "SeedFace",
    "Session",
    "StudioSettings",
    "export",
    "recipe_of",
    "served",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "exporting": ("EXPORTS", "export"),
            "faces": ("CodeFace", "Face", "Mix", "PhotoFace", "SeedFace"),
            "networks": ("Networks",),
            "recipes": ("recipe_of",),
            "serving": ("StudioSettings", "served"),
            "session": ("Edit", "History", "Session"),
        },
    )
