"""What can be chosen by name: scorers, finders, translators, metrics and tasks.

Built-in ones are listed here; any installed package adds its own through an entry point of the same group, for example
in its `setup.cfg`::

    [options.entry_points]
    latentlab.finders =
        medians = my_package:MedianDifference

Names are known without importing what they stand for, so that the command line can offer them at once.
"""

from __future__ import annotations

import difflib
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from latentlab.errors import UserError

_BUILT_IN: dict[str, dict[str, str]] = {
    "latentlab.scorers": {
        "fer": "latentlab.scorers.expression:load_fer",
        "fer-library": "latentlab.scorers.fer_library:load_fer_library",
        "attributes": "latentlab.scorers.attributes.scorer:load_shipped",
        "attributes-judge": "latentlab.scorers.attributes.scorer:load_judge",
        "geometry": "latentlab.scorers.geometry:load_geometry",
        "lighting": "latentlab.scorers.lighting:load_lighting",
    },
    "latentlab.finders": {
        "svm": "latentlab.directions.finders:LinearSVM",
        "mean": "latentlab.directions.finders:MeanDifference",
        "ridge": "latentlab.directions.finders:RidgeOnLogit",
        "logistic": "latentlab.directions.finders:Logistic",
        "lda": "latentlab.directions.finders:LDA",
        "interfacegan": "latentlab.directions.finders:InterFaceGAN",
        "ganspace": "latentlab.directions.finders:GANSpace",
        "style-correlation": "latentlab.directions.style_channels:StyleCorrelation",
        "style-svm": "latentlab.directions.style_svm:StyleSVM",
        "style-zscore": "latentlab.directions.style_channels:StyleZScore",
        "style-gradient": "latentlab.directions.through_generator:StyleGradient",
        "gradient": "latentlab.directions.through_generator:MeanGradient",
        "gradient-w+": "latentlab.directions.through_generator:mean_gradient_in_w_plus",
        "optimised": "latentlab.directions.optimised:Optimised",
        "optimised-w+": "latentlab.directions.optimised:optimised_in_w_plus",
        "optimised-s": "latentlab.directions.optimised:optimised_in_s",
        "sefa": "latentlab.directions.sefa:SeFa",
    },
    "latentlab.translators": {
        "pix2pix": "latentlab.translation.methods.pix2pix:Pix2Pix",
        "cyclegan": "latentlab.translation.methods.cyclegan:CycleGAN",
        "distilled": "latentlab.translation.methods.distilled:Distilled",
        "instagan": "latentlab.translation.methods.instagan:InstaGAN",
        "cut": "latentlab.translation.methods.cut:CUT",
    },
    "latentlab.metrics": {
        "identity": "latentlab.metrics.identity:Identity",
        "lpips": "latentlab.metrics.lpips:LPIPS",
        "outside-change": "latentlab.metrics.outside_change:OutsideChange",
        "leakage": "latentlab.metrics.leakage:Leakage",
        "sharpness": "latentlab.metrics.sharpness:Sharpness",
        "kernel-distance": "latentlab.metrics.kernel_distance:KernelDistance",
        "frechet-distance": "latentlab.metrics.frechet_distance:FrechetDistance",
        "precision": "latentlab.metrics.manifold:Precision",
        "recall": "latentlab.metrics.manifold:Recall",
        "density": "latentlab.metrics.manifold:Density",
        "coverage": "latentlab.metrics.manifold:Coverage",
        "fid": "latentlab.metrics.inception:FID",
        "kid": "latentlab.metrics.inception:KID",
    },
    "latentlab.tasks": {
        "edit": "latentlab.tasks.edit_faces.definition:EDIT",
        "drawings": "latentlab.tasks.drawings.definition:DRAWINGS",
        "facades": "latentlab.tasks.facades.definition:FACADES",
        "shapes": "latentlab.tasks.shapes.definition:SHAPES",
    },
}


class Registry:
    """The plug-ins of one entry-point group.

    Parameters
    ----------
    group
        Entry-point group, such as 'latentlab.finders'.
    noun
        What one of them is called in messages.
    """

    def __init__(self, group: str, noun: str) -> None:
        self.group, self.noun = group, noun

    @cached_property
    def _found(self) -> dict[str, list[EntryPoint]]:
        built_in = [EntryPoint(name, value, self.group) for name, value in _BUILT_IN[self.group].items()]
        installed = sorted(entry_points(group=self.group), key=lambda found: found.name)
        by_name: dict[str, list[EntryPoint]] = {}
        for entry in (*built_in, *installed):
            same = by_name.setdefault(entry.name, [])
            if entry.value not in [known.value for known in same]:
                same.append(entry)
        return by_name

    def names(self) -> tuple[str, ...]:
        """All names: the built-in ones, then those of other packages in alphabetical order."""
        return tuple(self._found)

    def check(self, name: str) -> None:
        """Refuse an unknown name, without importing anything; the UserError suggests the nearest."""
        if name not in self._found:
            near = difflib.get_close_matches(name, self._found, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._found)}"
            raise UserError(f"no {self.noun} is called {name!r}; {hint}")

    def load(self, name: str) -> Any:
        """Import what `name` stands for.

        Raises
        ------
        UserError
            If the name is unknown (suggests the nearest), offered by two packages, or cannot be imported.
        """
        self.check(name)
        found = self._found[name]
        if len(found) > 1:
            values = " and ".join(entry.value for entry in found)
            raise UserError(f"two packages offer a {self.noun} called {name!r}: {values}; uninstall one of them")
        try:
            return found[0].load()
        except (ImportError, AttributeError) as error:
            raise UserError(f"the {self.noun} {name!r} ({found[0].value}) cannot be imported: {error}") from error


scorers = Registry("latentlab.scorers", "scorer")
finders = Registry("latentlab.finders", "finder")
translators = Registry("latentlab.translators", "translation method")
metrics = Registry("latentlab.metrics", "metric")
tasks = Registry("latentlab.tasks", "task")
