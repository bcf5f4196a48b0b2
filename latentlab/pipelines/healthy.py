"""Where a generator is healthy: near the latents that it draws by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.directions.styles import StyleSpace
from latentlab.directions.typicality import Typicality
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.mapping import check_has_w, map_any_class
from latentlab.rendering import Latents, styles_of, ws_of
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator
from stylegan2.sampling import z_from_seeds

# Strengths up to the cap at which distances are looked at, and latents mapped at once.
_GRID = 24
_BATCH = 64


@dataclass(frozen=True, eq=False, repr=False)
class HealthyRegion(ShortRepr):
    """Latents that are as typical as most of a population: a soft bound of edits.

    Attributes
    ----------
    typicality
        The population, in W or in S.
    styles
        Channels and scales of S, by which the population was standardised; None for a population in W.
    share
        Share of the population that lies in the region, above 0 and below 1.

    Raises
    ------
    UserError
        If the share is out of range.
    """

    typicality: Typicality
    styles: StyleSpace | None = field(default=None, repr=False)
    share: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UserError(f"the share of a population lies above 0 and below 1, not at {self.share:g}")

    @classmethod
    @torch.inference_mode()
    def measure(
        cls,
        generator: Generator,
        space: Literal["w", "s"] = "w",
        share: float = 0.99,
        psi: float = 1.0,
        samples: int = 2000,
        seed_start: int = 600,
    ) -> HealthyRegion:
        """Learn the region from latents that the generator draws from seeds.

        Parameters
        ----------
        generator
            The generator; for a conditional one, all classes in turn.
        space
            'w' or 's'. Edits along channels of S leave no trace in W: they need 's'.
        share
            See the attribute.
        psi
            Truncation of the population.
        samples, seed_start
            Number of latents, and the first seed.
        """
        check_has_w(generator, "a healthy region")
        device, parts = generator.w_avg.device, []
        for start in range(seed_start, seed_start + samples, _BATCH):
            z = z_from_seeds(range(start, min(start + _BATCH, seed_start + samples)), generator.z_dim)
            parts.append(map_any_class(generator, z.to(device), psi, start)[:, 0])
        w = torch.cat(parts).cpu().numpy()
        if space == "w":
            return cls(Typicality.fit(w), None, share)
        styles = StyleSpace.measure(generator, w)
        return cls(Typicality.fit(styles.standardise_w(generator, w)), styles, share)

    def distance(self, latents: Tensor | Latents, generator: Generator) -> NDArray[np.float64]:
        """Compute the distances `(b,)` of latents from the population; in W+ the root mean square over the rows.

        Raises
        ------
        UserError
            If the region is in W, and the latents are styles.
        """
        by_name: Latents = {"ws": latents} if isinstance(latents, Tensor) else latents
        if self.styles is not None:
            found = {name: style.float().cpu() for name, style in styles_of(by_name, generator).items()}
            return self.typicality.distance(self.styles.standardise(found))
        ws = ws_of(by_name, generator)
        if ws is None:
            raise UserError("styles have no place in W; measure a healthy region of space s for them")
        rows = self.typicality.distance(ws.cpu().numpy())  # (b, num_ws)
        distances: NDArray[np.float64] = np.sqrt((rows**2).mean(axis=1))
        return distances

    @torch.inference_mode()
    def limits(
        self, latents: Latents, direction: Direction, furthest: float, generator: Generator
    ) -> NDArray[np.float64]:
        """Find how far latents may go along a direction without leaving the region.

        A latent that already lies outside may go as long as it gets no further out.

        Parameters
        ----------
        latents
            Latents of b faces.
        direction, furthest
            The direction, and the strength, of either sign, beyond which the search does not go.
        generator
            Their generator.

        Returns
        -------
        NDArray
            Strengths `(b,)`, with the sign of `furthest`.
        """
        bound = np.maximum(self.distance(latents, generator), self.typicality.quantile(self.share))
        limits = np.full(len(bound), furthest)
        before, inside = bound * 0, np.ones(len(bound), dtype=bool)
        last = self.distance(latents, generator)
        for share in np.arange(1, _GRID + 1) / _GRID:
            found = self.distance(move(latents, [(direction, furthest * share)], generator), generator)
            leaves = inside & (found > bound + 1e-9)
            part = (bound - last)[leaves] / (found - last)[leaves]
            limits[leaves] = furthest * (before[leaves] + part * (share - before[leaves]))
            inside &= ~leaves
            before[:], last = share, found
        return limits
