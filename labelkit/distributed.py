"""Processes that work together: who am I, joining and leaving, waiting, sharing out, bringing together.

torchrun starts the processes and tells each its number in the environment. Outside of it there is one process, and
everything here gives what one process would get, without a word to anybody.

Two kinds of talk are kept apart. Gradients and batch statistics go through the default group (NCCL between GPUs, gloo
between CPUs): a process that stays silent there for ten minutes is lost, and the others end. Everything else goes
through a group of its own over gloo, in which one may wait for hours: the first process labels or writes alone while
the others stand by. If it dies meanwhile, its connections close and the others end at once.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import torch
from torch import Tensor

SILENCE = timedelta(minutes=10)
"""After which a process that takes no part in a step counts as lost."""
PATIENCE = timedelta(hours=24)
"""That processes wait for one that works alone."""

_apart = False  # within `alone`
_second: dict[str, Any] = {
    "of": None,
    "group": None,
}  # the group for everything but steps, and the default one it is of


def launched() -> bool:
    """Whether torchrun started this process as one of several."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def announced() -> tuple[int, int]:
    """(rank, number of processes) as torchrun tells them, joined or not yet; (0, 1) outside of it."""
    return (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) if launched() else (0, 1)


def place() -> tuple[int, int]:
    """(rank, number of processes) that work together now; (0, 1) if none have joined, and within :func:`alone`."""
    if _apart or not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


@contextlib.contextmanager
def joined(device: str) -> Iterator[None]:
    """Within the block this process works with the others of torchrun, if there are any.

    Args:
        device: where it computes, "cpu" or "cuda:<n>".
    """
    if not launched():
        yield
        return
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.set_device(device)
    store, rank, processes = _meeting()
    backend = "nccl" if cuda else "gloo"
    torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=processes, timeout=SILENCE)
    try:
        yield
    except BaseException:
        if not cuda:  # NCCL would wait here for what the others no longer send; the end of the process frees it, too
            torch.distributed.destroy_process_group()
        raise
    torch.distributed.destroy_process_group()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within the block this process is by itself, for work that it does while the others wait."""
    global _apart
    before, _apart = _apart, True
    try:
        yield
    finally:
        _apart = before


def barrier() -> None:
    """Until all processes are here."""
    if place()[1] > 1:
        torch.distributed.barrier(group=_patient())


def shard(count: int, block: int = 1) -> range:
    """This process's share of ``count`` things, a run of them; the runs of all processes in order are the whole.

    Args:
        count: of the things.
        block: things that stay together, such as the images of a forward pass: then the passes of all processes are
            those of one process alone, to the last digit. Shares differ by one block at most.
    """
    rank, processes = place()
    blocks = -(-count // block)
    ends = (min(count, block * (blocks * k // processes)) for k in (rank, rank + 1))
    return range(*ends)


def gather(value: Any) -> list[Any] | None:
    """Everybody's value in order of rank, in the first process; None in the others.

    Args:
        value: anything that can be pickled; tensors come on the CPU.
    """
    rank, processes = place()
    if processes == 1:
        return [value]
    values: list[Any] | None = [None] * processes if rank == 0 else None
    torch.distributed.gather_object(value, values, dst=0, group=_patient())
    return values


def all_of(value: Any) -> list[Any]:
    """Everybody's value in order of rank, in all processes; see :func:`gather`."""
    processes = place()[1]
    if processes == 1:
        return [value]
    values: list[Any] = [None] * processes
    torch.distributed.all_gather_object(values, value, group=_patient())
    return values


def first_of(value: Any) -> Any:
    """The first process's value, in all processes: what they must agree on to the last digit."""
    if place()[1] == 1:
        return value
    values = [value]
    torch.distributed.broadcast_object_list(values, src=0, group=_patient())
    return values[0]


def any_of(flag: bool) -> bool:
    """Whether a flag is set in one of the processes."""
    if place()[1] == 1:
        return flag
    found = torch.tensor(int(flag))
    torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX, group=_patient())
    return bool(found)


def add_up(counts: Tensor) -> Tensor:
    """The sum of everybody's tensor, in all processes; exact where these are integers.

    Args:
        counts: of one shape and type in all processes, on whatever device.

    Returns:
        On the device of ``counts``; a new tensor where there are several processes.
    """
    if place()[1] == 1:
        return counts
    total = counts.detach().cpu().clone()
    torch.distributed.all_reduce(total, group=_patient())
    return total.to(counts.device)


def highest_of(values: Tensor) -> Tensor:
    """The largest of everybody's tensor, entry by entry, in all processes; see :func:`add_up`."""
    if place()[1] == 1:
        return values
    found = values.detach().cpu().clone()
    torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX, group=_patient())
    return found.to(values.device)


def rows_of(share: Tensor | None) -> Tensor:
    """Everybody's rows one below the other, in all processes: the whole of what was shared out by :func:`shard`.

    Args:
        share: (n, ...), n and nothing else differing between processes; None where the share is empty.
    """
    if place()[1] == 1 and share is not None:
        return share
    return torch.cat([each for each in all_of(None if share is None else share.cpu()) if each is not None])


def list_of(share: list[Any]) -> list[Any]:
    """Everybody's list one after the other, in all processes; see :func:`rows_of`."""
    return [each for own in all_of(share) for each in own]


def _meeting() -> tuple[Any, int, int]:
    """Where the processes of this start find each other, the rank of this one, and their number.

    torchrun keeps one store over restarts. It still holds the addresses of processes that are gone, and who reads them
    waits for ever; the number of a restart is of no help, since nodes count for themselves. So everybody says hello
    under a name that nobody had before, and the first process tells all of them where in the store they meet.
    """
    store, rank, processes = next(torch.distributed.rendezvous("env://", timeout=SILENCE))
    name, answered, since = uuid4().hex, set(), time.monotonic()
    if rank:
        store.set(f"hello-{rank}", name)
        name = store.get(f"answer-{name}").decode()
        store.add(f"{name}-heard", 1)
    while rank == 0 and store.add(f"{name}-heard", 0) < processes - 1:
        for key in (f"hello-{other}" for other in range(1, processes)):
            caller = store.get(key).decode() if store.check([key]) else None
            if caller and caller not in answered:
                answered.add(caller)
                store.set(f"answer-{caller}", name)
        if time.monotonic() - since > SILENCE.total_seconds():
            raise TimeoutError(f"only some of {processes} processes have come; expected all of them on all nodes")
        time.sleep(0.02)
    return torch.distributed.PrefixStore(name, store), rank, processes


def _patient() -> Any:
    """The group for everything but steps; made by all processes together when they first need it."""
    world = torch.distributed.group.WORLD
    if _second["of"] is not world:
        _second.update(of=world, group=torch.distributed.new_group(backend="gloo", timeout=PATIENCE))
    return _second["group"]
