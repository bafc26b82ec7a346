"""Plain text as Markdown that shows exactly that text, code blocks, and tables whose cells are Markdown."""

from __future__ import annotations

import re

CODE = re.compile(r"``(.+?)``|:\w+:`~?(.+?)`|`(.+?)`", re.DOTALL)


def fenced(code: str, first_line: int | None = None) -> str:
    """A Python code block, with line numbers if the first is given; its fence is longer than any backquotes inside."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    numbers = "" if first_line is None else f":lineno-start: {first_line}\n"
    return f"{fence}{{code-block}} python\n{numbers}\n{code.strip(chr(10))}\n{fence}"


def markup(text: str) -> str:
    """Plain text as Markdown that shows exactly that text; only `code` in backquotes stays markup."""
    parts, end = [], 0
    for match in CODE.finditer(text):
        parts.append(_escape(text[end : match.start()]))
        code = " ".join(next(group for group in match.groups() if group is not None).split())
        parts.append(f"`{code}`")
        end = match.end()
    return "".join(parts) + _escape(text[end:])


def _escape(text: str) -> str:
    text = re.sub(r"([\\`*_\[\]{}<>#$|~^@&!])", r"\\\1", text)
    # A dash, a plus or a number with a full stop at the start of a line would begin a list.
    return re.sub(r"(?m)^(\s*)([-+=]|\d+(?=[.)]))", lambda m: f"{m.group(1)}{_guard(m.group(2))}", text)


def _guard(start: str) -> str:
    return f"\\{start}" if not start.isdigit() else start + "\u2060"


def list_table(rows: list[tuple[str, ...]], css: str, widths: str = "auto") -> str:
    """A MyST table whose cells are Markdown and whose first row is the head."""
    out = ["::::{list-table}", ":header-rows: 1", f":class: {css}", f":widths: {widths}", ""]
    for row in rows:
        for position, cell in enumerate(row):
            text = cell.replace("\n", "\n    ")
            out.append(f"{'*' if position == 0 else ' '} - {text}".rstrip())
    return "\n".join([*out, "::::", ""])
