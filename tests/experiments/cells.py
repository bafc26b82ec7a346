"""What tests of arms share: where a cell runs, and when two cells are the same."""

import torch

from labelkit.experiments.settings import Context


def context(folder):
    """On the CPU, with a folder of its own that is made here."""
    folder.mkdir(parents=True, exist_ok=True)
    return Context("cpu", folder, folder, "identity")


def without_time(outcome):
    """All that an outcome holds but how long it took; weights are compared by `same_weights`."""
    return {key: value for key, value in vars(outcome).items() if key not in ("train_seconds", "weights")}


def same_weights(a, b):
    """Whether two state dicts are equal to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
