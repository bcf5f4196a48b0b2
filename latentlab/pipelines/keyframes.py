"""Keyframes: the seeds, latent codes and projected photos that an interpolation goes between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from latentlab.cards import has_card
from latentlab.errors import UserError
from latentlab.latents import load_latents, match_rows
from latentlab.mapping import check_has_w, ws_of_seeds
from latentlab.projection import Projection, WeightDelta
from latentlab.projection.result import KIND as PROJECTION
from latentlab.rendering import Latents, noise_maps_in, with_noise_maps, ws_in
from latentlab.reprs import ShortRepr
from stylegan2.protocol import Generator

_PROJECTION, _DELTA = "projection.safetensors", "delta.safetensors"


@dataclass(frozen=True, eq=False, repr=False)
class Keyframe(ShortRepr):
    """One image that an interpolation passes through.

    Attributes
    ----------
    title
        What it is called in messages: 'seed 600', or a file or folder.
    seed
        Its seed; None for a code.
    codes
        "w" `(1, w_dim)` or "ws" `(1, rows, w_dim)` and, for a photo whose noise maps were optimised, these; empty for a
        seed.
    generator
        Fingerprint of the generator that the code belongs to; empty where it is not known.
    delta
        What tuning on the photo changed; None where nothing was tuned.
    """

    title: str
    seed: int | None = None
    codes: Latents = field(default_factory=dict)
    generator: str = ""
    delta: WeightDelta | None = None

    def check(self, generator: Generator) -> None:
        """Refuse a generator that the code does not fit; UserError names the keyframe."""
        if self.seed is not None:
            return
        check_has_w(generator, self.title)
        if self.generator and self.generator != generator.fingerprint:
            raise UserError(f"{self.title} was projected with another generator: give that one as the network")
        num_ws, w_dim = generator.num_ws, generator.w_dim
        rows, width = self.codes["ws"].shape[1:] if "ws" in self.codes else (1, self.codes["w"].shape[1])
        if width != w_dim or rows not in (1, num_ws):
            way = ": match them by resolution with --match-rows or, in Python, `with_rows`" if width == w_dim else ""
            raise UserError(
                f"{self.title} has a latent code of {rows} rows of {width} numbers, and this generator takes {num_ws} "
                f"(or 1) of {w_dim}{way}"
            )
        if self.delta is not None:
            self.delta.check(generator)

    def with_rows(self, num_ws: int) -> Keyframe:
        """The keyframe with its code matched to a generator's rows by resolution, see `latentlab.latents.match_rows`.

        What was projected with a known generator, and seeds, stay as they are.
        """
        if self.generator or "ws" not in self.codes or self.codes["ws"].shape[1] == 1:
            return self
        return replace(self, codes={**self.codes, "ws": match_rows(self.codes["ws"], num_ws)})

    def latents(self, generator: Generator, psi: float, class_label: int | None, cutoff: int | None = None) -> Latents:
        """Its ws `(1, num_ws, w_dim)` and noise maps, on the generator's device; truncation and class are for seeds."""
        if self.seed is not None:
            return {"ws": ws_of_seeds(generator, [self.seed], psi, class_label, cutoff)}
        codes = {name: value.to(generator.w_avg.device) for name, value in self.codes.items()}
        ws = ws_in(codes, generator.num_ws)
        assert ws is not None  # codes of space s are refused when they are read
        return with_noise_maps({"ws": match_rows(ws, generator.num_ws)}, noise_maps_in(codes))


def keyframes_of(*given: int | str | Path | Tensor) -> list[Keyframe]:
    """Read keyframes.

    Parameters
    ----------
    given
        A seed; latent codes `(n, rows, w_dim)`, or a file of them (see `latentlab.load_latents`), which are n
        keyframes; or the folder of a photo that `project_photos` or `edit_photos` wrote, with what was tuned on it. A
        photo's `projection.safetensors` alone stands for its code, as the generator renders it without tuning.

    Raises
    ------
    UserError
        If a file or folder cannot be read or holds something else.
    """
    return [keyframe for one in given for keyframe in _keyframes(one)]


def _keyframes(given: int | str | Path | Tensor) -> Iterator[Keyframe]:
    if isinstance(given, int):
        yield Keyframe(f"seed {given}", seed=given)
    elif isinstance(given, Tensor):
        yield from _of_codes(given, "code")
    elif os.path.isdir(given):
        yield _of_photo(Path(given))
    elif has_card(given, PROJECTION):
        projection = _load_projection(Path(given))
        for row in range(len(projection)):
            yield _of_projection(projection[[row]], _numbered(str(given), row, len(projection)))
    else:
        yield from _of_codes(load_latents(given), str(given))


def _of_codes(codes: Tensor, name: str) -> Iterator[Keyframe]:
    for row in range(len(codes)):
        yield Keyframe(_numbered(name, row, len(codes)), codes={"ws": codes[[row]].float()})


def _numbered(name: str, row: int, count: int) -> str:
    return name if count == 1 else f"{name}, code {row}"


def _of_photo(folder: Path) -> Keyframe:
    """The keyframe of a photo, with what was tuned on it."""
    if not (folder / _PROJECTION).exists():
        inside = sorted(path.parent for path in folder.glob(f"*/{_PROJECTION}"))
        advice = f"give those of photos in it, such as {inside[0]}" if inside else "latentlab project writes one"
        raise UserError(f"{folder} is not the folder of a projected photo: it has no {_PROJECTION}; {advice}")
    delta = WeightDelta.load(folder / _DELTA) if (folder / _DELTA).exists() else None
    return _of_projection(_load_projection(folder / _PROJECTION), str(folder), delta)


def _load_projection(path: Path) -> Projection:
    projection = Projection.load(path)
    if projection.settings.space == "s":
        raise UserError(
            f"{path} is of space s, and what lies between is made of latent codes; project the photo into w or w+"
        )
    return projection


def _of_projection(projection: Projection, title: str, delta: WeightDelta | None = None) -> Keyframe:
    return Keyframe(title, codes=projection.latents, generator=projection.generator, delta=delta)
