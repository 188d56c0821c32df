"""One thread for NumPy's BLAS: its threads wait spinning, and take the processors from those of our kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

from rnnbench.forks import ForkedLock

_lock, _inside, _limit = ForkedLock(), 0, None


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, BLAS uses one thread; more cost the kernels around a small product milliseconds.

    Python threads may be inside together: the first sets the limit, and the last takes it away.
    """
    global _inside, _limit
    with _lock:
        if not _inside:
            _limit = _controller().limit(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.restore_original_limits()


@cache
def _controller():
    return ThreadpoolController()
