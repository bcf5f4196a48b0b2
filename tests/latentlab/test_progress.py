"""The bar on standard error, and the stage that shows nothing."""

import pytest
import tqdm

from latentlab.progress import bar, silent


@pytest.fixture
def lines(monkeypatch):
    """The bars that are drawn."""
    drawn = []

    class Kept(tqdm.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            drawn.append(self)

    monkeypatch.setattr(tqdm, "tqdm", Kept)
    return drawn


def test_a_new_stage_counts_from_nothing(lines, capsys):
    with bar("drawing") as step:
        step(0, 20)
        step(8, 20)
        step(20, 20)
    (line,) = lines
    assert (line.n, line.total, line.initial) == (20, 20, 0)
    shown = capsys.readouterr().err
    assert shown.startswith("\rdrawing")
    assert "20/20" in shown.splitlines()[-1]
    assert shown.endswith("\n")


def test_resumed_work_counts_as_done_but_not_for_the_pace(lines, capsys):
    with bar("drawing") as step:
        step(12, 20)
        (line,) = lines
        assert (line.n, line.total, line.initial) == (12, 20, 12)
        step(15, 20)
    assert (line.n, line.total, line.initial) == (15, 20, 12)
    assert "15/20" in capsys.readouterr().err


def test_a_stage_that_fails_ends_its_line(capsys):
    with pytest.raises(ZeroDivisionError), bar("drawing") as step:
        step(1, 2)
        raise ZeroDivisionError
    assert capsys.readouterr().err.endswith("\n")  # what is said next has a line of its own


def test_silence(capsys):
    with silent("drawing") as step:
        step(1, 2)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
