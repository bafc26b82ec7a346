"""Time of ``import labelkit`` and of what a command line call needs, in fresh processes."""

import subprocess
import sys
import time


def seconds(statement: str) -> float:
    """Shortest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    empty = seconds("pass")
    for statement in ("import labelkit", "import labelkit.cli", "import labelkit.papers", "import labelkit.runs"):
        print(f"{statement:26} {seconds(statement) - empty:6.3f} s beside an empty interpreter")
