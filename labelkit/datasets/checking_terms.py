"""The last rows of a check: what the owner's manifest says, the licence, and where to get what is missing."""

from pathlib import Path

from labelkit.datasets.report import Report
from labelkit.datasets.seen import check_manifest
from labelkit.datasets.sources import find_entry


def add_terms(report: Report, root: str | Path) -> Report:
    """Add the rows.

    Args:
        report: of a data set of the catalogue, by its name there.
        root: what the user gave, for the sentence on where to place the data.

    Returns:
        The same report.
    """
    known = find_entry(report.name)
    check_manifest(report, report.folder)
    report.add("licence", known.licence)
    if not report.ok:
        report.add("source", known.instructions(root))
    return report
