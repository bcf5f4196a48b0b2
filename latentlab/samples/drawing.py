"""Draw samples: seeds to z, w, images and scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.mapping import check_class, ws_of_seeds
from latentlab.progress import Stage, stage_of
from latentlab.resuming import check_same
from latentlab.samples.store import SampleSettings, SampleStore
from latentlab.samples.table import SampleTable, concatenate
from latentlab.scorers import Scorer, known_logits, score_images
from stylegan2.protocol import Generator

_FEWEST = 6  # images in a row that a working scorer does not all fail at


@torch.inference_mode()
def draw_samples(
    generator: Generator,
    scorer: Scorer,
    store: SampleStore,
    render: Callable[[Tensor], Tensor] | None = None,
    batch_size: int = 8,
    progress: bool | Stage = True,
) -> SampleTable:
    """Draw the samples that `store` lacks, and return the whole table.

    Stopped at any moment and called again, it resumes with the next missing shard. As shards are always drawn whole
    and in equal batches, the table is then that of an uninterrupted run, bit for bit. Another `batch_size` changes
    it within float tolerance.

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
        Images rendered at once.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If generator or scorer are not those of the store, the settings' class is none of the generator's, the
        images have another resolution than the settings say, the scorer gives NaN for all images of a shard, or the
        disk is full. What was drawn stays.
    """
    settings = store.settings
    stored = {"generator": settings.generator, "scorer": settings.scorer}
    check_same(store.folder, "samples", stored, {"generator": generator.fingerprint, "scorer": scorer.fingerprint})
    check_class(generator, settings.class_label)
    if batch_size < 1:
        raise UserError(f"batch_size must be 1 or more, not {batch_size}")
    if render is None:
        render = partial(generator.synthesis, noise_mode=settings.noise_mode)
    missing = store.missing()
    done = settings.samples - sum(len(seeds) for seeds in missing.values())
    with stage_of(progress)("drawing samples") as step:
        step(done, settings.samples)
        for index, shard in missing.items():
            parts = []
            for start in range(0, len(shard), batch_size):
                seeds = shard[start : start + batch_size]
                parts.append(_draw(generator, scorer, render, settings, seeds))
                done += len(seeds)
                step(done, settings.samples)
            rows = concatenate(parts)
            _check_scored(rows)
            store.write(index, rows)
    return store.table()


def _draw(
    generator: Generator,
    scorer: Scorer,
    render: Callable[[Tensor], Tensor],
    settings: SampleSettings,
    seeds: range,
) -> SampleTable:
    """Draw one batch of rows."""
    ws = ws_of_seeds(generator, list(seeds), settings.psi, settings.class_label)  # (b, num_ws, w_dim), equal rows
    images = render(ws)  # (b, 3, r, r)
    if images.shape[-2:] != (settings.resolution, settings.resolution):
        size = "×".join(str(number) for number in images.shape[-2:])
        raise UserError(f"the images are {size}, but the samples' resolution is {settings.resolution}")
    scores = score_images(scorer, images)
    return SampleTable(
        seeds=np.asarray(seeds, dtype=np.int64),
        psi=np.full(len(seeds), settings.psi, dtype=np.float32),
        w=ws[:, 0].float().cpu().numpy(),
        scores=scores,
        names=settings.names,
        generator=settings.generator,
        scorer=settings.scorer,
        threshold=settings.threshold,
        known_logits=known_logits(scorer, images, scores),
    )


def _check_scored(rows: SampleTable) -> None:
    """Refuse rows of which a score is missing throughout: that scorer can do nothing with these images."""
    unscored = [name for name in rows.names if rows.missing(name).all()]
    if unscored and len(rows) >= _FEWEST:
        raise UserError(
            f"none of the images of the seeds {rows.seeds[0]} to {rows.seeds[-1]} could be scored: the scorer gives "
            f"values that are not finite (NaN) for {', '.join(unscored)}"
        )
