"""What is kept of rehearsals can be read again, and a stopped sweep goes on."""

from pathlib import Path

import pytest

from labelkit.publish import rehearsals

RUNS = Path(__file__).resolve().parents[2] / "data" / "runs"


def test_a_run_is_kept_once(tmp_path, monkeypatch, capsys):
    import labelkit.rehearsal
    from labelkit.rehearsal import Arm
    from labelkit.rehearsal_step import Cost
    from labelkit.rehearsal_training import Training

    asked = []

    def rehearsed(settings, patience, known):
        asked.append(settings.run)
        cost = Cost(flops=10**12, activations=1, weights=2, gradients=3, optimizer=4, batch=5)
        yield Arm("supervised-1/8", "streets", [Training("SelfPseudo", 3600, 2, 7, "fp32", "counted", 1, cost, 0.1)])

    monkeypatch.setattr(labelkit.rehearsal, "rehearse", rehearsed)
    for _ in range(2):
        rehearsals.rehearse_all([RUNS / "cps" / "smoke.yaml"], tflops=1.0, patience=1, results=tmp_path, again=False)
    assert asked == ["smoke"] and "passes" in capsys.readouterr().out
    kept = rehearsals.read("cps", tmp_path)
    assert kept["schema"] == 1 and kept["tflops"] == 1.0 and kept["versions"]["torch"]
    (cell,) = kept["runs"]["smoke"]["cells"]
    assert cell["hours"] == pytest.approx(1.0) and cell["trainings"][0]["hours_are"] == "computed"
    memory = {"weights": 2, "gradients": 3, "optimizer": 4, "batch": 5, "activations": 1}
    assert cell["trainings"][0]["memory"] == memory
    assert rehearsals.hours([cell], 2.0) == pytest.approx(0.5)


def test_a_broken_file_is_named(tmp_path):
    assert rehearsals.read("cps", tmp_path) is None
    (tmp_path / "cps").mkdir()
    (tmp_path / "cps" / "rehearsals.json").write_text("{")
    with pytest.raises(ValueError, match=r"rehearsals\.json: not readable as JSON"):
        rehearsals.read("cps", tmp_path)
