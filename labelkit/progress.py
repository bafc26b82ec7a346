"""How far a run is: a live bar where somebody watches, one line at the end where nobody does."""

import sys
import time


class Progress:
    """Counts units of work and shows rate and time left.

    In a terminal a tqdm bar; in a notebook one output line that is rewritten in place, so that an executed page keeps a
    single line; elsewhere (a log) one line when it closes.

    Args:
        total: units in all.
        label: what is being done.
        unit: name of a unit, singular.
    """

    def __init__(self, total: int, label: str, unit: str = "step"):
        self.total, self.label, self.unit, self.done, self.note = total, label, unit, 0, ""
        self.started = self.shown = time.perf_counter()
        self._bar = self._handle = None
        if _in_notebook():
            from IPython.display import display

            self._handle = display({"text/plain": self._line()}, raw=True, display_id=True)
        elif sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=label, unit=unit)

    def update(self, done: int, note: str = "") -> None:
        """Say that ``done`` units are finished; shown at most twice a second."""
        advance, self.done, self.note = done - self.done, done, note
        if self._bar is not None:
            self._bar.update(advance)
            self._bar.set_postfix_str(note)
        elif self._handle is not None and time.perf_counter() - self.shown > 0.5:
            self.shown = time.perf_counter()
            self._handle.update({"text/plain": self._line()}, raw=True)

    def close(self) -> None:
        """Leave the last line behind."""
        if self._bar is not None:
            self._bar.close()
        elif self._handle is not None:
            self._handle.update({"text/plain": self._line()}, raw=True)
        else:
            print(self._line(), file=sys.stderr)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> str:
        seconds = time.perf_counter() - self.started
        line = f"{self.label}: {self.done} of {self.total} {self.unit}s in {_span(seconds)}"
        if 0 < self.done < self.total:
            rate = self.done / seconds
            speed = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
            line += f", {speed}, {_span((self.total - self.done) / rate)} left"
        return line + (f" ({self.note})" if self.note and self.done < self.total else "")


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules and sys.modules["IPython"].get_ipython() is not None
