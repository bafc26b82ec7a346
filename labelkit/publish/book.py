"""Builds the book: ``python -m labelkit.publish.book``.

The builder works in ``build/book-work`` with warnings as errors; only a book without a warning is copied to
``build/book``. After a failure, and whenever pages come or go, the next build starts afresh: the builder reports
a page's warnings only when it reads that page, and does not renew the menus of pages that did not change.

A notebook that is not fit to be shown (not executed, ended in an error, not written to the end) is left out; the rest
of the book is built, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from labelkit.papers import ROOT
from labelkit.publish.files import remove_others, write_if_different
from labelkit.publish.stage import Staged, stage


@dataclass(frozen=True)
class Built:
    """A book.

    Attributes:
        page: the start page.
        staged: what it was built from.
    """

    page: Path
    staged: Staged

    @property
    def complaint(self) -> str:
        """One line that names each notebook that is not in the book and says why; empty if all are."""
        reasons = [f"notebooks/{name}.ipynb ({reason})" for name, reason in self.staged.left_out.items()]
        return " ".join(f"Left out of the book: {'; '.join(reasons)}.".split()) if reasons else ""


def build(root: Path) -> Built:
    """Stages and builds the book.

    Args:
        root: root of the repository.

    Raises:
        ValueError: something the pages are made of is not valid. An unfit notebook is left out instead.
        RuntimeError: the builder warned, or a link leads nowhere; the book of before stays as it was.
    """
    staged = stage(root)
    work, target = root / "build" / "book-work", root / "build" / "book"
    if _needs_fresh_start(staged, work):
        shutil.rmtree(work, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(staged.folder)]
    command += ["--path-output", str(work), "-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    pages = work / "_build" / "html"
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
    problems = [line for line in said.splitlines() if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
    if done.returncode == 0 and not problems and (pages / "book" / "index.html").is_file():
        problems = broken_links(pages)
    elif not problems:
        problems = (said or done.stdout).strip().splitlines()[-20:]
    if done.returncode != 0 or problems:
        shutil.rmtree(work, ignore_errors=True)
        more = [f"... and {len(problems) - 20} more"] if len(problems) > 20 else []
        raise RuntimeError("\n".join(["The book was not built:", *problems[:20], *more]))
    copied = set()
    for path in pages.rglob("*"):
        if path.is_file() and path.name not in (".buildinfo", "objects.inv"):
            copied.add(target / path.relative_to(pages))
            write_if_different(target / path.relative_to(pages), path.read_bytes())
    remove_others(target, copied)
    return Built(target / "index.html", staged)


def _needs_fresh_start(staged: Staged, work: Path) -> bool:
    """Whether the menus on all pages may change: a page came or went, a title or the configuration changed."""
    if not work.exists():
        return False
    pages = {".md", ".ipynb"}
    known = {path.stem for path in (work / "_build" / ".doctrees").rglob("*.doctree")}
    new = any(path.suffix in pages and path.stem not in known for path in staged.written)
    gone = any(path.suffix in pages for path in staged.removed)
    settings = any(path.name in ("_toc.yml", "_config.yml") for path in staged.written)
    return settings or gone or new


class _Links(HTMLParser):
    """Collects the ids of a page and the addresses to which it links."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def broken_links(pages: Path) -> list[str]:
    """Links inside the book that lead to no page or to no place on it, and files that a page would load from afar.

    Args:
        pages: folder of the built pages.

    Returns:
        One clause for each; links to other sites are not followed.
    """
    parsed: dict[Path, _Links] = {}
    for path in sorted(pages.rglob("*.html")):
        if "_static" not in path.relative_to(pages).parts:
            parsed[path] = _Links()
            parsed[path].feed(path.read_text(encoding="utf-8"))
    broken = []
    for path, page in parsed.items():
        name = path.relative_to(pages)
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                broken.append(f"{name}: {link} leads nowhere")
            elif parts.fragment and target in parsed and unquote(parts.fragment) not in parsed[target].ids:
                broken.append(f"{name}: {link} names no place on that page")
    return broken


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0; 1 if the builder complained or a notebook was left out; 2 if a file is not valid."""
    parser = argparse.ArgumentParser(prog="python -m labelkit.publish.book", description=__doc__.splitlines()[0])
    parser.parse_args(arguments)
    start = time.monotonic()
    try:
        built = build(ROOT)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    took = f"{time.monotonic() - start:.0f} s"
    pages = f"chapters: {', '.join(built.staged.chapters) or 'none'}"
    if built.staged.comparisons:
        pages += f"; comparisons: {', '.join(built.staged.comparisons)}"
    print(f"The book was built in {took} ({pages}). Open {built.page.resolve().as_uri()}", flush=True)
    if built.complaint:
        print(built.complaint, file=sys.stderr)
    return 1 if built.complaint else 0


if __name__ == "__main__":
    sys.exit(main())
