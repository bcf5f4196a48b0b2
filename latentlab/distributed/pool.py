"""Workers that pull items: one actor per device; none waits for another, and what dies is replaced."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray import exceptions

from latentlab.distributed.actors import Answer, Place, Worker
from latentlab.distributed.sending import pack
from latentlab.errors import UserError
from latentlab.mirroring import mirrored
from latentlab.work import Lost, Made

# Items that lie ready at a worker, the one that it works on included: where they take so few seconds that it would wait
# for the next. All others stay where they come from: however many items there are, memory here stays small, and nothing
# waits behind a slow worker.
_AHEAD, _SHORT = 4, 0.05
# Workers that end in a row before one of them gets ready: then it is no accident.
_MOST_FAILED = 3
_PATIENCE = 60.0  # seconds without an answer and without a worker, after which that is told

# What Ray raises for a process or a machine that is not there any more, and for a result that went with it.
_DIED = (exceptions.RayActorError, exceptions.NodeDiedError, exceptions.WorkerCrashedError, exceptions.OutOfMemoryError)
_RESULT_GONE = (exceptions.ObjectLostError, exceptions.OwnerDiedError)


class Pool:
    """As many workers as are asked for; see `latentlab.work.Workers`.

    Parameters
    ----------
    workers
        Number of workers.
    gpus
        GPUs of each, or a fraction of one.

    Raises
    ------
    UserError
        At a call, if the work cannot be sent, or workers end again and again before they are ready.
    """

    def __init__(self, workers: int, gpus: float = 0.0) -> None:
        self._workers, self._gpus = workers, gpus
        self._free: list[Any] = []  # actors, between two jobs

    def __call__(self, make: Callable[[None], Made], items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the number of each item and its result, as they are done."""
        crew = _Crew(self._hire, ray.put(pack(make)), items)
        try:
            for _ in range(self._workers):
                crew.enlist()
            yield from crew.results()
            for folder in mirrored():  # what workers of other machines have made
                folder.fetch()
        finally:
            self._free += crew.dismiss()

    def _hire(self) -> Any:
        """An actor that has nothing to do, or a new one."""
        if self._free:
            return self._free.pop()
        # Ray is to start none in the place of one that died: what that one worked on is judged first.
        return ray.remote(num_cpus=1, num_gpus=self._gpus, max_restarts=0, max_task_retries=0)(Worker).remote()


@dataclass
class _Task:
    """An item, and how many workers ended while they worked on it."""

    number: int
    item: Any
    ended: int = 0


@dataclass(eq=False)
class _Member:
    """A worker, and what it has not answered yet, in order: the answers to come, each to a task or to getting ready."""

    actor: Any
    asked: deque[tuple[Any, _Task | None]] = field(default_factory=deque)
    machine: str | None = None  # known when it is ready
    ahead: int = 1

    def ask(self, task: _Task) -> None:
        """Hand out an item."""
        self.asked.append((self.actor.do.remote(task.item), task))


class _Crew:
    """The workers of one job, and its items."""

    def __init__(self, hire: Callable[[], Any], job: Any, items: Iterable[Any]) -> None:
        self._hire, self._job, self._place = hire, job, Place.here()
        self._fresh, self._again = enumerate(items), deque[_Task]()
        self._members: list[_Member] = []
        self._failed = 0

    def enlist(self) -> None:
        """Take on a worker, and let it get ready."""
        member = _Member(self._hire())
        member.asked.append((member.actor.prepare.remote(self._job, self._place), None))
        self._members.append(member)

    def dismiss(self) -> list[Any]:
        """End the workers that still work, or wait for room on a machine, and return the others."""
        for member in self._members:
            if member.asked:
                ray.kill(member.actor)
        return [member.actor for member in self._members if not member.asked]

    def results(self) -> Iterator[tuple[int, Any]]:
        """Hand out all items, and yield what comes back."""
        while self._hand_out():
            waiting = {member.asked[0][0]: member for member in self._members if member.asked}
            # A look takes as long for one answer as for all that are there.
            answers, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
            if not answers:
                answers, _ = ray.wait(list(waiting), timeout=_PATIENCE)
            if not answers and all(member.machine is None for member in self._members):
                warnings.warn("waiting for workers: the cluster has no room for one yet", stacklevel=2)
            for answer in answers:
                yield from self._take(waiting[answer])

    def _hand_out(self) -> bool:
        """Give items to workers that are ready for more, and return whether any is still to be answered."""
        for already in range(_AHEAD):  # nobody gets a second one before each has its first
            for member in self._members:
                if member.machine is not None and len(member.asked) == already < member.ahead:
                    task = self._next()
                    if task is None:
                        break
                    member.ask(task)
        unanswered = any(task is not None for member in self._members for _, task in member.asked)
        return unanswered or self._put_back(self._next())

    def _put_back(self, task: _Task | None) -> bool:
        """Keep an item for later; whether there is one."""
        self._again.extendleft([task] if task is not None else ())
        return task is not None

    def _next(self) -> _Task | None:
        """The next item, those of workers that ended first; None if there is no more."""
        if not self._again:
            self._again.extend(_Task(*one) for one in itertools.islice(self._fresh, 1))
        return self._again.popleft() if self._again else None

    def _take(self, member: _Member) -> Iterator[tuple[int, Any]]:
        """Take the next answer of a worker, or the news that it is not there any more."""
        answer, task = member.asked[0]
        try:
            found = ray.get(answer)
        except exceptions.RayTaskError as error:
            raise error.cause from error  # what the work raised, as if it had been done here
        except _RESULT_GONE:
            member.asked.popleft()
            self._again.extend([task] if task is not None else ())
            return
        except _DIED:
            yield from self._replace(member)
            return
        member.asked.popleft()
        self._failed = 0
        if task is None:
            member.machine = found
            return
        yield task.number, self._told(found, member)

    def _told(self, found: Answer, member: _Member) -> Any:
        """The result of an answer; its warnings are told here."""
        member.ahead = _AHEAD if found.seconds < _SHORT else 1
        for text in found.warnings:
            warnings.warn(text, stacklevel=4)
        return found.result

    def _replace(self, member: _Member) -> Iterator[tuple[int, Any]]:
        """Take on another worker for one that ended; what it had goes to others, and what it worked on once more."""
        self._members.remove(member)
        ray.kill(member.actor)  # it may only have been out of reach
        (_, first), *others = member.asked
        self._again.extend(task for _, task in others if task is not None)
        if first is None:
            self._failed += 1
            if self._failed == _MOST_FAILED:
                raise UserError(
                    "workers end before they are ready: killed, short of memory, or on machines without this package"
                )
        elif _has_left(member.machine):
            self._again.append(first)
        elif first.ended:
            yield first.number, Lost("the process that worked on it ended twice: killed, crashed, or short of memory")
        else:
            self._again.append(replace(first, ended=1))
        self.enlist()


def _has_left(machine: str | None) -> bool:
    """Whether a machine of the cluster is not there any more, which no item is to blame for."""
    return any(node["NodeID"] == machine and not node["Alive"] for node in ray.nodes())
