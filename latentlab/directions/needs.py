"""What a finder needs besides a sample table: latents in its space, and the networks that it looks through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab import registry
from latentlab.directions.direction import Space
from latentlab.directions.finders import Finder
from latentlab.directions.of_finders import space_of
from latentlab.directions.styles import StyleSpace
from latentlab.errors import UserError
from latentlab.rendering import Renderer
from latentlab.samples.table import SampleTable
from latentlab.scorers.base import Scorer


@dataclass(frozen=True)
class Needs:
    """Networks that a finder needs.

    Attributes
    ----------
    renderer, scorer
        Whether it needs a generator, and a scorer.
    labels
        Whether it learns from labels or scores, rather than from latents alone.
    """

    renderer: bool
    scorer: bool
    labels: bool

    @classmethod
    def of(cls, method: str | Finder, has_w: bool = True) -> Needs:
        """Needs of a finder, or of the one that a name stands for, on samples that have w, or have none.

        Raises
        ------
        UserError
            If there is no such finder.
        """
        finder = registry.finders.load(method)() if isinstance(method, str) else method
        open_ones = _open_parameters(finder)
        return cls(
            renderer=space_of(finder) in ("s", "z") or "renderer" in open_ones or not has_w,
            scorer="scorer" in open_ones,
            labels=getattr(finder, "target", None) is not None,
        )


def settle_space(finder: Finder, table: SampleTable) -> None:
    """Let a finder of W learn in Z where the samples have no w: a line or plane is one in either space.

    Raises
    ------
    UserError
        If the samples have no w and the finder looks through the generator, which takes latents of W.
    """
    if table.w.shape[1] or space_of(finder) not in ("w", "w+"):
        return
    if "renderer" in _open_parameters(finder) or space_of(finder) == "w+":
        table.check_has_w()
    settled: Any = finder
    settled.space = "z"


def space_of_samples(table: SampleTable, space: Space, renderer: Renderer | None) -> StyleSpace | None:
    """Distribution of the style channels over the samples, for finders of space s; None for others.

    Raises
    ------
    UserError
        If there is no renderer, it is of another generator, or its generator has no styles.
    """
    return StyleSpace.measure(_generator(table, space, renderer), table.w) if space == "s" else None


def points_of(
    table: SampleTable, space: Space, renderer: Renderer | None, styles: StyleSpace | None
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Latents of the samples as a finder of a space takes them.

    Returns
    -------
    NDArray
        For w and w+ the table's w, `(n, w_dim)`; for z `(n, z_dim)`, from the seeds; for s the standardised styles
        `(n, C)`.

    Raises
    ------
    UserError
        If there is no renderer for s or z, it is of another generator, or the samples have no w.
    """
    if space in ("w", "w+"):
        table.check_has_w()
        return table.w
    generator = _generator(table, space, renderer)
    if styles is not None:
        return styles.standardise_w(generator, table.w)
    from stylegan2.sampling import z_from_seeds

    z: NDArray[np.float32] = z_from_seeds(table.seeds.tolist(), generator.z_dim).numpy()
    return z


def fill_in(
    finder: Finder,
    table: SampleTable,
    attribute: str,
    renderer: Renderer | None,
    scorer: Scorer | None,
    styles: StyleSpace | None,
) -> None:
    """Give a finder the networks for which it has parameters that are None.

    Raises
    ------
    UserError
        If a network that it takes is not that of the samples.
    """
    open_ones = _open_parameters(finder)
    given = {"renderer": renderer, "scorer": scorer, "attribute": attribute, "style_space": styles}
    found = {name: value for name, value in given.items() if name in open_ones and value is not None}
    if "renderer" in found and renderer is not None:
        _check_same("generator", table.generator, renderer.generator.fingerprint)
    if "scorer" in found and scorer is not None:
        _check_same("scorer", table.scorer, scorer.fingerprint)
    if found:
        parameters: Any = finder
        parameters.set_params(**found)


def _open_parameters(finder: Finder) -> set[str]:
    """Names of a finder's parameters that are None."""
    get: Any = getattr(finder, "get_params", None)
    return set() if get is None else {name for name, value in get(deep=False).items() if value is None}


def _generator(table: SampleTable, space: Space, renderer: Renderer | None) -> Any:
    if renderer is None:
        raise UserError(
            f"a finder of space {space} needs the generator of the samples: give latentlab.directions.fit a renderer "
            "(`latentlab fit` takes --network)"
        )
    _check_same("generator", table.generator, renderer.generator.fingerprint)
    return renderer.generator


def _check_same(noun: str, of_table: str | None, given: str) -> None:
    """Refuse a network that is not that of the samples, as far as theirs is known."""
    if of_table not in (None, given):
        raise UserError(
            f"the samples are of the {noun} {str(of_table)[:12]}…, and the one that is given is {given[:12]}…: give "
            f"the {noun} that they were drawn with"
        )
