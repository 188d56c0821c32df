"""Locks and forks: in a forked child nobody would ever open a lock that another thread had closed."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock


class ForkedLock:
    """A lock for ``with``, which is open at first in a forked child.

    Parameters
    ----------
    make : threading.Lock or threading.RLock
    """

    def __init__(self, make: Callable = Lock):
        self._make, self._lock = make, make()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self):
        self._lock = self._make()

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()
