"""Streaming confusion matrix against torchmetrics' Jaccard index, on label maps of 1024 x 2048 and 19 classes.

Needs the extra ``bench``. Prints milliseconds a map and the ratio of one run; ``--json PATH`` stores them.
"""

import argparse
import time

import torch

from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.publish.benchmarks import write


def milliseconds(update, prediction, target, rounds):
    """Median time of an update."""
    times = []
    for _ in range(rounds + 2):
        started = time.perf_counter()
        update(prediction, target)
        times.append(1e3 * (time.perf_counter() - started))
    return sorted(times[2:])[rounds // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json")
    options = parser.parse_args()
    from torchmetrics.classification import MulticlassJaccardIndex

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 19, (1, 1024, 2048), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.1] = 255
    prediction = torch.randint(0, 19, target.shape, generator=generator)
    ours = ConfusionMatrix(19)
    peers = {
        "labelkit, labels checked": ours.update,
        "torchmetrics, labels checked": MulticlassJaccardIndex(19, ignore_index=255).update,
        "torchmetrics, unchecked": MulticlassJaccardIndex(19, ignore_index=255, validate_args=False).update,
    }
    taken = {name: milliseconds(update, prediction, target, options.rounds) for name, update in peers.items()}
    for name, value in taken.items():
        print(f"{name:30} {value:8.1f} ms a map   {value / taken['labelkit, labels checked']:5.1f} x")
    if options.json:
        figures = {"settings": {"rounds": options.rounds}, "milliseconds": taken}
        write(options.json, figures, "cpu", torch.get_num_threads(), packages=["torchmetrics"])


if __name__ == "__main__":
    main()
