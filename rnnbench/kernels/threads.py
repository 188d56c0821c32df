"""Worker threads: compiled code releases the GIL, so plain Python threads run the blocks.

No OpenMP and no fork hazards: the pool is made on first use and made anew in a forked child. How work is split over
threads never changes a bit of the results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock

_threads: int | None = None
_pool: ThreadPoolExecutor | None = None


def get_num_threads() -> int:
    """Return how many threads a call may use.

    Unless set: ``RNNBENCH_NUM_THREADS``, else ``OMP_NUM_THREADS``, else the processors this process may run on.
    """
    if _threads is not None:
        return _threads
    for name in ("RNNBENCH_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "")
        if text.isdecimal() and int(text) > 0:
            return int(text)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def set_num_threads(threads: int | None) -> None:
    """Set how many threads a call may use; None goes back to the environment's choice.

    Raises
    ------
    ValueError
    """
    global _threads
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads: got {threads!r}, expected an integer >= 1 or None")
    _threads = threads
    _forget_pool()


def run(function: Callable, tasks: Iterable[tuple]) -> None:
    """Call ``function(*task)`` for every task, each taken by the next free thread; the caller's thread works too.

    Raises
    ------
    Exception
        The first error of any task, once all threads have stopped.
    """
    tasks = list(tasks)
    helpers = min(get_num_threads(), len(tasks)) - 1
    waiting = iter(tasks)
    lock = Lock()

    def work():
        while True:
            with lock:
                task = next(waiting, None)
            if task is None:
                return
            function(*task)

    futures = [_workers().submit(work) for _ in range(helpers)]
    try:
        work()
    finally:
        wait(futures)
    for future in futures:
        future.result()


def _workers() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(get_num_threads() - 1, thread_name_prefix="rnnbench")
    return _pool


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
