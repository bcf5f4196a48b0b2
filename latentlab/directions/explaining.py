"""What carries a direction: the layers and the style channels that it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Direction
from latentlab.directions.styles import StyleSpace
from latentlab.markdown import table
from latentlab.rendering import check_has_styles, styles_of

if TYPE_CHECKING:
    from stylegan2.protocol import Generator

_SEED, _SAMPLES = 0, 1000  # the population that channels are standardised by


@dataclass(frozen=True)
class Explanation:
    """Layers and style channels that a direction moves, in standard deviations of each channel at strength 1.

    Attributes
    ----------
    layers
        By layer: its share of the sum of squared moves over all channels; the shares add up to 1.
    channels
        By channel, such as 'b8.conv1:391': its move; the largest in size first.
    """

    layers: dict[str, float]
    channels: dict[str, float]

    def top(self, count: int = 10) -> dict[str, float]:
        """The channels that move most."""
        return dict(list(self.channels.items())[:count])

    def __str__(self) -> str:
        """Write a table in Markdown: layers, and the ten channels that move most."""
        layers = [(layer, f"{share:.1%}") for layer, share in self.layers.items() if share >= 0.001]
        moves = [(name, f"{move:+.2f}") for name, move in self.top().items()]
        return f"{table(['layer', 'share'], layers)}\n\n{table(['style channel', 'move, sd'], moves)}"


def explain(direction: Direction, generator: Generator) -> Explanation:
    """Find which layers and style channels carry a direction.

    A direction of w or w+ is followed to the styles, which are affine in ws; one of z as the mean over random z.
    Channels are standardised by their spread over random faces at psi 1.

    Parameters
    ----------
    direction
        Direction of any space.
    generator
        Generator whose latents it moves.

    Raises
    ------
    UserError
        If the generator has no space S, or the direction does not fit it.
    """
    direction.check(generator, force=True)
    check_has_styles(generator)
    space = StyleSpace.measure(generator, _population(generator))
    moves = _moves(direction, generator, space)  # (C,)
    standardised = np.divide(moves, space.scale, out=np.zeros_like(moves), where=space.scale > 0)
    squares = standardised**2
    total = float(squares.sum()) or 1.0
    ends = np.cumsum(space.widths)
    shares = {
        layer: float(squares[end - width : end].sum()) / total
        for layer, width, end in zip(space.layers, space.widths, ends, strict=True)
    }
    names = space.names
    order = [k for k in np.argsort(-np.abs(standardised), kind="stable") if standardised[k] != 0]
    return Explanation(shares, {names[k]: float(standardised[k]) for k in order})


def _moves(direction: Direction, generator: Generator, space: StyleSpace) -> NDArray[np.float64]:
    """What strength 1 adds to the channels of a style space, `(C,)`."""
    import torch

    if direction.channels is not None:
        moves = np.zeros(len(space))
        columns = {name: k for k, name in enumerate(space.names)}
        steps = direction.vector * direction.channels.scales
        for name, step in zip(direction.channels.names, steps.tolist(), strict=True):
            if name in columns:  # a channel of toRGB is not in the space
                moves[columns[name]] = step
        return moves
    vector = torch.from_numpy(direction.vector).to(generator.w_avg)
    if direction.space == "z":
        z = torch.randn(_SAMPLES, generator.z_dim, generator=torch.Generator().manual_seed(_SEED)).to(vector)
        psi = torch.ones(len(z))
        before, after = {"z": z, "psi": psi}, {"z": z + vector, "psi": psi}
    else:
        ws = generator.w_avg.expand(1, generator.num_ws, -1)
        rows = torch.from_numpy(direction.rows(generator.num_ws)).to(ws)
        before, after = {"ws": ws}, {"ws": ws + rows}
    with torch.no_grad():
        flat = [
            space.flatten({name: style.float().cpu() for name, style in styles_of(latents, generator).items()})
            for latents in (before, after)
        ]
    difference: NDArray[np.float64] = (flat[1] - flat[0]).mean(axis=0)
    return difference


def _population(generator: Generator) -> NDArray[np.float32]:
    """Random w `(n, w_dim)` at psi 1."""
    import torch

    from latentlab.mapping import map_any_class

    rng = torch.Generator().manual_seed(_SEED)
    with torch.no_grad():
        z = torch.randn(_SAMPLES, generator.z_dim, generator=rng).to(generator.w_avg)
        return map_any_class(generator, z)[:, 0].float().cpu().numpy()
