"""One thread for NumPy's BLAS: its threads wait spinning, and take the processors from those of our kernels."""

from __future__ import annotations

from functools import cache

from threadpoolctl import ThreadpoolController


def one_thread():
    """Return a context in which BLAS uses one thread; more cost the kernels around a small product milliseconds."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller():
    return ThreadpoolController()
