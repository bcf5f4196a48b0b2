"""Work on workers (latentlab.cluster): its rate, its start, what an item costs, its memory, and where it saturates.

    python benchmarks/scaling_workers.py rates [--samples 512] [--rounds 3]
    python benchmarks/scaling_workers.py items [--items 5000]
    python benchmarks/scaling_workers.py memory [--seeds 1000000] [--workers 2]
    python benchmarks/scaling_workers.py many [--seconds 3.2 0.064 0.001]

`rates` labels with one process and with 1 and 2 workers, in turns, with the threads of torch that this process has, and
with one thread (start it under OMP_NUM_THREADS=1). `items` does items that sleep 1 ms. `memory` labels seeds by a tiny
generator and tells what this process holds meanwhile. `many` measures what an answer costs the process that hands items
out, also with a thousand of them outstanding, and runs a model of up to 1,000 workers with these figures: each worker
asks, waits in a queue at that process, and works for so many seconds. Needs the package ray.
"""

from __future__ import annotations

import argparse
import heapq
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import machine
import ray
import torch

import latentlab as ll
from latentlab.pipelines import Components
from latentlab.work import run
from stylegan2.config import GeneratorConfig
from stylegan2.networks import Generator


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def brightness(images: torch.Tensor) -> torch.Tensor:
    """A score that costs nothing, `(b,)`."""
    return torch.sigmoid(images.mean(dim=(1, 2, 3)))


def sleeping(here: object, seconds: float = 0.001) -> Callable[[int], None]:
    """Items that sleep."""
    return lambda number: time.sleep(seconds)


def nothing(here: object) -> Callable[[int], None]:
    """Items that take no time."""
    return lambda number: None


# --- rates --------------------------------------------------------------------------------------------------


def rates(arguments: argparse.Namespace) -> None:
    """Samples a second, and the cost of a start."""
    ll.keep_freed_memory()
    components = Components.load("mobile-ffhq", "fer", device=arguments.device)
    settings = ll.LabelSettings(arguments.samples, resolution=256, precision=arguments.precision)

    def label() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ll.sample(components, settings, Path(folder) / "samples", progress=False)

    label()
    found = {name: list[float]() for name in ("one process", "1 workers", "2 workers")}
    for _ in range(arguments.rounds):  # in turns, for the machine is faster at some hours than at others
        found["one process"].append(seconds_of(label))
        for workers in (1, 2):
            begun = time.perf_counter()
            with ll.cluster(workers=workers):
                up = time.perf_counter() - begun
                first = seconds_of(label)
                found[f"{workers} workers"].append(seconds_of(label))
            load = first - found[f"{workers} workers"][-1]
            print(f"{workers} workers: Ray takes {up:.1f} s to begin, and workers {load:.1f} s to load", flush=True)
    print(f"{torch.get_num_threads()} threads a process, {arguments.samples} samples, 256x256")
    for name, times in found.items():
        each = ", ".join(f"{arguments.samples / one:.1f}" for one in times)
        print(f"{name}: {arguments.samples / statistics.median(times):.1f} samples a second ({each})")


# --- items --------------------------------------------------------------------------------------------------


def items(arguments: argparse.Namespace) -> None:
    """What an item costs beside its own time."""

    def work() -> None:
        for _ in run(sleeping, range(arguments.items), "here"):
            pass

    def told(seconds: float, workers: int) -> str:
        each = workers * seconds / arguments.items
        return f"{1e3 * each:.2f} ms an item and worker"

    print(f"sleep of 1 ms, one process: {told(seconds_of(work), 1)}")
    for workers in (1, 2):
        with ll.cluster(workers=workers):
            for _ in run(sleeping, range(8 * workers), "here"):
                pass  # they load
            print(f"sleep of 1 ms, {workers} workers: {told(seconds_of(work), workers)}", flush=True)


# --- memory -------------------------------------------------------------------------------------------------


def tiny() -> Generator:
    """A generator that renders some thousand images a second."""
    config = GeneratorConfig(resolution=8, z_dim=8, w_dim=8, mapping_layers=2, channel_base=32, channel_max=4)
    torch.manual_seed(0)
    return Generator(config).eval().requires_grad_(False)


def resident() -> float:
    """Megabytes that this process holds now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def memory(arguments: argparse.Namespace) -> None:
    """Memory while many seeds are labelled."""
    components = Components.load(tiny(), ll.FunctionScorer(("bright",), brightness))
    settings = ll.LabelSettings(samples=arguments.seeds)
    told = {round(arguments.seeds * k / 10) for k in range(1, 11)}
    begun = time.perf_counter()

    class Stage:
        """Tells the memory ten times."""

        def __call__(self, title: str, unit: str = "image") -> nullcontext[Callable[..., None]]:
            return nullcontext(self.step)

        def step(self, done: int, total: int, note: str = "") -> None:
            while told and done >= min(told):
                told.remove(min(told))
                print(f"{done} seeds, {time.perf_counter() - begun:.0f} s: {resident():.0f} MB", flush=True)

    with tempfile.TemporaryDirectory() as folder, ll.cluster(workers=arguments.workers):
        print(f"before: {resident():.0f} MB")
        table = ll.sample(components, settings, Path(folder) / "samples", progress=Stage())
        print(f"with the table of {len(table)} rows, which is returned: {resident():.0f} MB")


# --- many workers -------------------------------------------------------------------------------------------


def answer_seconds(count: int) -> float:
    """Processor seconds of this process for each answer, with few outstanding."""
    for _ in run(nothing, range(100), "here"):
        pass
    begun = time.process_time()
    for _ in run(nothing, range(count), "here"):
        pass
    return (time.process_time() - begun) / count


def wait_seconds(outstanding: int) -> float:
    """Processor seconds of a look at so many outstanding answers, of which none is there."""

    @ray.remote(num_cpus=0)
    class Slow:
        def wait(self, seconds: float) -> None:
            time.sleep(seconds)

    slow = Slow.remote()
    answers = [slow.wait.remote(30.0) for _ in range(outstanding)]
    ray.wait(answers, timeout=0.1)
    begun = time.process_time()
    for _ in range(20):
        ray.wait(answers, num_returns=len(answers), timeout=0)
    spent = (time.process_time() - begun) / 20
    ray.kill(slow)
    return spent


def modelled(workers: int, seconds: float, answer: float, look: Callable[[int], float], answers: int = 20_000) -> float:
    """Items a second of so many workers, in a model: one process serves all who are done by the time that it looks."""
    due = [seconds * (k + 1) / workers for k in range(workers)]  # they began one after the other
    heapq.heapify(due)
    now, done = 0.0, 0
    while done < answers:
        now = max(now, due[0]) + look(workers)
        while due and due[0] <= now and done < answers:
            now += answer
            heapq.heapreplace(due, now + seconds)
            done += 1
    return done / now


def many(arguments: argparse.Namespace) -> None:
    """Where the process that hands out items becomes the limit."""
    with ll.cluster(workers=1):
        answer = answer_seconds(arguments.items)
        looks = {count: wait_seconds(count) for count in (1, 10, 100, 1000)}
    each = (looks[1000] - looks[1]) / 999
    print(f"an answer takes {1e3 * answer:.2f} ms of the process that hands out items; a look at N of them", end=" ")
    print("; ".join(f"{count}: {1e3 * one:.2f} ms" for count, one in looks.items()))

    def look(workers: int) -> float:
        return looks[1] + each * (workers - 1)

    for seconds in arguments.seconds:
        print(f"items of {seconds:g} s:", end=" ")
        for workers in (1, 2, 10, 50, 100, 200, 500, 1000):
            rate = modelled(workers, seconds, answer, look)
            print(f"{workers} workers {rate:.1f}/s ({rate * seconds / workers:.0%})", end="; ", flush=True)
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("rates")
    one.add_argument("--samples", type=int, default=512)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--precision", default="auto")
    one.add_argument("--device", default="auto")
    one.set_defaults(part=rates)
    one = parts.add_parser("items")
    one.add_argument("--items", type=int, default=5000)
    one.set_defaults(part=items)
    one = parts.add_parser("memory")
    one.add_argument("--seeds", type=int, default=1_000_000)
    one.add_argument("--workers", type=int, default=2)
    one.set_defaults(part=memory)
    one = parts.add_parser("many")
    one.add_argument("--items", type=int, default=5000)
    one.add_argument("--seconds", type=float, nargs="+", default=[3.2, 0.064, 0.001])
    one.set_defaults(part=many)
    arguments = parser.parse_args()
    print(machine.describe("torch", "ray"))
    arguments.part(arguments)


if __name__ == "__main__":
    main()
