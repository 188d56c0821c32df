"""The worker's end of the pipe: ``python -m rnnbench.peers.worker MODULE``.

A request is one line of JSON, and so is the answer: ``{"ok": ...}``, ``{"unsupported": sentence}`` or
``{"error": sentence}``.

=========================================  ======================================================
``{"do": "prepare", job, task, arrays}``   load the library, make the job
``{"do": "results", job, path}``           one call; its arrays go into an .npz file
``{"do": "time", job, budget}``            as many calls as fit, at least one; their times
=========================================  ======================================================
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from types import ModuleType
from typing import Any

import numpy as np

from rnnbench.peers.tasks import Job, NotSupported, Task

MOST_CALLS = 200
WARM_UP = 0.03  # seconds of calls before those that count: a processor that slept takes some to be as fast as it can


class Server:
    """Answers requests with the jobs of one peer."""

    def __init__(self, peer: ModuleType):
        self.peer = peer
        self.jobs: dict[str, Job] = {}
        self.last: dict[str, float] = {}  # seconds of a call, for the number of the next ones

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request; an exception becomes a sentence."""
        try:
            return {"ok": getattr(self, f"do_{request.pop('do')}")(**request)}
        except NotSupported as error:
            return {"unsupported": str(error)}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"}

    def do_prepare(self, job: str, task: dict, arrays: str) -> None:
        """Make a job and call it twice: the first time compiles what has to be compiled."""
        self.peer.load()
        with np.load(arrays) as stored:
            data = {name: stored[name] for name in stored.files}
        self.jobs[job] = self.peer.prepare(Task.from_json(task), data)
        self._timed(job)
        self._timed(job)

    def do_results(self, job: str, path: str) -> list[str]:
        """Call once and store what comes out."""
        made = self.jobs[job]
        arrays = {name: np.asarray(value) for name, value in made.arrays(made.call()).items()}
        np.savez(path, **arrays)
        return sorted(arrays)

    def do_time(self, job: str, budget: float) -> dict[str, Any]:
        """Time calls for about so many seconds; `cores` is processor time over wall time, of all threads."""
        spent = 0.0
        while spent < WARM_UP and self.last[job] < WARM_UP:
            spent += self._timed(job)
        calls = max(1, min(MOST_CALLS, round(budget / self.last[job])))
        processor, start = time.process_time(), time.perf_counter()
        times = [self._timed(job) for _ in range(calls)]
        wall = time.perf_counter() - start
        return {"times": times, "cores": (time.process_time() - processor) / wall}

    def _timed(self, job: str) -> float:
        call = self.jobs[job].call
        start = time.perf_counter()
        call()
        self.last[job] = max(time.perf_counter() - start, 1e-9)
        return self.last[job]


def main(module: str) -> None:
    """Answer until the other end hangs up."""
    # What a library prints must not look like an answer: answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server(importlib.import_module(module))
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        for line in sys.stdin:
            answers.write(json.dumps(server.answer(json.loads(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)  # libraries that hang in their exit handlers are not waited for
