"""What the README promises is there: files, commands, and the example, which runs as it is printed."""

import re

import torch

from labelkit.papers import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"(?ms)^```(\w*)\n(.*?)^```", README)
CODE = "\n".join(
    [*re.findall(r"`([^`\n]+)`", README), *(text for _, text in FENCES), *re.findall(r"(?m)^ {4}.+", README)]
)
MADE = ("build/", ".venv", "build/book/index.html")
"""Paths that the commands make."""


def named_paths() -> set[str]:
    """Paths of the repository in code, in links, in pictures, and in addresses of other sites that lead back here."""
    kinds = r"(?:md|yml|yaml|ipynb|png|cff|txt|html|jsonl?|py|lock|toml)"
    linked = [link for link in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in link]
    back = re.findall(r"/blob/main/([^)\s]+)|urlpath=lab/tree/([^)\s]+)", README)
    words = [word.strip(",;:()'\"") for word in CODE.split()]
    top = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} | {"build"}
    in_code = [
        word
        for word in words
        if "://" not in word
        and "=" not in word
        and (re.fullmatch(rf"[\w./-]+\.{kinds}", word) or ("/" in word and word.split("/")[0] in top))
    ]
    return {*linked, *in_code, *(path for pair in back for path in pair if path)}


def test_nothing_is_left_to_be_filled_in():
    assert not re.findall(r"@@\w*@@", README)


def test_every_path_exists():
    paths = named_paths()
    assert {"CONTRIBUTING.md", "CITATION.cff", "apt.txt"} <= paths, "the search itself finds what it should"
    assert not sorted(path for path in paths if path not in MADE and not (ROOT / path.split("#")[0]).exists())


def test_every_make_target_and_module_exists():
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    named = set(re.findall(r"\bmake ([a-z]+)", CODE))
    assert {"reproduce", "test"} <= named <= targets
    for module in re.findall(r"`(labelkit(?:\.\w+)+)`", README):
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_the_example_runs_as_it_is_printed():
    [example] = [text for language, text in FENCES if language == "python"]
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    trained = names["method"].state_dict()
    assert all(torch.isfinite(value).all() for value in trained.values() if value.is_floating_point())
    counts = [value for name, value in trained.items() if name.endswith("num_batches_tracked")]
    assert counts and all(count >= 20 for count in counts), "every layer has seen every step"
