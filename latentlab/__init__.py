"""Look into StyleGAN2's latent space, edit faces in it, and measure how well that went.

>>> import latentlab as ll
>>> generator = ll.load_generator("mobile-ffhq")
>>> ws = generator.mapping(ll.z_from_seeds([601], generator.z_dim), psi=0.7)
>>> smiling = ll.move(ws, 8 * ll.load_direction("smile"), generator)
>>> ll.save_image(ll.Renderer(generator, generator.resolution)(smiling), "601-smiles.png")

Names are imported on first use: `import latentlab` itself loads neither torch nor anything else that is slow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.comparison import compare
    from latentlab.directions import (
        Direction,
        LinearSVM,
        MeanDifference,
        RidgeOnLogit,
        export_direction,
        load_direction,
    )
    from latentlab.directions import fit as fit_direction
    from latentlab.distributed import cluster
    from latentlab.dragging import DragSettings, drag
    from latentlab.editing import edit, move, walk
    from latentlab.errors import UserError
    from latentlab.faces import align, paste_back
    from latentlab.generators import train_generator
    from latentlab.images import load_image, save_image, to_pil
    from latentlab.latents import load_latents, save_latents
    from latentlab.metrics import LPIPS, FrechetDistance, Identity, KernelDistance, Leakage, OutsideChange, Sharpness
    from latentlab.perceptual import load_perceptual
    from latentlab.pipelines import (
        Components,
        LabelSettings,
        MeasuredAttribute,
        MeasureSettings,
        PhotoEditSettings,
        StudySettings,
        edit_photo,
        edit_photos,
        import_direction,
        measure_directions,
        strength_for,
        study_attribute,
    )
    from latentlab.pipelines import label_samples as sample
    from latentlab.plots import grid_figure, response_figure, save_figure, walk_figure
    from latentlab.projection import project, tune
    from latentlab.rendering import Renderer
    from latentlab.scorers import FunctionScorer, load_scorer
    from latentlab.translation import load_translator
    from stylegan2 import load as load_generator
    from stylegan2 import optimize, style_mix, z_from_seeds
    from stylegan2.memory import keep_freed_memory

    __version__: str

# The front door: name -> module and attribute.
_NAMES = {
    "Components": "latentlab.pipelines:Components",
    "Direction": "latentlab.directions:Direction",
    "DragSettings": "latentlab.dragging:DragSettings",
    "FrechetDistance": "latentlab.metrics:FrechetDistance",
    "FunctionScorer": "latentlab.scorers:FunctionScorer",
    "Identity": "latentlab.metrics:Identity",
    "KernelDistance": "latentlab.metrics:KernelDistance",
    "LPIPS": "latentlab.metrics:LPIPS",
    "LabelSettings": "latentlab.pipelines:LabelSettings",
    "Leakage": "latentlab.metrics:Leakage",
    "LinearSVM": "latentlab.directions:LinearSVM",
    "MeanDifference": "latentlab.directions:MeanDifference",
    "MeasureSettings": "latentlab.pipelines:MeasureSettings",
    "MeasuredAttribute": "latentlab.pipelines:MeasuredAttribute",
    "OutsideChange": "latentlab.metrics:OutsideChange",
    "PhotoEditSettings": "latentlab.pipelines:PhotoEditSettings",
    "Renderer": "latentlab.rendering:Renderer",
    "RidgeOnLogit": "latentlab.directions:RidgeOnLogit",
    "Sharpness": "latentlab.metrics:Sharpness",
    "StudySettings": "latentlab.pipelines:StudySettings",
    "UserError": "latentlab.errors:UserError",
    "align": "latentlab.faces:align",
    "cluster": "latentlab.distributed:cluster",
    "compare": "latentlab.comparison:compare",
    "drag": "latentlab.dragging:drag",
    "edit": "latentlab.editing:edit",
    "edit_photo": "latentlab.pipelines:edit_photo",
    "edit_photos": "latentlab.pipelines:edit_photos",
    "export_direction": "latentlab.directions:export_direction",
    "fit_direction": "latentlab.directions:fit",
    "grid_figure": "latentlab.plots:grid_figure",
    "import_direction": "latentlab.pipelines:import_direction",
    "keep_freed_memory": "stylegan2.memory:keep_freed_memory",
    "load_direction": "latentlab.directions:load_direction",
    "load_generator": "stylegan2:load",
    "load_image": "latentlab.images:load_image",
    "load_latents": "latentlab.latents:load_latents",
    "save_latents": "latentlab.latents:save_latents",
    "load_perceptual": "latentlab.perceptual:load_perceptual",
    "load_scorer": "latentlab.scorers:load_scorer",
    "load_translator": "latentlab.translation:load_translator",
    "measure_directions": "latentlab.pipelines:measure_directions",
    "move": "latentlab.editing:move",
    "optimize": "stylegan2:optimize",
    "paste_back": "latentlab.faces:paste_back",
    "project": "latentlab.projection:project",
    "response_figure": "latentlab.plots:response_figure",
    "sample": "latentlab.pipelines:label_samples",
    "save_figure": "latentlab.plots:save_figure",
    "save_image": "latentlab.images:save_image",
    "strength_for": "latentlab.pipelines:strength_for",
    "study_attribute": "latentlab.pipelines:study_attribute",
    "style_mix": "stylegan2:style_mix",
    "to_pil": "latentlab.images:to_pil",
    "train_generator": "latentlab.generators:train_generator",
    "tune": "latentlab.projection:tune",
    "walk": "latentlab.editing:walk",
    "walk_figure": "latentlab.plots:walk_figure",
    "z_from_seeds": "stylegan2:z_from_seeds",
}

_MODULES = (
    "comparison",
    "datasets",
    "directions",
    "distributed",
    "dragging",
    "editing",
    "faces",
    "generators",
    "images",
    "latents",
    "metrics",
    "perceptual",
    "pipelines",
    "plots",
    "projection",
    "registry",
    "samples",
    "scorers",
    "tasks",
    "translation",
    "video",
    "weights",
)

__all__ = [
    "Components",
    "Direction",
    "DragSettings",
    "FrechetDistance",
    "FunctionScorer",
    "Identity",
    "KernelDistance",
    "LPIPS",
    "LabelSettings",
    "Leakage",
    "LinearSVM",
    "MeanDifference",
    "MeasureSettings",
    "MeasuredAttribute",
    "OutsideChange",
    "PhotoEditSettings",
    "Renderer",
    "RidgeOnLogit",
    "Sharpness",
    "StudySettings",
    "UserError",
    "__version__",
    "align",
    "cluster",
    "compare",
    "drag",
    "edit",
    "edit_photo",
    "edit_photos",
    "export_direction",
    "fit_direction",
    "grid_figure",
    "import_direction",
    "keep_freed_memory",
    "load_direction",
    "load_generator",
    "load_image",
    "load_latents",
    "load_perceptual",
    "load_scorer",
    "load_translator",
    "measure_directions",
    "move",
    "optimize",
    "paste_back",
    "project",
    "response_figure",
    "sample",
    "save_figure",
    "save_image",
    "save_latents",
    "strength_for",
    "study_attribute",
    "style_mix",
    "to_pil",
    "train_generator",
    "tune",
    "walk",
    "walk_figure",
    "z_from_seeds",
]


if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name in _NAMES:
            module, attribute = _NAMES[name].split(":")
            value = getattr(import_module(module), attribute)
        elif name in _MODULES:
            value = import_module(f"{__name__}.{name}")
        elif name == "__version__":
            value = import_module("stylegan2").__version__  # both packages are one distribution
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
