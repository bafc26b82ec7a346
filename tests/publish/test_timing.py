"""Two sides of a benchmark are called equally often, in changing order, and the ratio is the first over the second."""

import pytest

from labelkit.publish import timing


def test_sides_take_turns_and_the_ratio_is_of_the_rounds(monkeypatch, capsys):
    calls, clock = [], [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def side(name, lengths):
        def call():
            calls.append(name)
            clock[0] += lengths[(calls.count(name) - 1) % len(lengths)]

        return call

    sides = {"ours": ("our step", side("ours", [2.0, 4.0, 30.0])), "theirs": ("their step", side("theirs", [1.0]))}
    figures = timing.compare(sides, rounds=3, title="lesson", warm_up=0)
    assert calls == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert figures == {"ours_seconds": 4.0, "theirs_seconds": 1.0, "ratio": 4.0}
    words = capsys.readouterr().out.splitlines()
    assert words[0] == "lesson" and words[1].startswith("our step") and words[3].split() == ["ratio", "4.000"]


def test_two_sides_and_a_round_are_asked_for():
    with pytest.raises(ValueError, match="1 sides and 3 rounds; expected two sides"):
        timing.compare({"ours": ("our step", lambda: None)}, rounds=3)
