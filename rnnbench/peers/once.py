"""What can be measured only once per process: peak memory, and how long the first call takes.

``python -m rnnbench.peers.once MODULE`` reads a request as one line of JSON and answers in one line.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rnnbench.peers.tasks import (
    ABSENT,
    DIRECTIONS,
    FAILED,
    OK,
    OWN,
    PEERS,
    RNNBENCH,
    UNSUPPORTED,
    NotSupported,
    Task,
    missing,
)

SECONDS = 180.0
# glibc gives large blocks back at once only if this is set; else a call may live on what was freed before it.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
WARM_UP = {"T": 2, "B": 2}  # of the shape: libraries allocate their pools and compile at the first call


def memory_rows(task: Task, peers: Sequence[str]) -> list[dict]:
    """How far a call's memory rises above what its process held before, in both directions, ours and the peers'.

    ``tape_mb`` is what the layout says that the tape of a training call takes, by itself.
    """
    from rnnbench.peers import own

    tape = 4e-6 * own.make_layer(task).layout.tape_floats() * task.shape.T * task.shape.B
    made = []
    for direction in DIRECTIONS:
        for name, peer in {RNNBENCH: OWN, **{name: PEERS[name] for name in peers}}.items():
            row = {"kind": "memory", "direction": direction, "peer": name}
            given = replace(task, direction=direction, variant=peer.variant)
            row |= {"tape_mb": round(tape, 3)} if given.training and name == RNNBENCH else {}
            made.append(row | _asked("memory", given, peer, GIVE_BACK))
    return made


def start_rows(task: Task, peers: Sequence[str]) -> list[dict]:
    """Seconds of import, first and second (training) call, with an empty compilation cache and from it."""
    made = []
    with tempfile.TemporaryDirectory(prefix="rnnbench-") as folder:
        for name, peer in {RNNBENCH: OWN, **{name: PEERS[name] for name in peers}}.items():
            for cache in ("cold", "cached"):
                env = {"NUMBA_CACHE_DIR": f"{folder}/numba", "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor"}
                row = {"kind": "start", "direction": "training", "peer": name, "cache": cache}
                given = replace(task, direction="training", variant=peer.variant)
                made.append(row | _asked("start", given, peer, env))
    return made


def _asked(what, task, peer, env=None):
    from rnnbench.peers.process import environment

    if absent := missing(peer.needs):
        return {"outcome": ABSENT, "detail": absent}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rnnbench.peers.once", peer.module],
            input=json.dumps({"what": what, "task": task.as_json()}),
            capture_output=True, text=True, timeout=SECONDS, env=environment(task.threads) | (env or {}),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"outcome": FAILED, "detail": f"no answer within {SECONDS:g} s"}
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return {"outcome": FAILED, "detail": f"exit code {done.returncode}: {said[:200]}"}
    return json.loads(done.stdout.splitlines()[-1])


def peak_bytes() -> int:
    """The most memory this process has held (since `reset_peak`, where the system has it)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_peak() -> int:
    """Let the peak start again from what is held now, and return that."""
    if os.path.exists("/proc/self/clear_refs"):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


def _memory(peer, task):
    """The rise of the first call of this shape; what a library holds for itself a tiny one took before."""
    import numpy as np

    from rnnbench.peers import own

    peer.load()
    small = replace(task, shape=task.shape._replace(**WARM_UP))
    peer.prepare(small, own.make_arrays(small, np.random.default_rng(0))).call()
    arrays = own.make_arrays(task, np.random.default_rng(0))
    job = peer.prepare(task, arrays)
    before = reset_peak()
    job.call()
    return {"peak_mb": (peak_bytes() - before) / 1e6, "before_mb": before / 1e6}


def _start(peer, task):
    import numpy as np

    clock = time.perf_counter
    start = clock()
    peer.load()
    loaded = clock()
    from rnnbench.peers import own

    arrays = own.make_arrays(replace(task, variant="reference"), np.random.default_rng(0))
    ready = clock()
    job = peer.prepare(task, arrays)
    job.call()
    first = clock()
    job.call()
    return {"import_s": loaded - start, "first_call_s": first - ready, "second_call_s": clock() - first}


def main(module: str) -> None:
    """Answer one request."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    task = Task.from_json(request["task"])
    measure = {"memory": _memory, "start": _start}[request["what"]]
    try:
        row = {"outcome": OK} | measure(importlib.import_module(module), task)
    except NotSupported as error:
        row = {"outcome": UNSUPPORTED, "detail": str(error)}
    answers.write(json.dumps(row) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)
