"""Milliseconds of the convolutions that generators and LPIPS are made of, by the definition's way and by ours.

    python benchmarks/convolutions.py [--runs 9] [--threads 2]

By these figures the rules were chosen that decide where `stylegan2.winograd` (float32, 3×3) and `stylegan2.phases`
(transposed; in bfloat16 on CPUs with AMX) take over. Prints the least of the runs, in turns; forward, and the gradient
to the pixels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import machine
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2 import phases, winograd
from stylegan2.memory import keep_freed_memory

# Channels in and out, height and width of the input, batch.
PLAIN = (
    (512, 512, 8, 1),
    (512, 512, 16, 1),
    (512, 512, 32, 1),
    (512, 512, 64, 1),
    (256, 256, 128, 1),
    (128, 256, 64, 1),
    (128, 128, 128, 1),
    (128, 128, 256, 1),
    (64, 64, 256, 1),
    (512, 512, 32, 4),
    (256, 256, 128, 4),
)
TRANSPOSED = (
    (512, 512, 8, 1),
    (512, 512, 32, 1),
    (512, 256, 64, 1),
    (256, 128, 128, 1),
    (128, 64, 256, 1),
    (64, 32, 512, 1),
)


def least(runs: int, *steps: Callable[[], object]) -> list[float]:
    """The least milliseconds of each, in turns."""
    found = [[] for _ in steps]
    for _ in range(runs + 2):
        for times, step in zip(found, steps, strict=True):
            begun = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - begun))
    return [min(times[2:]) for times in found]


def compared(x: Tensor, runs: int, *ways: Callable[[Tensor], Tensor]) -> list[float]:
    """Milliseconds of each way forward, then of each gradient."""
    with torch.no_grad():
        forward = least(runs, *(lambda way=way: way(x) for way in ways))
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    outputs = [way(x) for way in ways]
    direction = torch.randn_like(outputs[0])
    return forward + least(
        runs, *(lambda y=y: torch.autograd.grad(y, x, direction, retain_graph=True) for y in outputs)
    )


def ways_of(weight: Tensor, transposed: bool) -> tuple[Callable[[Tensor], Tensor], ...]:
    """Torch's way and ours, of a plain convolution or of a transposed one."""
    if not transposed:
        return (lambda x: F.conv2d(x, weight, padding=1)), (lambda x: winograd.convolve(x, weight))
    turned = weight.transpose(0, 1)
    return (lambda x: F.conv_transpose2d(x, turned, stride=2)), (lambda x: phases.convolve_transposed(x, weight))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    print(f"{machine.describe('torch')}; {arguments.threads} threads")
    print("| channels, size, batch | kind | torch, ms | ours, ms | gradient: torch | ours | rms difference | taken |")
    print("|---|---|---|---|---|---|---|---|")
    for dtype, shapes in ((torch.float32, PLAIN), (torch.float32, TRANSPOSED), (torch.bfloat16, TRANSPOSED)):
        transposed = shapes is TRANSPOSED
        for i, o, side, batch in shapes:
            x = torch.randn(batch, i, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
            weight = (torch.randn(o, i, 3, 3) / (9 * i) ** 0.5).to(dtype)
            ways, taken = ways_of(weight, transposed), (phases if transposed else winograd).pays(x, weight)
            torchs, ours, gradient, our_gradient = compared(x, arguments.runs, *ways)
            expected, found = ways[0](x).double(), ways[1](x).double()
            error = float(((found - expected).square().mean() / expected.square().mean()).sqrt())
            times = " | ".join(f"{t:.1f}" for t in (torchs, ours, gradient, our_gradient))
            kind = str(dtype).removeprefix("torch.") + (", transposed" if transposed else "")
            print(
                f"| {i} to {o}, {side}², {batch} | {kind} | {times} | {error:.1e} | {'yes' if taken else 'no'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
