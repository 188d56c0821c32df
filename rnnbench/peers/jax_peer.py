"""JAX: ``jit`` of ``lax.scan`` over a plain cell; the products with the input are taken for all steps at once."""

from __future__ import annotations

import contextlib
import os

from rnnbench.peers.tasks import Job, Task, check_common

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def load() -> None:
    """Import JAX with the number of threads that NPROC says."""
    threads = int(os.environ.get("NPROC", "0")) or None
    with _few_processors(threads):  # it makes as many threads as it may use processors when it starts
        import jax

        jax.devices()


@contextlib.contextmanager
def _few_processors(count):
    """Inside, this process may use so many processors only; the threads made inside may use all afterwards."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if count is None or count >= len(allowed):
        yield
        return
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):  # it may have ended
                os.sched_setaffinity(int(thread), allowed)


def cell(name: str, activation: str | None):
    """The state after a step, from the state before and the step's products with the input: (state, a, w) -> state."""
    import jax
    import jax.numpy as jnp

    def elman(state, a, w, b):
        act = jax.nn.relu if activation == "relu" else jnp.tanh
        return (act(a + state[0] @ w.T + b),)

    def gru(state, a, w, b):
        (h,) = state
        (r, z, n), (u_r, u_z, u_n) = (jnp.split(v, 3, axis=-1) for v in (a, h @ w.T + b))
        r, z = jax.nn.sigmoid(r + u_r), jax.nn.sigmoid(z + u_z)
        n = jnp.tanh(n + r * u_n)
        return ((1 - z) * n + z * h,)

    def lstm(state, a, w, b):
        h, c = state
        i, f, g, o = jnp.split(a + h @ w.T + b, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    return {"elman": elman, "gru_reset_after": gru, "lstm": lstm}[name]


def prepare(task: Task, arrays: dict) -> Job:
    """The compiled function of a direction."""
    check_common(task, "JAX")
    import jax
    import jax.numpy as jnp

    step = cell(task.cell, task.activation)
    start = (jnp.zeros((task.shape.B, task.shape.H)),) * (2 if task.cell == "lstm" else 1)
    x, dy = jnp.asarray(arrays["x"]), jnp.asarray(arrays["dy"])
    weights = {name: jnp.asarray(arrays[name]) for name in WEIGHTS}

    def forward(w, x):
        products = x @ w["weight_ih"].T + w["bias_ih"]

        def body(state, a):
            state = step(state, a, w["weight_hh"], w["bias_hh"])
            return state, state[0]

        state, y = jax.lax.scan(body, start, products)
        return y, state

    def backward(w, x, dy):
        y, pull, state = jax.vjp(forward, w, x, has_aux=True)
        return y, state, *pull(dy)

    compiled = jax.jit(backward if task.training else forward)
    given = (weights, x, dy) if task.training else (weights, x)

    def arrays_of(result):
        y, state, *gradients = result
        made = {"y": y} | dict(zip("hc", state, strict=False))
        return made | ({"dx": gradients[1]} | gradients[0] if gradients else {})

    return Job(lambda: jax.block_until_ready(compiled(*given)), arrays_of)
