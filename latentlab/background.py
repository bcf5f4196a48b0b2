"""Files that are written in the background while the work goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, Protocol

P = ParamSpec("P")

_MOST_WAITING = 4  # calls, which hold what they write


class Later(Protocol):
    """Schedules a function to be called soon, in the background."""

    def __call__(self, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Schedule the call; waits while many are pending."""
        ...


@contextmanager
def in_background() -> Iterator[Later]:
    """Yield a function that schedules calls, one by one in a thread; the block ends once all of them are done.

    Such calls write files, whole or not at all as everywhere (`latentlab.files.atomic_path`), beside encoders and
    loops that leave a processor idle. The first of their errors is raised by a later call or at the end, unless the
    block raises one.
    """
    pending: deque[Future[object]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="writing") as pool:

        def later(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
            if len(pending) == _MOST_WAITING:
                pending.popleft().result()
            pending.append(pool.submit(function, *args, **kwargs))

        try:
            yield later
        except BaseException:
            for one in pending:
                one.cancel()
            raise
    for one in pending:
        one.result()
