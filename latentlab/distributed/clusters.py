"""Workers on this machine, or on those of a cluster, for a while."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from latentlab.distributed.addresses import check_reachable
from latentlab.errors import UserError
from latentlab.work import working_on

_STORE = 1 << 30  # bytes of shared memory on this machine, through which jobs and results go; more is put on the disk


@contextmanager
def cluster(
    workers: int | None = None, address: str | None = None, gpus_per_worker: float | None = None
) -> Iterator[None]:
    """Hand the items of the functions that are called within the block to workers.

    These are the functions that draw samples, study, project and edit photos, measure directions and compare methods.
    What they return and write is the same to the bit, on the same kind of device: networks are sent as they are loaded
    here, and workers compute with as many threads as this process (`torch.get_num_threads()`). A worker or machine that
    dies is replaced, and its work is done again; an item at which two workers end is named.

    Parameters
    ----------
    workers
        Number of workers, processes that hold the networks once each; None for one per GPU or, without GPUs, one per
        CPU.
    address
        Address of a Ray cluster, such as 'auto' or '10.0.0.1:6379', whose machines have this package and see the same
        folders; None to start workers on this machine. Where Ray already runs in this process, that is used.
    gpus_per_worker
        GPUs of each worker, or a fraction of one; None for an equal share, 1 at most.

    Raises
    ------
    UserError
        If the package ray is not installed, the address has another form, no cluster answers there within seconds, or
        it does not have that many GPUs.
    """
    if workers is not None and workers < 1:
        raise UserError(f"there must be 1 worker or more, not {workers}")
    ray = _ray()
    with _running(ray, workers, address):
        from latentlab.distributed.pool import Pool

        there = ray.cluster_resources()
        gpus = int(there.get("GPU", 0))
        count = workers or gpus or max(int(there.get("CPU", 1)), 1)
        with working_on(Pool(count, _share(gpus, count, gpus_per_worker))):
            yield


@contextmanager
def _running(ray: Any, workers: int | None, address: str | None) -> Iterator[None]:
    """Let Ray run, silently: as it does already, on this machine, or on the cluster of an address."""
    if ray.is_initialized():
        yield
        return
    printer = ray._private.worker.print_to_stdstream
    # It would print on standard output that a worker died, where the results of commands go.
    ray._private.worker.print_to_stdstream = lambda *data, **options: None
    try:
        _begin(ray, workers, address)
        yield
    finally:
        ray.shutdown()
        ray._private.worker.print_to_stdstream = printer


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UserError("workers need the package ray: pip install 'latentlab-gan[cluster]'") from error
    return ray


def _begin(ray: Any, workers: int | None, address: str | None) -> None:
    """Start Ray on this machine, or join a cluster."""
    if address is not None:
        check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # it would let every other program go first
    # Threads that spin while they wait would take the cores from the other workers.
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "OMP_WAIT_POLICY": "PASSIVE"}
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "runtime_env": {"env_vars": threads}}
    try:
        if address is None:
            here = {"num_cpus": workers or os.cpu_count(), "include_dashboard": False, "object_store_memory": _STORE}
            ray.init("local", **here, **quiet)  # one of its own, though there may be another on this machine
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray's are of many classes, and of none where it begins too slowly
        reason = str(error).partition("\n")[0]
        if "InvalidAuthToken" in str(error.__cause__):
            reason = "it asks for a token: set RAY_AUTH_MODE=token, with the head's ~/.ray/auth_token on this machine"
        place = "on this machine" if address is None else f"at {address}"
        raise UserError(f"Ray cannot be used {place} ({reason})") from error


def _share(gpus: int, workers: int, asked: float | None) -> float:
    """GPUs of each worker."""
    if asked is None:
        return 1 / math.ceil(workers / gpus) if gpus else 0.0
    if not (0 <= asked < 1 or asked == int(asked) >= 1):
        raise UserError(f"a worker has a fraction of a GPU or whole ones, not {asked:g} of them")
    at_once = gpus // int(asked) if asked >= 1 else gpus * int(1 / asked) if asked else workers
    if at_once < workers:
        raise UserError(f"{workers} workers of {asked:g} GPUs each need more GPUs than the {gpus} that there are")
    return asked
