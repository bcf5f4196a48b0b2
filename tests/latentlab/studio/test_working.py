"""Long work: how far it is, its result, its errors, and how it is cancelled."""

import threading

import pytest
import torch

from latentlab.errors import UserError
from latentlab.studio.working import Cancelled, Finished, Works


def test_updates_come_before_the_result():
    gate = threading.Event()

    def work(report):
        with report.stage("projecting", "step") as step:
            step(1, 2, "LPIPS 0.5")
            report.show(torch.zeros(1, 3, 2, 2))
            gate.wait(10)
            step(2, 2)
        return "done"

    seen = []
    for update in Works().follow("me", work):
        seen.append(update)
        if getattr(update, "image", None) is not None:
            gate.set()
    assert seen[-1] == Finished("done")
    assert any(str(one) == "projecting: 1 of 2 steps, LPIPS 0.5" for one in seen[:-1])


def test_an_error_reaches_who_waits():
    def work(report):
        raise UserError("no face")

    with pytest.raises(UserError, match="no face"):
        list(Works().follow("me", work))


def endless(ended, begun):
    def work(report):
        try:
            with report.stage("working") as step:
                for k in range(10**9):
                    step(k, 10**9)
                    begun.set()
        finally:
            ended.set()

    return work


def test_cancelled_work_ends():
    works, ended, begun = Works(), threading.Event(), threading.Event()
    updates = works.follow("me", endless(ended, begun))
    next(updates)
    assert works.cancel("me")
    with pytest.raises(Cancelled):
        list(updates)
    assert ended.wait(10)
    assert not works.cancel("me")


def test_work_that_nobody_waits_for_ends():
    ended, begun = threading.Event(), threading.Event()
    updates = Works().follow("me", endless(ended, begun))
    next(updates)
    updates.close()
    assert ended.wait(10)


def test_at_the_close_all_work_ends():
    works, ended, begun = Works(), threading.Event(), threading.Event()
    updates = works.follow("me", endless(ended, begun))
    next(updates)
    works.close()
    assert ended.is_set()


def gated(gate):
    def work(report):
        with report.stage("working"):
            assert gate.wait(10)

    return work


def noted(done, name):
    def work(report):
        done.append(name)
        return name

    return work


def until(updates, text):
    """Ask for updates until one says a text."""
    while str(next(updates)) != text:
        pass


def test_who_waits_is_told_how_many_are_before():
    works, gates = Works(), [threading.Event(), threading.Event()]
    first, second = (works.follow(name, gated(gate)) for name, gate in zip("ab", gates, strict=True))
    third = works.follow("c", lambda report: 3)
    until(first, "working")
    assert str(next(second)) == "waiting: 1 before you"
    assert str(next(third)) == "waiting: 2 before you"
    gates[0].set()
    until(second, "working")
    assert str(next(third)) == "waiting: 1 before you"
    gates[1].set()
    assert list(third)[-1] == Finished(3)


def test_who_comes_first_is_first():
    works, gate, done = Works(), threading.Event(), []
    first = works.follow("a", gated(gate))
    until(first, "working")
    waiting = [works.follow(name, noted(done, name)) for name in "bcde"]
    for updates in waiting:
        next(updates)
    gate.set()
    for updates in reversed(waiting):
        list(updates)
    assert done == ["b", "c", "d", "e"]


def test_one_work_is_done_at_a_time():
    works, free, met = Works(), threading.Lock(), []

    def alone():
        if free.acquire(blocking=False):
            free.release()
        else:
            met.append(1)
        with free:
            threading.Event().wait(0.002)

    threads = [threading.Thread(target=works.do, args=(str(k % 3), alone)) for k in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert met == []


def test_work_that_is_cancelled_while_it_waits_never_starts():
    works, gate, done = Works(), threading.Event(), []
    first, second, third = works.follow("a", gated(gate)), *(works.follow(name, noted(done, name)) for name in "bc")
    until(first, "working")
    next(second)
    next(third)
    assert works.cancel("b")
    assert not works.cancel("b")
    assert str(next(third)) == "waiting: 1 before you"
    gate.set()
    assert list(third)[-1] == Finished("c")
    with pytest.raises(Cancelled):
        list(second)
    assert done == ["c"]


def test_work_that_nobody_waits_for_leaves_the_queue():
    works, gate, done = Works(), threading.Event(), []
    first, second = works.follow("a", gated(gate)), works.follow("b", noted(done, "b"))
    until(first, "working")
    next(second)
    second.close()
    assert not works.cancel("b")
    gate.set()
    list(first)
    assert works.do("c", lambda: 1) == 1
    assert done == []


def test_at_the_close_what_waits_never_starts():
    works, ended, begun, done = Works(), threading.Event(), threading.Event(), []
    first, second = works.follow("a", endless(ended, begun)), works.follow("b", noted(done, "b"))
    next(first)
    next(second)
    works.close()
    assert ended.is_set()
    with pytest.raises(Cancelled):
        list(second)
    assert done == []


def test_an_error_lets_the_next_work_start():
    works, gate = Works(), threading.Event()

    def work(report):
        assert gate.wait(10)
        raise UserError("no face")

    first, second = works.follow("a", work), works.follow("b", lambda report: 2)
    next(first)
    assert str(next(second)) == "waiting: 1 before you"
    gate.set()
    assert list(second)[-1] == Finished(2)
    with pytest.raises(UserError, match="no face"):
        list(first)


def test_the_next_work_starts_only_when_the_cancelled_one_ended():
    works, gate, done = Works(), threading.Event(), []

    def work(report):
        assert gate.wait(10)
        done.append("a")

    first = works.follow("a", work)
    next(first)
    first.close()
    second = works.follow("b", noted(done, "b"))
    assert str(next(second)) == "waiting: 1 before you"
    gate.set()
    assert list(second)[-1] == Finished("b")
    assert done == ["a", "b"]


def test_visitors_do_not_cancel_each_other():
    works, gate = Works(), threading.Event()
    mine, yours = works.follow("me", gated(gate)), works.follow("you", lambda report: 1)
    next(mine)
    next(yours)
    assert works.cancel("you")
    gate.set()
    assert list(mine)[-1] == Finished(None)


def test_a_second_work_of_a_visitor_waits_for_the_first():
    works, gate = Works(), threading.Event()
    first, second = works.follow("me", gated(gate)), works.follow("me", lambda report: 2)
    next(first)
    assert str(next(second)) == "waiting: 1 before you"
    gate.set()
    assert [list(updates)[-1] for updates in (first, second)] == [Finished(None), Finished(2)]


def test_a_cancel_ends_all_work_of_a_visitor():
    works, ended, begun = Works(), threading.Event(), threading.Event()
    first, second = works.follow("me", endless(ended, begun)), works.follow("me", lambda report: 2)
    next(first)
    next(second)
    assert works.cancel("me")
    for updates in (first, second):
        with pytest.raises(Cancelled):
            list(updates)
    assert ended.is_set()
