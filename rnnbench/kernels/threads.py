"""Worker threads: compiled code releases the GIL, so plain Python threads run the blocks.

No OpenMP and no fork hazards: the pool is made on first use and made anew in a forked child. How work is split over
threads never changes a bit of the results.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
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

    if helpers < 1:
        work()
        return
    pool = _workers(helpers)
    with _own_processors(helpers) as places:
        futures = [pool.submit(_work_at, place, work) for place in places]
        try:
            work()
        finally:
            wait(futures)
    for future in futures:
        future.result()


def _work_at(processor, work):
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    work()


@contextmanager
def _own_processors(helpers: int) -> Iterator[list[int | None]]:
    """Keep the calling thread where it is, and yield another processor for each helping thread.

    Left alone, the scheduler often puts a helper and its caller on the same processor when one wakes the other, and a
    call of a few milliseconds is over before it notices: no gain from the second thread at all.
    """
    allowed = os.sched_getaffinity(0) if _current_processor else set()
    here = _current_processor() if _current_processor else -1
    others = sorted(allowed - {here})
    if here not in allowed or len(others) < helpers:
        yield [None] * helpers
        return
    os.sched_setaffinity(0, {here})
    try:
        yield others[:helpers]
    finally:
        os.sched_setaffinity(0, allowed)


def _find_current_processor() -> Callable[[], int] | None:
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        function = ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError):  # not Linux, or not allowed
        return None
    return function if function() >= 0 else None


_current_processor = _find_current_processor()


def _workers(least: int) -> ThreadPoolExecutor:
    global _pool
    if _pool is None or _pool._max_workers < least:
        _pool = ThreadPoolExecutor(least, thread_name_prefix="rnnbench")
    return _pool


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
