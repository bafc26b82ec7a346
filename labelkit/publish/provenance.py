"""The provenance strip: at the foot of every chapter, where its numbers come from."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from labelkit.contrasts import BEST_ON_VAL

if TYPE_CHECKING:
    from IPython.display import HTML


def duration(seconds: float) -> str:
    """Seconds in words that fit a table: ``"42 s"``, ``"3 min 05 s"``, ``"2 h 10 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def facts(records: list[dict]) -> list[tuple[str, list[str]]]:
    """What the records say about their origin, each fact once.

    Args:
        records: records of one or more runs.

    Returns:
        (name of the fact, its distinct values as text) in the order of the strip. More than one value for the
        commit or the device means that the records were not made in one go; the strip then shows all of them.
    """

    def distinct(values) -> list[str]:
        return sorted({str(value) for value in values if value not in (None, "", [])})

    commits = distinct(_commit(r["code"]) for r in records)
    devices = distinct(_device(r["device"]) for r in records)
    versions = distinct(f"{name} {version}" for r in records for name, version in r["versions"].items() if version)
    seeds = sorted({r["seed"] for r in records})
    protocols = distinct(name.removesuffix(BEST_ON_VAL) for r in records for name in r["metrics"])
    data = distinct(
        f"{r['dataset'].get('name', r['data'])} {r['dataset'].get('fingerprint', '')}".strip()
        for r in records
        if r.get("dataset")
    )
    splits = distinct(
        f"{r['split'].get('name')} {str(r['split'].get('hash', ''))[:10]}".strip() for r in records if r.get("split")
    )
    seconds = sum(r.get("measured", {}).get("seconds", 0.0) for r in records)
    started = sorted(r["measured"]["started"][:10] for r in records if r.get("measured", {}).get("started"))
    days = [] if not started else [started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}"]
    return [
        ("Code", commits),
        ("Device", devices),
        ("Versions", versions),
        ("Seeds", [str(seed) for seed in seeds]),
        ("Protocols", protocols),
        ("Data and fingerprint", data),
        ("Labelled split and hash", splits),
        ("Computing time", [f"{duration(seconds)} over {len(records)} runs"]),
        ("Run on", days),
    ]


def _commit(code: dict) -> str:
    commit = str(code.get("commit") or "not committed")[:10]
    return f"{commit} with local changes" if code.get("dirty") else commit


def _device(device: dict) -> str:
    name = device.get("name") or device.get("kind", "unknown")
    threads = device.get("threads")
    return f"{name}, {threads} thread{'s' if threads != 1 else ''}" if threads else name


def provenance(records: list[dict]) -> str:
    """The strip as HTML. The long lists fold away.

    Args:
        records: records of the chapter's runs; an empty list gives a strip that says so.
    """
    if not records:
        return '<aside class="provenance"><p>Not yet run: there are no records for this chapter.</p></aside>'
    rows = []
    for name, values in facts(records):
        if not values:
            continue
        if len(values) > 6:
            items = "".join(f"<li><code>{escape(value)}</code></li>" for value in values)
            cell = f"<details><summary>{len(values)} values</summary><ul>{items}</ul></details>"
        elif name in ("Seeds", "Computing time", "Run on", "Versions", "Device"):
            cell = escape(", ".join(values))
        else:
            cell = ", ".join(f"<code>{escape(value)}</code>" for value in values)
        rows.append(f"<div><dt>{escape(name)}</dt><dd>{cell}</dd></div>")
    return f'<aside class="provenance"><h4>Provenance</h4><dl>{"".join(rows)}</dl></aside>'


def strip(records: list[dict]) -> HTML:
    """The strip as something that a notebook displays: make it the last expression of a cell."""
    from IPython.display import HTML

    return HTML(provenance(records))
