"""Tasks side by side, each in a process of its own, with stops that lose nothing."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any


def run_all(task: Callable[..., str | None], arguments: Sequence[tuple], jobs: int) -> Iterator[tuple[int, str | None]]:
    """Call a function with each of some arguments, several at a time; give the results as they come.

    On SIGTERM or an interrupt the workers get SIGTERM, on which a training saves a checkpoint and ends; what waits
    is not begun. If this process dies, its workers do the same by themselves.

    Args:
        task: a function of a module; returns None, or what went wrong in one sentence.
        arguments: of each call.
        jobs: processes at the same time.

    Yields:
        (place in ``arguments``, what the call returned).
    """
    spawn = multiprocessing.get_context("spawn")  # fork is not safe once torch has started threads
    pool = ProcessPoolExecutor(min(jobs, len(arguments)), mp_context=spawn, initializer=_follow_parent)
    before = _on_sigterm(lambda *_: sys.exit(143))
    try:
        places = {pool.submit(_unless_stopped, task, *each): place for place, each in enumerate(arguments)}
        for future in as_completed(places):
            try:
                problem = future.result()
            except BrokenProcessPool:
                problem = "its process was killed; start the run again to continue"
            yield places[future], problem
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        _on_sigterm(before)
    pool.shutdown()


_stopped = False


def _unless_stopped(task: Callable[..., str | None], *arguments: Any) -> str | None:
    """In a worker: after a stop, do not begin the calls that the pool had already handed over."""
    global _stopped
    if _stopped:
        raise SystemExit(143)
    try:
        return task(*arguments)
    except SystemExit:
        _stopped = True
        raise


def _on_sigterm(handler: Any) -> Any:
    """Set what SIGTERM does, in the main thread alone; returns what it did before."""
    if handler is None or threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, handler)


def _follow_parent() -> None:
    """In a worker: end when the parent is gone, with a checkpoint if a training can still write one."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
