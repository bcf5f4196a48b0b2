"""Draw samples: seeds to z, w, images and scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from latentlab.batching import AnyBatch, Batches
from latentlab.errors import UserError
from latentlab.mapping import check_class, check_truncation, ws_of_seeds
from latentlab.progress import Stage, stage_of
from latentlab.rendering import rendered_size
from latentlab.resuming import check_same
from latentlab.samples.store import SampleSettings, SampleStore
from latentlab.samples.table import SampleTable, concatenate
from latentlab.scorers import Scorer, scores_and_logits
from latentlab.work import Lost, run
from stylegan2.protocol import Generator

KEEP_SECONDS = 15.0
"""Seconds after which what was drawn of a shard is kept."""

_FEWEST = 6  # images in a row that a working scorer does not all fail at


@torch.inference_mode()
def draw_samples(
    generator: Generator,
    scorer: Scorer,
    store: SampleStore,
    render: Callable[[Tensor], Tensor] | None = None,
    batch_size: AnyBatch = "auto",
    progress: bool | Stage = True,
) -> SampleTable:
    """Draw the samples that `store` lacks, and return the whole table.

    Stopped at any moment and called again, it resumes where it was: a stop costs at most the last batch and the
    `KEEP_SECONDS` before it. As shards are drawn in equal batches wherever the stop fell, the table is then that of an
    uninterrupted run, bit for bit. Another `batch_size` changes scores within float tolerance, and w not at all, see
    `latentlab.mapping.map_z`.

    Parameters
    ----------
    generator, scorer
        Networks that the store's settings name.
    store
        Folder of the shards, and their settings.
    render
        Renders ws `(b, num_ws, w_dim)` as images `(b, 3, r, r)`, with r the settings' resolution; by default the
        generator's synthesis with the settings' noise_mode.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If generator or scorer are not those of the store, the settings' class is not one of the generator's, the
        images have another resolution than the settings say, the scorer gives NaN for all images of a shard, or the
        disk is full. What was drawn stays.
    """
    settings = store.settings
    stored = {"generator": settings.generator, "scorer": settings.scorer}
    check_same(store.folder, "samples", stored, {"generator": generator.fingerprint, "scorer": scorer.fingerprint})
    check_class(generator, settings.class_label)
    check_truncation(generator, settings.psi)
    if render is None:
        render = partial(generator.synthesis, noise_mode=settings.noise_mode)
    if not isinstance(batch_size, Batches):
        batch_size = Batches(batch_size, rendered_size(generator, settings.resolution), generator.w_avg.device)
    _draw_missing(_Drawing(generator, scorer, render, settings, batch_size), store, stage_of(progress))
    store.forget_begun()
    return store.table()


def _draw_missing(draw: _Drawing, store: SampleStore, stage: Stage) -> None:
    """Draw the shards that a store lacks, here or on workers; UserError, at the end, for those that end the workers."""
    missing, total, lost = store.missing(), store.settings.samples, list[str]()
    done = total - sum(len(seeds) for seeds in missing.values())
    with stage("drawing samples") as step:

        def note(rows: int) -> None:
            nonlocal done
            done += rows
            step(done, total)

        note(0)
        for number, rows in run(partial(_Shards, draw, store), missing, note):
            if isinstance(rows, Lost):
                seeds = list(missing.values())[number]
                lost.append(f"the seeds {seeds[0]} to {seeds[-1]} could not be drawn: {rows.reason}")
            elif rows:
                note(rows)
    if lost:
        raise UserError(f"{'; '.join(lost)}. All other samples are in {store.folder}")


@dataclass(frozen=True, eq=False)
class _Shards:
    """Draws shards of a store, and writes them; `note` is told of rows in this process, and there is none elsewhere."""

    draw: _Drawing
    store: SampleStore
    note: Callable[[int], object] | None

    @torch.inference_mode()
    def __call__(self, index: int) -> int:
        """Draw one shard; the number of rows of which nobody was told."""
        parts, untold = [], 0
        for part in self._parts(index):
            parts.append(part)
            if self.note is None:
                untold += len(part)
            else:
                self.note(len(part))
        rows = concatenate(parts)
        _check_scored(rows)
        self.store.write(index, rows)
        return untold

    def _parts(self, index: int) -> Iterator[SampleTable]:
        """Yield the rows of a shard: those that a stopped run has kept, and the others a batch at a time."""
        store, saved = self.store, time.monotonic()
        seeds, begun = store.settings.seeds_of(index), store.begun(index)
        parts = [] if begun is None else [begun]
        yield from parts
        known = sum(map(len, parts))
        for part in self.draw(seeds[known:]):
            parts.append(part)
            known += len(part)
            # There is one file of a shard that was begun, and it belongs to the process that draws alone.
            alone = self.note is not None
            if alone and known < len(seeds) and time.monotonic() - saved > KEEP_SECONDS:
                store.keep(concatenate(parts))
                saved = time.monotonic()
            yield part


@dataclass(frozen=True, eq=False)
class _Drawing:
    """Draws rows of a table."""

    generator: Generator
    scorer: Scorer
    render: Callable[[Tensor], Tensor]
    settings: SampleSettings
    batches: Batches

    def __call__(self, seeds: range) -> Iterator[SampleTable]:
        """Yield the rows of some seeds, a batch at a time."""
        settings = self.settings
        # Equal rows of (num_ws, w_dim); z, without W.
        codes = ws_of_seeds(self.generator, list(seeds), settings.psi, settings.class_label)

        def some(rows: range) -> SampleTable:
            own = slice(rows.start, rows.stop)
            return self._rows(seeds[own], codes[own])

        yield from self.batches(range(len(seeds)), some)

    def _rows(self, seeds: range, codes: Tensor) -> SampleTable:
        """Render and score one batch."""
        settings = self.settings
        images = self.render(codes)  # (b, 3, r, r)
        w = codes[:, 0] if self.generator.num_ws else codes[:, :0]
        wanted = rendered_size(self.generator, settings.resolution)
        if images.shape[-2:] != wanted:
            sizes = ("×".join(map(str, size)) for size in (images.shape[-2:], wanted))
            raise UserError("the images are {}, but those of the samples' resolution are {}".format(*sizes))
        scores, known = scores_and_logits(self.scorer, images)
        return SampleTable(
            seeds=np.asarray(seeds, dtype=np.int64),
            psi=np.full(len(seeds), settings.psi, dtype=np.float32),
            w=w.float().cpu().numpy(),
            scores=scores,
            names=settings.names,
            generator=settings.generator,
            scorer=settings.scorer,
            threshold=settings.threshold,
            known_logits=known,
        )


def _check_scored(rows: SampleTable) -> None:
    """Refuse rows of which a score is missing throughout: that scorer can do nothing with these images."""
    unscored = [name for name in rows.names if rows.missing(name).all()]
    if unscored and len(rows) >= _FEWEST:
        raise UserError(
            f"none of the images of the seeds {rows.seeds[0]} to {rows.seeds[-1]} could be scored: the scorer gives "
            f"values that are not finite (NaN) for {', '.join(unscored)}"
        )
