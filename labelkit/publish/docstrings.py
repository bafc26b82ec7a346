"""Definitions and their docstrings, read from the syntax tree, as Markdown.

A docstring is shown as it was written: nothing in it is taken for markup except `code` in backquotes.
"""

from __future__ import annotations

import ast
import re
from textwrap import dedent

from labelkit.publish.markdown import fenced, markup

SECTIONS = ("Args", "Returns", "Raises", "Yields", "Attributes", "Example", "Examples", "Note", "Notes")


def public(node: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes defined in a module, or methods of a class, whose names do not begin with an underscore."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [item for item in node.body if isinstance(item, kinds) and not item.name.startswith("_")]


def signature(item: ast.FunctionDef | ast.ClassDef) -> str:
    """A definition's head, without its body, on one line if it fits in 100 characters and else one argument a line."""
    kinds = ("property", "staticmethod", "classmethod")
    decorators = "".join(f"@{name}\n" for name in map(ast.unparse, item.decorator_list) if name in kinds)
    if isinstance(item, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, item.bases))
        head = f"class {item.name}({bases})" if bases else f"class {item.name}"
        annotated = [ast.unparse(node) for node in item.body if isinstance(node, ast.AnnAssign)]
        init = next((n for n in item.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if init is not None:
            return head + "\n" + _call(item.name, init, drop_first=True)
        return "\n".join([head, *(f"    {field}" for field in annotated if not field.startswith("_"))])
    return decorators + _call(item.name, item, drop_first=False)


def _call(name: str, function: ast.FunctionDef, drop_first: bool) -> str:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    pieces = [_argument(argument, default) for argument, default in zip(plain, defaults)]
    if drop_first or (pieces and plain[0].arg in ("self", "cls")):
        pieces = pieces[1:]
    if given.posonlyargs:
        pieces.insert(len(given.posonlyargs), "/")
    if given.vararg:
        pieces.append("*" + _argument(given.vararg, None))
    elif given.kwonlyargs:
        pieces.append("*")
    pieces += [_argument(argument, default) for argument, default in zip(given.kwonlyargs, given.kw_defaults)]
    if given.kwarg:
        pieces.append("**" + _argument(given.kwarg, None))
    returns = f" -> {ast.unparse(function.returns)}" if function.returns is not None and not drop_first else ""
    line = f"{name}({', '.join(pieces)}){returns}"
    if len(line) <= 100:
        return line
    return f"{name}(\n" + "".join(f"    {piece},\n" for piece in pieces) + f"){returns}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg if argument.annotation is None else f"{argument.arg}: {ast.unparse(argument.annotation)}"
    if default is None:
        return text
    return f"{text}{' = ' if argument.annotation is not None else '='}{ast.unparse(default)}"


def docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    """A docstring as Markdown: paragraphs as they are, the sections of Google's style as definition lists."""
    text = ast.get_docstring(node) or ""
    parts: list[str] = []
    blocks = re.split(r"\n\s*\n", text)
    position = 0
    while position < len(blocks):
        block = blocks[position]
        title = block.split("\n", 1)[0].strip().rstrip(":")
        if block.split("\n", 1)[0].strip() == f"{title}:" and title in SECTIONS:
            # A section runs on over blank lines as long as the text stays indented.
            body = [block.split("\n", 1)[1]] if "\n" in block else []
            while position + 1 < len(blocks) and blocks[position + 1].startswith("    "):
                position += 1
                body.append(blocks[position])
            parts.append(_section(title, dedent("\n\n".join(body))))
        elif block.startswith("    ") or "\n    " in block or block.lstrip().startswith(">>>"):
            parts.append(_mixed(block))
        else:
            parts.append(_paragraph(block))
        position += 1
    return "\n\n".join(part for part in parts if part)


def _paragraph(block: str) -> str:
    """A paragraph; lines that begin with a dash become a list."""
    if re.match(r"\s*[-*] ", block):
        items = re.split(r"\n\s*[-*] ", "\n" + block.lstrip())[1:]
        return "\n".join(f"- {markup(' '.join(item.split()))}" for item in items)
    return markup(block.rstrip(":") + ":" if block.endswith("::") else block)


def _mixed(block: str) -> str:
    """A block with indented lines: a list if its items are dashes, else text as it stands."""
    if re.match(r"\s*[-*] ", block):
        return _paragraph(dedent(block))
    return fenced(dedent(block))


def _section(title: str, body: str) -> str:
    if title in ("Example", "Examples"):
        return f"**{title}**\n\n{fenced(body)}"
    if title in ("Args", "Attributes", "Raises", "Returns", "Yields"):
        entries = re.split(r"\n(?=\S)", body.strip("\n"))
        named = [re.match(r"([\w*][\w*., |\[\]]*?): (.*)", entry, re.DOTALL) for entry in entries]
        if title in ("Args", "Attributes", "Raises") and all(named):
            items = [f"- `{m.group(1)}`: {markup(' '.join(m.group(2).split()))}" for m in named]
            return f"**{title}**\n\n" + "\n".join(items)
    return f"**{title}**\n\n" + "\n\n".join(_paragraph(block) for block in re.split(r"\n\s*\n", body))
