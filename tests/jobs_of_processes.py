"""What tests let several processes do: trainings and evaluations that one process does as well.

``python jobs_of_processes.py FOLDER`` under torchrun leaves the results of every process in the folder.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from labelkit import distributed
from labelkit.datasets.streams import Stream
from labelkit.losses.adversarial_perturbation import virtual_adversarial_loss
from labelkit.metrics.classification import classify
from labelkit.metrics.protocols import sliding_window, whole_image
from labelkit.metrics.tags import predict_tags
from labelkit.models.history_pool import HistoryPool
from labelkit.models.layers import statistics_kept
from labelkit.optimizers import SideBySide
from labelkit.pseudo_labels.accumulation import AccumulatedMaps
from labelkit.training import Interrupted, constant, train

BATCH = 8
IMAGES = 13
"""In the set that is evaluated: with batches of 4, not as many for each process."""


class Pictures:
    """Random images of 8 x 8 pixels in double precision, with a mask of the inner 6 x 6 and a label."""

    classes, ignore_index = ("a", "b", "c"), 255

    def __init__(self, length, size=8):
        self.length, self.size = length, size

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        draws = torch.Generator().manual_seed(index)
        image = torch.rand(3, self.size, self.size, generator=draws, dtype=torch.float64)
        mask = torch.randint(0, 3, (self.size, self.size), generator=draws)
        return {"image": image, "mask": mask, "label": index % 3, "tags": F.one_hot(torch.tensor(index % 3), 3)}


class Plain(nn.Module):
    """A small network whose normalisation knows no batch, or knows it; a head that is never used."""

    def __init__(self, norm):
        super().__init__()
        torch.manual_seed(0)
        made = {"group": lambda: nn.GroupNorm(2, 4), "batch": lambda: nn.BatchNorm2d(4)}[norm]
        first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.net = nn.Sequential(first, made(), nn.ReLU(), second, made(), nn.ReLU())
        self.head, self.unused = nn.Conv2d(4, 3, 1), nn.Linear(3, 3)
        self.double()

    def training_step(self, batch):
        logits = self.predict(batch["image"])
        return {"loss": F.cross_entropy(logits, batch["mask"]), "size": torch.tensor(float(len(logits)))}

    def predict(self, images):
        return self.head(self.net(images))


class Involved(Plain):
    """Two passes of one network, one of them without gradient, gradients taken within the step, a pool of earlier
    images, and a count of steps."""

    def __init__(self):
        super().__init__("batch")
        self.critic, self.pool = nn.Conv2d(3, 1, 1).double(), HistoryPool(2)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def training_step(self, batch):
        images, logits = batch["image"], self.predict(batch["image"])
        with torch.no_grad():
            teacher = self.predict(images.flip(-1)).flip(-1).argmax(1)
        with statistics_kept(self.net):
            noise = torch.ones_like(images)  # drawn numbers would differ between processes
            pooled = lambda x: self.predict(x).mean((2, 3))  # noqa: E731
            power = virtual_adversarial_loss(pooled, images, pooled(images), radius=1.0, noise=noise)
        self.pool.exchange(images)
        critic = self.critic(logits.detach()).square().mean()
        supervised = F.cross_entropy(logits, batch["mask"])
        self.steps += int(self.last_part)
        loss = supervised + F.cross_entropy(logits, teacher) + power + critic
        return {"loss": loss, "supervised": supervised}


METHODS = {"group": lambda: Plain("group"), "batch": lambda: Plain("batch"), "involved": Involved}


def optimizer_of(method):
    if not isinstance(method, Involved):
        # Weight decay would change a parameter without gradient, were it given one of zeros.
        return torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)
    rest = [parameter for name, parameter in method.named_parameters() if not name.startswith("critic.")]
    parts = [torch.optim.SGD(rest, lr=0.1, momentum=0.9), torch.optim.Adam(method.critic.parameters(), lr=1e-3)]
    return SideBySide(parts)


def jitter(sample, rng):
    """An augmentation that draws."""
    return sample | {"image": sample["image"] * rng.uniform(0.5, 1.5) + rng.normal()}


def trained(name, parts=1, batches=lambda stream: stream, steps=6, **options):
    """A method after some steps, and its history."""
    method, (rank, world_size) = METHODS[name](), distributed.place()
    stream = Stream(Pictures(20), range(20), BATCH, jitter, seed=3, rank=rank, world_size=world_size, parts=parts)
    torch.manual_seed(rank)
    history = train(
        method, batches(stream), steps=steps, optimizer=optimizer_of(method), schedule=constant(), accumulate=parts,
        log_every=2, clip_norm=10.0, **options,
    )  # fmt: skip
    return method, history


def evaluated():
    """Everything that processes share out when they evaluate."""
    method = METHODS["batch"]().eval()
    with torch.no_grad():
        return {
            "whole": whole_image(method.predict, Pictures(IMAGES), batch_size=4).matrix,
            "some": whole_image(method.predict, Pictures(IMAGES), [1, 5, 6], batch_size=2).matrix,
            "one": whole_image(method.predict, Pictures(1)).matrix,
            "windows": sliding_window(method.predict, Pictures(IMAGES, 11), crop=8).matrix,
            "classes": classify(lambda x: method.predict(x).mean((2, 3)), Pictures(IMAGES), batch_size=4),
            "tags": predict_tags(lambda x: method.predict(x).mean((2, 3)), Pictures(IMAGES), batch_size=4),
        }


class Stops:
    """Batches at one of which the second process is asked to end."""

    def __init__(self, stream, index):
        self.stream, self.index = stream, index

    def __getitem__(self, index):
        if index == self.index and distributed.place()[0] == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return self.stream[index]


def stopped_and_resumed(checkpoint):
    """After which step all processes stopped, and what came of going on."""
    try:
        trained("involved", batches=lambda stream: Stops(stream, 3), checkpoint=checkpoint)
    except Interrupted as stop:
        after = stop.step
    method, history = trained("involved", checkpoint=checkpoint)
    return {"after": after, "state": dict(method.state_dict()), "series": history.series}


def everything(parts):
    """Results of all methods, as one process keeps them."""
    found = {}
    for name in METHODS:
        method, history = trained(name, parts)
        found[name] = {"state": dict(method.state_dict()), "series": history.series}
    return found


def accumulated():
    """Class maps of four images, of which each process sees its share; the last of them only in the first."""
    kept, draws = AccumulatedMaps(torch.ones(4, 2), (3, 3)), torch.Generator().manual_seed(0)
    maps, logits = torch.rand(4, 2, 3, 3, generator=draws), torch.randn(4, 2, generator=draws) * 4
    for index in distributed.shard(4):
        kept.update(torch.tensor([index]), maps[[index]], logits[[index]])
    if distributed.place()[0] == 0:
        kept.update(torch.tensor([3]), 1 - maps[[3]], logits[[3]] + 9)
    kept.merge()
    return kept.maps, kept.seen


def talk(rank):
    """What processes tell each other."""
    found = {
        "shards": distributed.all_of(list(distributed.shard(10, 3))),
        "gathered": distributed.gather(rank),
        "first": distributed.first_of(rank),
        "any": distributed.any_of(rank == 1),
        "highest": int(distributed.highest_of(torch.tensor(rank))),
        "sum": distributed.add_up(torch.tensor([2**62 + 1, rank])).tolist(),
        "list": distributed.list_of([str(place) for place in distributed.shard(3)]),
        "rows": distributed.rows_of(torch.full((2, 1), rank) if rank else None).tolist(),
    }
    with distributed.alone():
        found["alone"] = distributed.place(), distributed.gather(rank), len(distributed.shard(10))
    return found


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    with distributed.joined("cpu"):
        rank = distributed.place()[0]
        found = {
            "whole": everything(1),
            "parts": everything(2),
            "evaluation": evaluated() | {"maps": accumulated()},
            "resumed": stopped_and_resumed(folder / "stopped.pt"),
            "talk": talk(rank),
        }
        trained("group", checkpoint=folder / "group.pt", checkpoint_every=6)
        torch.save(found, folder / f"{rank}.pt")
        distributed.barrier()


if __name__ == "__main__":
    main()
