"""What `labelkit data list | check | fetch | prepare` calls, in one place.

`entries()` lists the data sets of the papers, `check()` looks at a folder, `fetch()` gets what may be fetched,
`prepare()` converts what has to be converted. The data root is always given by the caller; nothing here reads the
environment.
"""

from labelkit.datasets.checking import check
from labelkit.datasets.fetching import fetch
from labelkit.datasets.preparing import prepare
from labelkit.datasets.report import Report
from labelkit.datasets.sources import ENTRIES, Entry, find_entry

__all__ = ["Entry", "Report", "check", "entries", "fetch", "find_entry", "prepare"]


def entries() -> list[Entry]:
    """List all known data sets, those with a reader first, then by name."""
    return sorted(ENTRIES, key=lambda entry: (not entry.reader, entry.name))
