"""A miniature repository with made-up records and a tiny executed chapter. Its numbers mean nothing."""

import json
import random
import shutil
from itertools import product
from pathlib import Path

from labelkit.contrasts import BEST_ON_VAL
from labelkit.papers import ROOT, load_papers

PARAMETERS = """paper: str = "tiny"
run: str = "smoke"
budget: str = "smoke"  # smoke or lesson
steps: int = 3  # optimiser steps per arm
learning_rate: float = 0.1
seeds: list = [0, 1]
device: str = "cpu"
results: str = ""  # folder of the records
"""


def code(
    source: str, tags: list[str] | None = None, outputs: list[dict] | None = None, count: int | None = None
) -> dict:
    """A code cell; executed if it has a count."""
    return {
        "cell_type": "code",
        "id": "x",
        "metadata": {"tags": tags} if tags else {},
        "source": source,
        "outputs": outputs or [],
        "execution_count": count,
    }


def markdown(source: str) -> dict:
    """A Markdown cell."""
    return {"cell_type": "markdown", "id": "m", "metadata": {}, "source": source}


def notebook(*cells: dict) -> dict:
    """A notebook of these cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


def save(content: dict, path: Path) -> Path:
    """Writes a notebook, making folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def executed_chapter(html: str = "<p>a table</p>") -> dict:
    """A chapter with mathematics, HTML output and text output, executed."""
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": html, "text/plain": "a table"}}
    stream = {"output_type": "stream", "name": "stdout", "text": "three steps\n"}
    return notebook(
        markdown("# Tiny\n\nA chapter with a formula, $a^2 + b^2$, and\n\n$$\\sum_i x_i = 1 .$$"),
        code(PARAMETERS, ["parameters"], count=1),
        code("print('three steps')", outputs=[stream], count=2),
        code("show()", outputs=[output], count=3),
    )


def record(paper: str, arm: str, data: str, seed: int, miou: float, run: str = "lesson", **changes) -> dict:
    """A record that has all its parts."""
    found = {
        "schema": 1, "paper": paper, "run": run, "budget": run if run in ("smoke", "lesson") else "full",
        "arm": arm, "data": data, "seed": seed, "key": "0123456789abcdef",
        "metrics": {
            f"{data}/test/whole-image": {"miou": miou, "accuracy": miou + 0.3, "iou": {"road": 0.9}},
            f"{data}/test/whole-image/best-on-val": {"miou": miou + 0.01, "accuracy": miou + 0.3, "iou": {"road": 0.9}},
        },
        "series": {
            "agreement": [[0, 0.5], [100, 0.6 + 0.01 * seed]],
            "pseudo_accuracy": [[0, 0.4], [100, 0.5 + 0.01 * seed]],
        },
        "steps": 300,
        "dataset": {"name": data, "fingerprint": "aaaabbbbccccdddd", "train": 32},
        "split": {"name": "1/8", "seed": seed, "hash": f"{seed:016x}"},
        "parameters": {"learning_rate": 0.1},
        "network": {"parameters": 1000},
        "code": {"commit": "0123456789abcdef0123", "dirty": False, "digest": "ffff"},
        "versions": {"python": "3.11.2", "torch": "2.15.0", "labelkit": "0.1.0"},
        "device": {"kind": "cpu", "name": "A processor", "threads": 1},
        "measured": {"seconds": 30.0 + seed, "started": f"2026-11-2{seed % 10}T10:00:00+00:00"},
    }  # fmt: skip
    return found | changes


def made_up_records(paper, data: list[str], seeds: int = 6) -> list[dict]:
    """Records for every arm, metric, protocol and series that a sheet's claims name, with made-up numbers."""
    random.seed(paper.paper)
    contrasts = [contrast for claim in paper.claims for contrast in claim.contrasts]
    arms = dict.fromkeys(arm for contrast in contrasts for arm in contrast.weights)
    level = {arm: 0.4 + 0.04 * random.random() for arm in arms}
    found = []
    for name, arm, seed in product(data, arms, range(seeds)):
        made_up = record(paper.paper, arm, name, seed, level[arm] + 0.02 * random.random() + 0.01 * seed)
        for contrast in contrasts:
            add_metric(made_up, contrast, level[arm] + 0.02 * random.random())
        found.append(made_up)
    return found


def add_metric(record: dict, contrast, value: float) -> None:
    """Adds what a contrast reads, unless the record has it: a series, or a number in its group under its protocol."""
    first, *inner = contrast.metric.split(":")
    if first == "series":
        record["series"].setdefault(inner[0], [[0, value], [100, value + 0.01]])
        return
    for ending in ("", BEST_ON_VAL):
        group = record["metrics"].setdefault(f"{record['data']}/{contrast.protocol or 'test/whole-image'}{ending}", {})
        *outer, last = first, *inner
        for part in outer:
            group = group.setdefault(part, {})
        group.setdefault(last, value)


def repository(root: Path, with_records: bool = True, chapters: tuple[str, ...] = ()) -> Path:
    """A copy of what the book is made of, with made-up records and chapters in place of the real ones."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("book", "labelkit", "data/papers"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, paper in load_papers(root / "data" / "papers").items():
        if with_records:
            target = root / "data" / "results" / name / "lesson.jsonl"
            target.parent.mkdir(parents=True)
            lines = [json.dumps(r) for r in made_up_records(paper, ["streets", "camvid"])]
            target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in chapters:
        save(executed_chapter(), root / "notebooks" / f"{name}.ipynb")
    return root
