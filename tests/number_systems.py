"""The number systems that cell bodies run on, each as ``system(function, *arrays) -> array``.

A new one (a GPU's scalars, say) is one more line in SYSTEMS: `function` is a body written with rnnbench.ops, the arrays
are one-dimensional, of one length and dtype, and so is the result.
"""

from functools import cache

import numpy as np

from rnnbench import ops
from rnnbench.contract import Cell, Stage, Vector
from rnnbench.layout import Layout


def run_numpy(function, *arrays):
    """NumPy arrays."""
    return function(*arrays)


def run_python(function, *arrays):
    """Plain Python floats (float64), one at a time."""
    rows = zip(*(a.tolist() for a in arrays), strict=True)
    return np.array([function(*row) for row in rows], np.float64)


@cache
def _scalar_loop(function, arity):
    from numba import njit
    from numba.core.extending import register_jitable

    import rnnbench.ops.jit  # noqa: F401

    body = function if function.__module__ == ops.__name__ else register_jitable(function)
    if arity == 1:

        def loop(out, x):
            for i in range(out.size):
                out[i] = body(x[i])

    elif arity == 2:

        def loop(out, x, y):
            for i in range(out.size):
                out[i] = body(x[i], y[i])

    else:

        def loop(out, x, y, z):
            for i in range(out.size):
                out[i] = body(x[i], y[i], z[i])

    return njit(loop)


def run_scalars(function, *arrays):
    """Compiled scalars, one at a time: what a GPU's thread computes."""
    out = np.empty_like(arrays[0])
    _scalar_loop(function, len(arrays))(out, *arrays)
    return out


@cache
def _cell(function, arity):
    """A cell whose first state becomes `function` of all its states; the others stay as they are."""

    def forward(a, reads, p):
        return (function(*reads), *reads[1:]), ()

    def backward(dmakes, reads, makes, saved, p):
        return (), dmakes, ()

    names = tuple(f"h{i}" for i in range(arity))
    stage = Stage(forward, backward, makes=names, reads=names)
    return Cell(tuple(Vector(name) for name in names), (stage,), output="h0")


def run_vectors(function, *arrays):
    """SIMD vectors, through the CPU driver."""
    from rnnbench.kernels import cpu

    layout = Layout(_cell(function, len(arrays)), 0, arrays[0].size)
    state = {f"h{i}": values[None, None, None] for i, values in enumerate(arrays)}
    x = np.zeros((1, 1, 1, 0), arrays[0].dtype)
    return cpu.forward(layout, {}, x, state, np.array([1]), keep=False)[0].ravel()


SYSTEMS = {
    "numpy": run_numpy,
    "python": run_python,
    "compiled scalars": run_scalars,
    "SIMD vectors": run_vectors,
}

DTYPES = {name: ("float64",) if name == "python" else ("float32", "float64") for name in SYSTEMS}
EVERY = [(name, dtype) for name, dtypes in DTYPES.items() for dtype in dtypes]
