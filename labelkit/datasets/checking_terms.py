"""The last rows of a check: what the owner's manifest says, the licence, and where to get what is missing."""

from pathlib import Path

from labelkit.datasets.report import Report
from labelkit.datasets.seen import check_manifest
from labelkit.datasets.sources import ENTRIES, find_entry


def add_terms(report: Report, root: str | Path) -> Report:
    """Add the rows.

    Args:
        report: of a data set of the catalogue, by its name there.
        root: what the user gave, for the sentence on where to place the data.

    Returns:
        The same report.
    """
    check_manifest(report, report.folder)
    return complete(report, root)


def complete(report: Report, root: str | Path) -> Report:
    """Add licence and source where a check has not said them, and nothing to a report of no catalogued data set."""
    if report.name not in {known.name for known in ENTRIES}:
        return report
    known, said = find_entry(report.name), {what for what, _, _ in report.rows}
    if "licence" not in said:
        report.add("licence", known.licence)
    if not report.ok and "source" not in said:
        report.add("source", known.instructions(root))
    return report
