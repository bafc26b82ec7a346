"""DARS relabelling by counting bit patterns against the straightforward way, by sorting; times as a ratio of one run.

    python benchmarks/dars_relabel.py                # 500 maps of 512 x 1024, 19 classes, two threads
    python benchmarks/dars_relabel.py --maps 60      # the same in an eighth of the time

Both sides do the whole job: class thresholds from the float16 confidences of all maps, random sampling down to the
class targets, and a PNG file for each map, written by the same function. The straightforward side gathers each class's
confidences with boolean masks, sorts them with numpy, and draws what is dropped with ``numpy.random.choice``, one map
after the other. Counting needs no order, so its maps are shared out to ``--workers`` threads; the ratio with a single
one is given as well. The maps are a few different ones over and over, made beforehand and handed to both sides from
memory; all work is done for each. Thresholds must be equal, else nothing is reported. Memory is by how much the process
grew at most.
"""

import argparse
import gc
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from labelkit import provenance
from labelkit.methods.dars import confident_classes
from labelkit.pseudo_labels.folder import PseudoLabelFolder
from labelkit.pseudo_labels.histograms import bank_of
from labelkit.pseudo_labels.relabel import relabel
from labelkit.pseudo_labels.selection import class_prior, select
from labelkit.publish.benchmarks import write


def base_maps(number: int, classes: int, height: int, width: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps like those of a network with output stride 8: logits at an eighth of the size, resized; uneven class shares;
    a third of the pixels at 1.0."""
    generator = torch.Generator().manual_seed(0)
    offset = -0.9 * torch.arange(classes).view(1, -1, 1, 1) ** 0.5
    maps = []
    for _ in range(number):
        regions = torch.randn(1, classes, height // 32, width // 32, generator=generator) + offset
        coarse = 8 * F.interpolate(regions, size=(height // 8, width // 8), mode="bilinear")
        coarse += torch.randn(coarse.shape, generator=generator)
        confidence, labels = confident_classes(F.interpolate(coarse, size=(height, width), mode="bilinear"))
        maps.append((confidence[0].numpy(), labels[0].numpy()))
    return maps


def by_sorting(maps, number: int, targets: np.ndarray, folder: PseudoLabelFolder) -> np.ndarray:
    """Thresholds (C,); masks are written into the folder."""
    banks: list[list[np.ndarray]] = [[] for _ in targets]
    for index in range(number):
        confidence, labels = maps(index)
        for label, bank in enumerate(banks):
            bank.append(confidence[labels == label])
    thresholds, shares = np.full(len(targets), np.inf), np.ones(len(targets))
    for label, target in enumerate(targets):
        bank = np.sort(np.concatenate(banks[label]))[::-1]
        banks[label] = []
        if target and len(bank):
            thresholds[label] = bank[min(target, len(bank)) - 1]
            shares[label] = min(1.0, target / np.count_nonzero(bank >= thresholds[label]))
    for index in range(number):
        confidence, labels = maps(index)
        mask = labels.copy()
        mask[confidence < thresholds[labels]] = 255
        for label, share in enumerate(shares):
            rows, columns = np.nonzero(mask == label)
            surplus = int(np.floor(len(rows) - len(rows) * share))
            if surplus:
                chosen = np.random.choice(len(rows), surplus, replace=False)
                mask[rows[chosen], columns[chosen]] = 255
        folder.write_mask(index, mask)
    return thresholds


def by_counting(
    maps, number: int, ratio: float, prior: np.ndarray, workers: int, folder: PseudoLabelFolder
) -> np.ndarray:
    """The same by ``labelkit.pseudo_labels``."""

    def choose(bank, again):
        return select(bank, ratio, "alignment", prior)

    return relabel(maps, range(number), folder, choose, len(prior), workers=workers).thresholds


def measured(job, *arguments) -> tuple[dict[str, float], np.ndarray]:
    """Seconds of a job in a fresh folder, on the clock and of the processor, and its thresholds."""
    place = Path(tempfile.mkdtemp())
    try:
        started, busy = time.perf_counter(), time.process_time()
        thresholds = job(*arguments, PseudoLabelFolder(place / "labels", {}))
        return {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - busy}, thresholds
    finally:
        shutil.rmtree(place)


def grown_mib(maps, number: int, classes: int) -> float:
    """MiB by which this process grows at most while it counts a number of maps."""
    gc.collect()
    provenance.reset_peak_memory("cpu")
    before = provenance.peak_memory("cpu")
    bank_of((maps(index) for index in range(number)), classes)
    return provenance.peak_memory("cpu") - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--maps", type=int, default=500)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--ratio", type=float, default=0.4)
    parser.add_argument("--workers", type=int, default=2, help="threads of the counting side")
    parser.add_argument("--different", type=int, default=10, help="different maps, used over and over")
    parser.add_argument("--json", type=Path, help="write the results there")
    args = parser.parse_args()

    torch.set_num_threads(1)
    np.random.seed(0)
    made = base_maps(args.different, args.classes, args.height, args.width)
    maps = lambda index: made[index % len(made)]  # noqa: E731
    prior = class_prior([labels for _, labels in made], args.classes)
    prior = np.sqrt(prior) / np.sqrt(prior).sum()  # not the predictions' own shares, or nothing would have to be cut
    bank = bank_of((maps(index) for index in range(args.maps)), args.classes)
    targets = select(bank, args.ratio, "alignment", prior).targets
    saturated = bank.counts[:, -1].sum() / bank.pixels

    bank_mib = bank.counts.nbytes / 2**20
    few, many = (grown_mib(maps, number, args.classes) for number in (max(1, args.maps // 10), args.maps))

    fast, ours = measured(by_counting, maps, args.maps, args.ratio, prior, args.workers)
    single, again = measured(by_counting, maps, args.maps, args.ratio, prior, 1)
    slow, theirs = measured(by_sorting, maps, args.maps, targets)
    if not (np.array_equal(ours, theirs) and np.array_equal(again, theirs)):
        raise SystemExit(f"the thresholds differ: {ours} and {theirs}")
    gathered = args.maps * args.height * args.width * 2 / 2**20
    growth = (bank_mib + many) / (bank_mib + few)  # of what counting holds, from a tenth of the maps to all of them
    print(f"{args.maps} maps of {args.height} x {args.width}, {args.classes} classes, {100 * saturated:.0f} % at 1.0")
    rows = {"by sorting": slow, "by counting, one thread": single, f"by counting, {args.workers} threads": fast}
    for name, taken in rows.items():
        print(f"{name:<26} {taken['seconds']:>7.2f} s   ratio {slow['seconds'] / taken['seconds']:>5.2f}")
    print(f"memory: {gathered:.0f} MiB gathered by sorting; by counting a bank of {bank_mib:.1f} MiB, and the process")
    print(f"grew by {many:.1f} MiB while it counted ({few:.1f} for a tenth of the maps); thresholds equal")
    if args.json:
        settings = {key: value for key, value in vars(args).items() if key != "json"}
        result = {
            "settings": settings | {"saturated": float(saturated)},
            "counting": fast | {"bank_mib": bank_mib, "grown_mib": many, "grown_mib_for_a_tenth": few},
            "counting_one_thread": single,
            "sorting": slow | {"gathered_mib": gathered},
            "ratio": {
                "time": slow["seconds"] / fast["seconds"],
                "time_one_thread": slow["seconds"] / single["seconds"],
                "memory_growth": growth,
            },
        }
        write(args.json, result, "cpu", args.workers)


if __name__ == "__main__":
    main()
