"""Progress: what a log keeps, and what a person sees on the way."""

from labelkit.progress import Progress, _span


def test_a_log_keeps_one_line(capsys):
    with Progress(3, "cells of a run", "cell") as progress:
        for done in (1, 2, 3):
            progress.update(done, "note")
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("cells of a run: 3 of 3 cells in ")


def test_rate_and_time_left_on_the_way():
    progress = Progress(10, "run", "step")
    progress.started -= 20
    progress.update(4, "loss 0.5")
    assert "4 of 10 steps in 20 s, 12.0 a minute, 30 s left (loss 0.5)" in progress._line()
    progress.started += 19
    assert "4.0 a second" in progress._line()


def test_spans():
    assert [_span(s) for s in (5, 89, 120, 7200)] == ["5 s", "89 s", "2 min", "2.0 h"]
