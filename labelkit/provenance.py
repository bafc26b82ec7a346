"""Where a number came from: code, versions, device, memory."""

import ast
import contextlib
import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent


def digest(value: Any) -> str:
    """16 hexadecimal digits of a value made of dicts, lists, strings and numbers; independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache
def sources(paper: str, *modules: str) -> tuple[Path, ...]:
    """The files of labelkit that an experiment reaches through its imports, itself included, sorted.

    Args:
        paper: name of the experiment.
        modules: dotted names of modules that it finds by name at run time, such as that of its data.
    """
    found: set[Path] = set()
    waiting = [PACKAGE / "experiments" / f"{paper}.py", *(file for name in modules for file in _files(name))]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labelkit"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("labelkit")]
            else:
                continue
            waiting += [file for name in names for file in _files(name)]
    return tuple(sorted(found))


def _files(module: str) -> list[Path]:
    """The file of a dotted name under labelkit, and the packages above it; none if the name is not a module."""
    parts = module.split(".")[1:]
    candidates = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    candidates.append(PACKAGE.joinpath(*parts).with_suffix(".py") if parts else PACKAGE / "__init__.py")
    return [path for path in candidates if path.is_file()]


@lru_cache
def code_digest(paper: str, *modules: str) -> str:
    """Digest of the code that an experiment reaches. Comments, docstrings and layout do not count."""
    return digest([[str(path.relative_to(PACKAGE)), _meaning(path)] for path in sources(paper, *modules)])


def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return ast.unparse(tree)


@lru_cache
def code(paper: str, *modules: str) -> dict[str, Any]:
    """Commit of the checkout, whether the files that the experiment reaches differ from it, and their digest."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", *(str(path) for path in sources(paper, *modules))) if commit else None
    return {"commit": commit, "dirty": bool(changed) if commit else None, "digest": code_digest(paper, *modules)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def versions() -> dict[str, str | None]:
    """Versions of what decides a number."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "numpy", "scipy", "timm", "labelkit"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def device(kind: str, threads: int, processes: int) -> dict[str, Any]:
    """Kind and name of the device, CPU threads of a process, and the number of processes."""
    if kind.startswith("cuda"):
        import torch

        name = torch.cuda.get_device_name(kind)
    else:
        name = _cpu_name()
    return {"kind": kind.split(":")[0], "name": name, "threads": threads, "processes": processes}


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def reset_peak_memory(kind: str) -> None:
    """Start a new measurement of peak memory, where the system allows it."""
    if kind.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(kind)
    elif sys.platform == "linux":
        with contextlib.suppress(OSError):  # refused in some sandboxes; the peak then covers the whole process
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory(kind: str) -> float | None:
    """Peak memory in MiB since :func:`reset_peak_memory`: allocated on the GPU, or resident in this process; None
    if unknown."""
    if kind.startswith("cuda"):
        import torch

        return round(torch.cuda.max_memory_allocated(kind) / 2**20, 1)
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return round(int(line.split()[1]) / 1024, 1)
    return None
