"""Small training sets that need no file."""

import torch

from latentlab.translation.data.sources import Batch


class Toy:
    """Random pictures; b is the negative of a. With instances, sample i has i % 4 squares as masks."""

    def __init__(self, count: int = 8, side: int = 16, instances: int = 0):
        self.count, self.side, self.instances = count, side, instances

    def __len__(self) -> int:
        return self.count

    def describe(self) -> dict[str, object]:
        return {"kind": "toy", "count": self.count, "side": self.side}

    def sample(self, index: int, rng: object) -> Batch:
        draw = torch.Generator().manual_seed(index)
        a = torch.rand(1, 3, self.side, self.side, generator=draw) * 2 - 1
        if rng is not None:
            a = a + 0.1 * rng.standard_normal()
        batch = {"a": a, "b": -a}
        if self.instances:
            masks = torch.full((1, self.instances, self.side, self.side), -1.0)
            for k in range(index % 4):
                masks[:, k, 3 * k : 3 * k + 4, 2:8] = 1
            batch |= {"a_masks": masks, "b_masks": masks.flip(3)}
        return batch
