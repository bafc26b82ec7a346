"""Evaluation shared out over processes against one process that does it all, as a ratio of one run.

    python benchmarks/sharded_evaluation.py                # as many processes as cores, at most 4; some minutes
    python benchmarks/sharded_evaluation.py --processes 2

Drawn streets lie in memory; a lesson network with random weights predicts them, one thread a process: whole images, and
windows that overlap by a third. In every round the first process evaluates alone while the others sleep, then all of
them together; the time of the slowest counts, with the adding up of the counts. More processes than cores cannot be as
many times faster, so the cores are stated beside the ratio. The counts of both ways must be the same.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from labelkit import distributed
from labelkit.datasets.memory import InMemory
from labelkit.metrics.protocols import sliding_window, whole_image
from labelkit.models.lesson import LessonNet
from labelkit.publish.benchmarks import write
from labelkit.publish.timing import seconds
from labelkit.worlds.streets import Streets


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work(args: argparse.Namespace) -> None:
    """What each process does; the first one leaves seconds by protocol and by way, a list of rounds each."""
    torch.set_num_threads(1)
    with distributed.joined("cpu"), torch.no_grad():
        streets = Streets(split="test", length=args.images, height=args.height, width=args.width, seed=0, keep_mib=0)
        images = InMemory(streets)
        for index in range(len(images)):
            images[index]  # drawn before anything is timed
        torch.manual_seed(0)
        network = LessonNet(len(images.classes)).eval()
        crop = (args.height // 2, args.width // 2)
        protocols = {
            "whole-image": lambda: whole_image(network, images),
            "sliding-window": lambda: sliding_window(network, images, crop=crop),
        }
        found: dict[str, dict[str, list[float]]] = {name: {"one": [], "all": []} for name in protocols}
        for _ in range(args.rounds + 1):
            for name, evaluate in protocols.items():
                counts = {}

                def timed(way: str, evaluate=evaluate, counts=counts) -> float:
                    return seconds(lambda: counts.update({way: evaluate().matrix}))

                distributed.barrier()
                if distributed.place()[0] == 0:
                    with distributed.alone():
                        found[name]["one"].append(timed("one"))
                distributed.barrier()
                found[name]["all"].append(max(distributed.all_of(timed("all"))))
                if "one" in counts and not torch.equal(counts["one"], counts["all"]):
                    raise ValueError(f"{name}: the counts of all processes differ from those of one")
        if distributed.place()[0] == 0:
            torch.save(found, args.worker)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--processes", type=int, default=min(4, cores()))
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5, help="that count, after one that does not")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times.pt"
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={args.processes}"]
        sizes = [f"--{key}={getattr(args, key)}" for key in ("images", "height", "width", "rounds")]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, *launcher, __file__, *sizes, f"--worker={times}"]
        subprocess.run(command, check=True, env=environment)
        found = torch.load(times, weights_only=True)
    figures = {"processes": args.processes, "cores": cores()}
    for name, ways in found.items():
        one, several = (float(np.median(ways[way][1:])) for way in ("one", "all"))
        key = name.replace("-", "_")
        figures |= {f"{key}_one_seconds": one, f"{key}_all_seconds": several, f"{key}_speedup": one / several}
        print(
            f"{name:15} one process {one:7.2f} s, {args.processes} processes on {cores()} cores {several:7.2f} s, "
            f"{one / several:.2f} times as fast"
        )
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key not in ("json", "worker")}
        write(args.json, {"settings": settings} | figures, "cpu", 1)


if __name__ == "__main__":
    main()
