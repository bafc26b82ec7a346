"""Time of ``import labelkit`` and of what a command line call needs, in fresh processes."""

import argparse
import subprocess
import sys
import time

from labelkit.publish.benchmarks import write


def seconds(statement: str) -> float:
    """Shortest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write the results there")
    options = parser.parse_args()
    empty, figures = seconds("pass"), {}
    for statement in ("import labelkit", "import labelkit.cli", "import labelkit.papers", "import labelkit.runs"):
        figures[statement] = seconds(statement) - empty
        print(f"{statement:26} {figures[statement]:6.3f} s beside an empty interpreter")
    if options.json:
        write(options.json, {"seconds": figures}, "cpu", 1)


if __name__ == "__main__":
    main()
