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


def test_visitors_do_not_cancel_each_other():
    works, ended, begun = Works(), threading.Event(), threading.Event()
    mine = works.follow("me", endless(ended, begun))
    next(mine)
    assert list(works.follow("you", lambda report: 1)) == [Finished(1)]
    assert not works.cancel("you")
    assert not ended.is_set()
    mine.close()
    assert ended.wait(10)


def test_a_visitor_has_one_work_at_a_time():
    works, ended, begun = Works(), threading.Event(), threading.Event()
    before = works.follow("me", endless(ended, begun))
    next(before)
    assert list(works.follow("me", lambda report: 1)) == [Finished(1)]
    assert ended.wait(10)
