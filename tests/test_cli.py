"""The command line: what it prints, and one sentence for what it cannot do."""

import subprocess
import sys

import pytest

from labelkit import cli


def call(monkeypatch, capsys, *arguments):
    """Exit status, output and errors of ``labelkit <arguments>``."""
    monkeypatch.setattr(sys, "argv", ["labelkit", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    printed = capsys.readouterr()
    return stopped.value.code or 0, printed.out, printed.err


def test_papers_lists_claims_runs_and_arms(monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "papers")
    assert status == 0 and {"cps", "ocr"} <= {line.split()[0] for line in out.splitlines()}
    status, out, _ = call(monkeypatch, capsys, "papers", "cps")
    assert status == 0 and "C1 " in out and "supervised-1/16" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["papers", "nosuch"], "nosuch"),
        (["run", "nosuch.yaml"], "nosuch.yaml: no such run file"),
        (["data", "check", "camvid"], "LABELKIT_DATA is not set"),
        (["data", "check", "nosuch", "/"], "nosuch"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(monkeypatch, capsys, arguments, sentence):
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    status, out, err = call(monkeypatch, capsys, *arguments)
    assert status == 2 and out == "" and sentence in err
    assert len(err.strip().splitlines()) == 1 and err.startswith("labelkit: ")


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["labelkit", "--debug", "run", "nosuch.yaml"])
    with pytest.raises(FileNotFoundError):
        cli.main()


def test_check_validates_without_running(monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "run", "data/runs/cps/voc_1_8_r50.yaml", "--check")
    assert status == 0 and "15 cells of 39372 steps" in out


def test_a_run_file_whose_data_has_no_reader_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path))
    arguments = ["run", "data/runs/cps/voc_1_8_r50.yaml", "--results", str(tmp_path / "r")]
    status, _, err = call(monkeypatch, capsys, *arguments)
    assert status == 2 and ("no reader" in err or "no GPU" in err)


def test_data_list_names_licences(monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "data", "list")
    assert status == 0 and "camvid" in out and "reader" in out


def test_doctor_names_what_is_missing_and_how_to_get_it(monkeypatch, capsys):
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    _, out, _ = call(monkeypatch, capsys, "doctor")
    assert "absent   real data: LABELKIT_DATA is not set" in out and "ok       torch" in out


def test_importing_labelkit_loads_nothing_heavy():
    code = "import sys, labelkit; print([m for m in ('torch', 'numpy', 'pandas', 'matplotlib') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
