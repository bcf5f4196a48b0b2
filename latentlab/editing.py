"""Moving latents along a direction, how far to go, and what the scorer makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.files import atomic_path
from latentlab.images import reduce
from latentlab.progress import Step
from latentlab.rendering import Renderer
from latentlab.samples import is_positive, score_column, score_pictures
from latentlab.scorers import Scorer

Mode = Literal["add", "place"]


class TargetNotReached(UserError):
    """No strength that was tried has the effect that was wanted."""


def _sigma(direction: Direction) -> float:
    if direction.sigma is None:
        raise UserError(f"the {direction.attribute} direction has no sigma; give strengths in units of w")
    return direction.sigma


def in_sigmas(direction: Direction, strength: float) -> float:
    """A strength in units of w as standard deviations of the population along `direction`."""
    return strength / _sigma(direction)


def from_sigmas(direction: Direction, sigmas: float) -> float:
    """Standard deviations of the population along `direction` as a strength in units of w."""
    return sigmas * _sigma(direction)


def edit(ws: Tensor, direction: Direction, strength: float | Tensor, mode: Mode = "add") -> Tensor:
    """Move ws along a direction; differentiable in ws and strength.

    With n the direction's vector, a row w of its layers becomes

    - add: w + strength · n;
    - place: w + (strength − (w·n + intercept)) · n, which lies at signed distance `strength` from the
      attribute's hyperplane, whatever it was before (both in Shen et al. 2020, InterFaceGAN).

    Rows of other layers stay as they are.

    Parameters
    ----------
    ws
        `(b, num_ws, w_dim)`.
    direction
        In space w or w+. `Direction.check` says whether it fits the generator.
    strength
        A number, or `(b,)`: one each. In units of w along the unit vector (see `from_sigmas`).
    mode
        'add' or 'place'.

    Returns
    -------
    Tensor
        `(b, num_ws, w_dim)`.

    Raises
    ------
    UserError
        If the direction is of space z or s, does not fit ws, or has no hyperplane to place at.
    """
    if direction.space not in ("w", "w+"):
        raise UserError(f"ws move along directions of space w or w+, not {direction.space}")
    if ws.ndim != 3 or ws.shape[2] != len(direction.vector):
        raise UserError(f"ws {tuple(ws.shape)} do not fit a direction of {len(direction.vector)} numbers")
    normal = torch.from_numpy(direction.vector).to(ws)  # (w_dim,)
    distance = torch.as_tensor(strength, dtype=ws.dtype, device=ws.device)
    if distance.shape not in ((), (len(ws),)):
        raise UserError(f"strength must be one number, or {len(ws)}, one each; not {tuple(distance.shape)}")
    distance = distance.reshape(-1, 1)  # (b or 1, 1)
    if mode == "place":
        if direction.intercept is None:
            raise UserError(f"the {direction.attribute} direction has no hyperplane; use mode 'add'")
        distance = distance - (ws @ normal + direction.intercept)  # (b, num_ws)
    elif mode != "add":
        raise UserError(f"mode must be 'add' or 'place', not {mode!r}")
    chosen = _chosen(direction.layers, ws)  # (num_ws, 1)
    return ws + distance.unsqueeze(-1) * (chosen * normal)


def _chosen(layers: tuple[int, ...] | None, ws: Tensor) -> Tensor:
    """One where a layer moves, zero where it stays: `(num_ws, 1)`."""
    rows = ws.shape[1]
    if layers is None:
        return ws.new_ones(rows, 1)
    if max(layers) >= rows:
        raise UserError(f"the direction is for layer {max(layers)}; ws have {rows} rows")
    chosen = ws.new_zeros(rows, 1)
    chosen[list(layers)] = 1
    return chosen


def walk(ws: Tensor, direction: Direction, strengths: Sequence[float], mode: Mode = "add") -> Tensor:
    """Every code at every strength: `(b, num_ws, w_dim)` to `(b, len(strengths), num_ws, w_dim)`."""
    return torch.stack([edit(ws, direction, strength, mode) for strength in strengths], dim=1)


def calibrate(
    respond: Callable[[float], float], target: float, strengths: Sequence[float], bisections: int = 4
) -> float:
    """The first strength at which a response reaches a target.

    Tries `strengths` in their order and, at the first that reaches the target, halves the step before it.
    Use training rows in `respond`: a strength chosen on the rows it is judged by flatters itself.

    Parameters
    ----------
    respond
        Strength to response, say the share of faces that changed label, or their mean score.
    target
        The response wanted, at least.
    strengths
        A series outwards, say 0.5, 1, … or −0.5, −1, …
    bisections
        How often the step is halved; the answer is that fine.

    Returns
    -------
    float
        A strength whose response was found to reach the target.

    Raises
    ------
    TargetNotReached
        If no strength reaches it. Says how far the response went.
    """
    best = float("-inf")
    before: float | None = None
    for strength in strengths:
        response = respond(strength)
        if response >= target:
            return strength if before is None else _bisect(respond, target, before, strength, bisections)
        best = max(best, response)
        before = strength
    raise TargetNotReached(
        f"no strength reaches {target:g}; the best of {len(strengths)} gives {best:g}; widen the series"
    )


def _bisect(respond: Callable[[float], float], target: float, below: float, reached: float, bisections: int) -> float:
    for _ in range(bisections):
        middle = (below + reached) / 2
        if respond(middle) >= target:
            reached = middle
        else:
            below = middle
    return reached


@dataclass(frozen=True, eq=False)
class EditTable:
    """What the scorer says of faces edited at a series of strengths.

    Attributes
    ----------
    seeds
        `(faces,)` int64: which face each row is.
    strengths
        `(strengths,)` float64, in units of w.
    scores
        `(faces, strengths, k)` float32.
    names
        The k names of the scores.
    """

    seeds: NDArray[np.int64]
    strengths: NDArray[np.float64]
    scores: NDArray[np.float32]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        wanted = (len(self.seeds), len(self.strengths), len(self.names))
        if self.scores.shape != wanted:
            raise ValueError(f"scores are {self.scores.shape}, not {wanted} (faces, strengths, names)")

    def column(self, name: str) -> NDArray[np.float32]:
        """The scores `(faces, strengths)` called `name`; UserError if there is none."""
        return score_column(self.scores, self.names, name)

    def is_positive(self, name: str) -> NDArray[np.bool_]:
        """Whether `name` wins, `(faces, strengths)`, as in `SampleTable.is_positive`."""
        return is_positive(self.scores, self.names, name)

    def save(self, path: str | Path) -> None:
        """Write it as Parquet, atomically: a row a face and strength; UserError if that fails."""
        faces, strengths, _ = self.scores.shape
        columns: dict[str, NDArray[Any]]
        columns = {"seed": np.repeat(self.seeds, strengths), "strength": np.tile(self.strengths, faces)}
        columns |= {name: self.column(name).ravel() for name in self.names}
        with atomic_path(path) as temporary:
            pq.write_table(pa.table(columns), temporary, write_page_checksum=True)

    @classmethod
    def load(cls, path: str | Path) -> EditTable:
        """Read what `save` wrote; UserError if the file is missing, broken or something else."""
        try:
            stored = pq.ParquetFile(path, page_checksum_verification=True).read()
            seeds, strengths = stored["seed"].to_numpy(), stored["strength"].to_numpy()
            names = tuple(name for name in stored.column_names if name not in ("seed", "strength"))
            width = len(np.unique(strengths))
            scores = np.stack([stored[name].to_numpy().reshape(-1, width) for name in names], axis=-1)
            return cls(seeds[::width].copy(), strengths[:width].copy(), scores, names)
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise UserError(f"cannot read {path} as a table of edits: {error}") from error


@dataclass(frozen=True, eq=False)
class Edited:
    """One edited picture.

    Attributes
    ----------
    face, step
        Which face, and which of the strengths.
    picture
        `(1, 3, r, r)`.
    scores
        `(k,)`.
    """

    face: int
    step: int
    picture: Tensor
    scores: NDArray[np.float32]


@torch.inference_mode()
def render_edits(
    renderer: Renderer,
    scorer: Scorer,
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    batch_size: int = 4,
    mode: Mode = "add",
    progress: Step | None = None,
) -> Iterator[Edited]:
    """Render and score faces at every strength, face by face.

    Parameters
    ----------
    renderer, scorer
        What renders and what scores.
    ws
        `(faces, num_ws, w_dim)`.
    direction, strengths, mode
        See `edit`. All strengths must differ.
    batch_size
        Pictures rendered at once.
    progress
        Called with (pictures done, pictures in all) after every batch.

    Raises
    ------
    UserError
        If strengths repeat, or as `edit` and the scorer say.
    """
    if len(set(strengths)) < len(strengths) or not len(strengths):
        raise UserError(f"strengths must be one or more different numbers, not {list(strengths)}")
    total = len(ws) * len(strengths)
    for start in range(0, total, batch_size):
        face, step = np.divmod(np.arange(start, min(start + batch_size, total)), len(strengths))
        batch = ws[torch.from_numpy(face).to(ws.device)].to(renderer.generator.w_avg.device)  # (b, num_ws, w_dim)
        distance = torch.tensor([strengths[i] for i in step], device=batch.device)
        pictures = renderer(edit(batch, direction, distance, mode))
        scores = score_pictures(scorer, pictures)
        for k in range(len(batch)):
            yield Edited(int(face[k]), int(step[k]), pictures[k : k + 1], scores[k])
        if progress is not None:
            progress(start + len(batch), total)


def rescore(
    renderer: Renderer,
    scorer: Scorer,
    seeds: Sequence[int] | NDArray[Any],
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    batch_size: int = 4,
    mode: Mode = "add",
    progress: Step | None = None,
) -> EditTable:
    """The scores of `render_edits` as a table whose rows are called `seeds`; the pictures are not kept.

    For an interruptible run call it in chunks of faces.
    """
    edits = render_edits(renderer, scorer, ws, direction, strengths, batch_size, mode, progress)
    scores = np.stack([one.scores for one in edits])
    return EditTable(
        seeds=np.asarray(seeds, dtype=np.int64),
        strengths=np.asarray(strengths, dtype=np.float64),
        scores=scores.reshape(len(ws), len(strengths), -1),
        names=scorer.names,
    )


def render_walk(
    renderer: Renderer,
    scorer: Scorer,
    ws: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    side: int,
    batch_size: int = 4,
    progress: Step | None = None,
) -> tuple[Tensor, NDArray[np.float32]]:
    """The pictures of `render_edits`, reduced to at most `side` pixels, and their scores.

    Returns
    -------
    Tensor
        `(faces, strengths, 3, h, w)` on the CPU.
    NDArray
        `(faces, strengths, k)`: of the pictures before they were reduced.
    """
    pictures, scores = [], []
    for one in render_edits(renderer, scorer, ws, direction, strengths, batch_size, progress=progress):
        pictures.append(reduce(one.picture, side).cpu())
        scores.append(one.scores)
    shape = (len(ws), len(strengths))
    return torch.cat(pictures).unflatten(0, shape), np.stack(scores).reshape(*shape, -1)
