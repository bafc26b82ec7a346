"""The outcome of a check of data: a table of rows, each as expected or not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

NAMED_PROBLEMS = 5  # broken files named per part of a data set; the rest is counted


@dataclass
class Report:
    """The outcome of a check, a table of rows.

    Attributes:
        name: the data set's name.
        folder: the folder that was checked.
        variant: the layout and size found, such as "compact, 240x180".
        rows: what was looked at, what was found, and whether that is as expected.
    """

    name: str
    folder: Path
    variant: str
    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if every row is as expected."""
        return all(good for _, _, good in self.rows)

    @property
    def lines(self) -> list[str]:
        """The report as aligned lines of text."""
        width = max((len(what) for what, _, _ in self.rows), default=0)
        table = [f"{'ok   ' if good else 'WRONG'}  {what:<{width}}  {found}" for what, found, good in self.rows]
        return [f"{self.name} in {self.folder} ({self.variant})", *table]

    def add(self, what: str, found: str, good: bool = True) -> None:
        """Add a row."""
        self.rows.append((what, found, good))

    def add_problems(self, what: str, problems: Sequence[str]) -> None:
        """Add a row for each of the first problems and one for the number of the others."""
        for problem in problems[:NAMED_PROBLEMS]:
            self.add(what, problem, False)
        if len(problems) > NAMED_PROBLEMS:
            self.add(what, f"and {len(problems) - NAMED_PROBLEMS} more files", False)
