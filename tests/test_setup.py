"""The files that set a machine up agree with each other and with pyproject.toml."""

import re
import tomllib
from itertools import chain

import pytest
import yaml

from labelkit.papers import ROOT
from labelkit.publish import notebooks, parameters

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_environment_installs_the_project_with_extras_that_exist():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    [pip] = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    [python] = [part for part in environment["dependencies"] if str(part).startswith("python=")]
    extras = re.fullmatch(r"-e \.\[(.+)\]", pip[0]).group(1).split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    lowest = re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["requires-python"]).groups()
    given = re.fullmatch(r"python=(\d+)\.(\d+)", python).groups()
    assert tuple(map(int, given)) >= tuple(map(int, lowest))


def test_citation_has_what_a_citation_needs():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == PROJECT["version"] and citation["license"] == PROJECT["license"]


def test_apt_list_is_plain():
    for line in (ROOT / "apt.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line), line


def test_the_lock_pins_every_direct_dependency_by_hash_and_names_no_server():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", lock)
    pinned = set(re.findall(r"(?m)^([a-z0-9][a-z0-9._-]*)==", lock))
    direct = [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]
    for requirement in direct:
        assert re.match(r"[A-Za-z0-9._-]+", requirement).group(0).lower() in pinned, requirement
    entries = re.findall(r"(?m)^[a-z0-9].*(?:\n    --hash.*)*", lock)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_book_builder_is_the_version_that_builds():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"(?m)^jupyter-book==1\.", lock), "version 2 ignores _config.yml and builds nothing"
    assert re.search(r"(?m)^sphinx-book-theme==1\.[12]\.", lock)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_chapter_has_one_parameters_cell_that_fits_its_run_files(path):
    sheet, runs = ROOT / "data" / "papers" / f"{path.stem}.yaml", ROOT / "data" / "runs" / path.stem
    assert notebooks.structure_problem(notebooks.read(path), sheet.is_file() or runs.is_dir()) is None
    if sheet.is_file():
        assert {"smoke", "lesson"} <= {run_file.stem for run_file in runs.glob("*.yaml")}
    for run_file in sorted(runs.glob("*.yaml")):
        parameters.check(parameters.read(run_file), path, run_file)


def test_every_command_of_the_makefile_is_documented():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.search(r"(?m)^\.PHONY: (.+)$", makefile).group(1).split())
    documented = set(re.findall(r"(?m)^([a-z]+):.*## ", makefile))
    assert named == documented
