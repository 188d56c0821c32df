"""Worker threads for compiled code, which releases the interpreter lock: plain Python threads, kept for the next call.

No OpenMP and no fork hazards: helpers are made on first use and made anew in a forked child. How work is split over
threads never changes a bit of the results.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from threading import Lock, Thread, get_native_id

import numpy as np

from rnnbench.kernels import crew, memory

LOOKS = 30_000  # of a helper into its mailbox before it goes to sleep: about a millisecond

_threads: int | None = None


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
    return len(_allowed())


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


def run(function: int, tasks: np.ndarray, alone: np.ndarray | None = None) -> None:
    """Call a compiled function for every task, each taken by the next free thread; the caller's thread works too.

    Parameters
    ----------
    function : int
        Address of a ``void (void*, int64)`` that raises nothing.
    tasks : (n, m) int64 array
        The function gets the address of a line.
    alone : (n, m) int64 array, optional
        For tasks that wait for each other, and so need a thread each: what to do in their place if other threads cannot
        be had (they are at work for another caller).

    Raises
    ------
    RuntimeError
        If the system gives no more threads.
    """
    helpers = len(tasks) - 1
    if helpers > 0 and alone is None:
        helpers = min(helpers, get_num_threads() - 1)
    if not (helpers > 0 and _crew.run(function, tasks, helpers)) and len(tasks):
        lines = tasks if alone is None else alone
        call, line = _task(function), memory.address(lines)
        for _ in range(len(lines)):
            call(None, line)
            line += lines.strides[0]


class _Helper:
    """A thread that sleeps, or looks into its mailbox."""

    def __init__(self):
        lock = _python("PyThread_allocate_lock")()
        self.mailbox = memory.zeros(crew.MAILBOX_NUMBERS, np.int64)
        self.mailbox[0], self.mailbox[crew.LOCK // 8] = crew.WAITING, lock
        for place, name in ((crew.ACQUIRE, "PyThread_acquire_lock"), (crew.RELEASE, "PyThread_release_lock")):
            self.mailbox[place // 8] = ctypes.cast(_python(name), ctypes.c_void_p).value
        self.address = memory.address(self.mailbox)
        ctypes.pythonapi.PyThread_acquire_lock(ctypes.c_void_p(lock), 1)
        self.processor: int | None = None
        self.native: int | None = None
        self.thread = Thread(target=self._serve, name="rnnbench", daemon=True)
        self.thread.start()

    def _serve(self):
        self.native = get_native_id()
        self.stay_on(self.processor)
        _call()(None, crew.SERVE, self.address, 0, LOOKS, pause())

    def stay_on(self, processor):
        self.processor = processor
        if processor is not None and self.native is not None:
            with suppress(OSError):  # taken away meanwhile: it may run anywhere then
                os.sched_setaffinity(self.native, {processor})


class _Crew:
    """The helpers of this process; one caller at a time has them."""

    def __init__(self):
        self.lock = Lock()  # of the list, not of the helpers at work
        self.helpers: list[_Helper] = []
        self.job = memory.zeros(crew.JOB_NUMBERS, np.int64)
        self.address = memory.address(self.job)

    def run(self, function, tasks, helpers):
        """Have the tasks done by the caller and so many helpers; return whether no other caller has them."""
        if self.job[crew.BUSY // 8]:
            return False
        here = _processor()
        if len(self.helpers) < helpers or any(h.processor == here for h in self.helpers):
            with self.lock:
                while len(self.helpers) < helpers:
                    self.helpers.append(_Helper())
                self._spread()
        mailboxes = [helper.address for helper in self.helpers[:helpers]]
        request = np.array([function, memory.address(tasks), tasks.strides[0], len(tasks), *mailboxes], np.int64)
        return bool(_call()(None, crew.WORK, self.address, memory.address(request), helpers, pause()))

    def _spread(self):
        """Give each helper a processor of its own, other than the caller's.

        Left alone, the scheduler often puts a helper and its caller on the same processor when one wakes the other, and
        a call of a few milliseconds is over before it notices.
        """
        others = sorted(_allowed() - {_processor()})
        places = others if len(others) >= len(self.helpers) and _processor() >= 0 else [None] * len(self.helpers)
        for helper, place in zip(self.helpers, places, strict=False):
            helper.stay_on(place)

    def quit(self):
        """Let all helpers end; what they wait on is about to go."""
        end = time.monotonic() + 1
        while not _call()(None, crew.TAKE, self.address, 0, 0, 0):
            if time.monotonic() > end:
                return
            time.sleep(0.001)
        for helper in self.helpers:
            _call()(None, crew.DISMISS, helper.address, 0, 0, 0)
            helper.thread.join(timeout=1)


_crew = _Crew()


def _python(name):
    """A function of Python's own on locks, which needs no interpreter lock."""
    function = ctypes.pythonapi[name]
    function.restype = ctypes.c_void_p if name == "PyThread_allocate_lock" else ctypes.c_int
    return function


@cache
def _call() -> Callable:
    """The compiled function of :mod:`rnnbench.kernels.crew`; releases the interpreter lock."""
    numbers = [ctypes.c_int64] * 5
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, *numbers)(crew.address())


@cache
def _task(function: int) -> Callable:
    """A compiled function of a task, to be called from here."""
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(function)


@cache
def pause() -> int:
    """Address of the system's function by which a thread offers its processor to others; 0 where there is none."""
    try:
        return ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    except (AttributeError, OSError, TypeError):
        return 0


def _allowed() -> set[int]:
    """Processors that this process may run on."""
    try:
        return os.sched_getaffinity(0)
    except AttributeError:
        return set(range(os.cpu_count() or 1))


def _find_processor() -> Callable[[], int]:
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        function = ctypes.PyDLL(None).sched_getcpu
        return function if function() >= 0 else lambda: -1
    except (AttributeError, OSError):  # not Linux, or not allowed
        return lambda: -1


_processor = _find_processor()


def _start_anew():
    """In a forked child, where the helpers do not exist."""
    global _crew
    _crew = _Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
atexit.register(lambda: _crew.quit() if _crew.helpers else None)
