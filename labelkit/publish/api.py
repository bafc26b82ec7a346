"""The reference of the library as Markdown, read from the source without importing it.

Reading takes a moment where importing torch would take many seconds, and a docstring is shown as it was written:
nothing in it is taken for markup except `code` in backquotes.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from labelkit.publish.docstrings import docstring, public, signature
from labelkit.publish.markdown import fenced, list_table, markup


@dataclass(frozen=True)
class Module:
    """One module of the library: dotted name, path relative to the root, parsed source."""

    name: str
    path: Path
    tree: ast.Module
    lines: list[str]


def modules(root: Path, package: str = "labelkit") -> list[Module]:
    """Every module of the package that has something public, in alphabetical order.

    Args:
        root: folder that holds the package.
        package: its name.
    """
    found = []
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if ast.get_docstring(tree) or public(tree):
            found.append(Module(name, path.relative_to(root), tree, text.splitlines()))
    return sorted(found, key=lambda module: module.name)


def pages(found: list[Module], source_url: str) -> dict[str, str]:
    """One page for each module at the top of the package, and one for each folder with all that is below it.

    Fewer, longer pages than one a module: the builder's time goes by pages, and what belongs together is read together.

    Args:
        found: from `modules`.
        source_url: address of the repository's files, such as ``https://host/project/blob/main``.

    Returns:
        Name of the page, such as ``labelkit.losses``, to its Markdown.
    """
    groups: dict[str, list[Module]] = {}
    for module in found:
        groups.setdefault(_group(module), []).append(module)
    written = {}
    for name, members in groups.items():
        parts = [f"# {markup(name)}"]
        for module in members:
            level = 2
            if module.name != name:
                parts += [f"({module.name})=", f"## {markup(module.name)}"]
                level = 3
            parts.append(docstring(module.tree))
            for item in public(module.tree):
                parts += _item(module, item, source_url, level)
        written[name] = "\n\n".join(part for part in parts if part) + "\n"
    return written


def _group(module: Module) -> str:
    return ".".join(module.name.split(".")[:2])


def index(found: list[Module]) -> str:
    """A table of all modules with the first sentence of each docstring."""
    rows = [("module", "what it holds")]
    for module in found:
        first = (ast.get_docstring(module.tree) or "").split("\n\n")[0].replace("\n", " ")
        page, name = _group(module), markup(module.name)
        link = f"[{name}](api/{page}.md)" if page == module.name else f"{{ref}}`{module.name} <{module.name}>`"
        rows.append((link, markup(first)))
    return list_table(rows, "modules", widths="35 65")


def _item(module: Module, item: ast.FunctionDef | ast.ClassDef, source_url: str, level: int) -> list[str]:
    kind = "class" if isinstance(item, ast.ClassDef) else "function"
    first = min([item.lineno, *(decorator.lineno for decorator in item.decorator_list)])
    where = f"{module.path.as_posix()}#L{first}-L{item.end_lineno}"
    code = dedent("\n".join(module.lines[first - 1 : item.end_lineno]))
    parts = [
        f"{'#' * level} `{item.name}`",
        fenced(signature(item)),
        docstring(item),
    ]
    if kind == "class":
        for method in public(item):
            if isinstance(method, ast.ClassDef):
                continue
            parts += [f"**`{method.name}`**", fenced(signature(method)), docstring(method)]
    title = f"Source: {module.path.as_posix()}, lines {first} to {item.end_lineno}"
    parts.append(
        f":::::{{dropdown}} {title}\n:class-container: source\n\n"
        f"{fenced(code, first)}\n\n"
        f"[in the repository]({source_url}/{where})\n:::::"
    )
    return parts
