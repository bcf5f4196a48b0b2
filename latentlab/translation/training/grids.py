"""Grids of samples: translations of a few images in the course of a training."""

from __future__ import annotations

import torch
from torch import Tensor

from latentlab import images
from latentlab.translation.data.pixels import as_colour
from latentlab.translation.data.sources import Batch, Source, collate, move_batch
from latentlab.translation.methods import TranslationMethod
from latentlab.translation.networks import infer
from latentlab.translation.training.state import TrainingState

ROWS = 8


def examples_of(source: Source, device: torch.device) -> Batch:
    """Return up to `ROWS` samples spread over a set, without augmentation."""
    count = min(ROWS, len(source))
    chosen = [round(k * (len(source) - 1) / max(count - 1, 1)) for k in range(count)]
    return move_batch(collate([source.sample(k, None) for k in chosen]), device)


@torch.no_grad()
def grid_of(method: TranslationMethod, state: TrainingState, examples: Batch) -> Tensor:
    """Translate examples with the weights that are kept, into a grid `(3, h, w)` with a row for each."""
    own = {name: {k: v.clone() for k, v in method.networks[name].state_dict().items()} for name in state.means}
    for name, mean in state.means.items():
        method.networks[name].load_state_dict(mean)
    infer(method.networks, dropout=True)
    count = len(examples["a"])
    rows = [method.preview({name: value[k : k + 1] for name, value in examples.items()}) for k in range(count)]
    rows = [[as_colour(cell) for cell in row] for row in rows]
    for name, weights in own.items():
        method.networks[name].load_state_dict(weights)
    cells = torch.cat([torch.cat(row) for row in rows])
    return images.grid(cells.float().cpu(), len(rows[0]))
