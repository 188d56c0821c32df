"""Three ways to run trials: here, in a pool of processes, on a dask cluster.

Each is a generator of (trial, record), in the order in which the trials end.

A trial's numbers don't depend on which one is chosen. Closing the generator (as Ctrl-C does) stops what
still runs.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from rnnbench.runner.errors import UserError
from rnnbench.runner.trial import Trial, execute, lost

Prepare = Callable[[], None]
Results = Iterator[tuple[Trial, dict]]

THREAD_LIMITS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def serial(trials: Sequence[Trial]) -> Results:
    """Run the trials in this process, one after the other."""
    for trial in trials:
        yield trial, execute(trial)


@dataclass
class _Worker:
    """A spawned process, our end of its pipe, and what it runs at the moment."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    trial: Trial | None = None
    started: float = 0.0

    def give(self, trial: Trial) -> None:
        self.trial, self.started = trial, time.perf_counter()
        with contextlib.suppress(OSError):  # it died while idle: the broken pipe shows when it is read
            self.pipe.send(trial)

    def take(self) -> dict:
        """The record of the trial that it ran; a failed one if the process died over it."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(timeout=5)
            code = self.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            message = f"the worker process died ({how}) while it ran this trial"
            return lost(self.trial, message, time.perf_counter() - self.started)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def pool(trials: Sequence[Trial], workers: int, prepare: Prepare) -> Results:
    """Run the trials in spawned processes, which share this machine's processors; those that take times come last,
    one by one, since nothing else may run beside them.

    A pool of our own, since the library's can't say which trial killed a worker and gives up the others' too.

    Parameters
    ----------
    trials : sequence of Trial
    workers : int
    prepare : callable
        Called once in each new process; it must be possible to pickle it.
    """
    alone = {name for name, trial in _first_of_each(trials).items() if trial.experiment.timed}
    yield from _pool([trial for trial in trials if trial.experiment.name not in alone], workers, prepare)
    yield from _pool([trial for trial in trials if trial.experiment.name in alone], 1, prepare)


def _first_of_each(trials: Sequence[Trial]) -> dict[str, Trial]:
    return {trial.experiment.name: trial for trial in reversed(trials)}


def _pool(trials: Sequence[Trial], workers: int, prepare: Prepare) -> Results:
    if not trials:
        return
    context = multiprocessing.get_context("spawn")
    workers = min(workers, len(trials))
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    pending = collections.deque(trials)
    crew: list[_Worker] = []
    try:
        while pending or any(worker.trial for worker in crew):
            while pending and len(crew) < workers:
                crew.append(_start(context, prepare, threads))
            for worker in crew:
                if worker.trial is None and pending:
                    worker.give(pending.popleft())
            ready = wait([worker.pipe for worker in crew if worker.trial])
            for worker in [worker for worker in crew if worker.trial and worker.pipe in ready]:
                trial, record = worker.trial, worker.take()
                worker.trial = None
                if not worker.process.is_alive():
                    crew.remove(worker)
                    worker.kill()
                yield trial, record
    finally:
        for worker in crew:
            worker.kill()


def _start(context: multiprocessing.context.BaseContext, prepare: Prepare, threads: int) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, prepare))
    with _inherited(threads):
        process.start()
    theirs.close()  # so that the worker's death ends the pipe
    return _Worker(process, ours)


@contextlib.contextmanager
def _inherited(threads: int) -> Iterator[None]:
    """A process started inside inherits limited threads and a blocked SIGINT: Ctrl-C is the parent's."""
    new = {name: str(threads) for name in THREAD_LIMITS if name not in os.environ}
    # The first process would start the tracker, and starting it unblocks SIGINT again: so it starts before.
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(pipe: Connection, prepare: Prepare) -> None:
    """A worker's life: trials in, records out, until the parent hangs up or dies."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    prepare()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(execute(pipe.recv()))


def _follow_parent() -> None:
    """End this process when its parent has: a trial that nobody waits for would go on for hours."""
    multiprocessing.parent_process().join()
    os._exit(1)


def cluster(trials: Sequence[Trial], address: str, prepare: Prepare) -> Results:
    """Run the trials on a dask.distributed cluster, whose workers have rnnbench and see the same files.

    Parameters
    ----------
    trials : sequence of Trial
    address : str
        The scheduler's, like ``tcp://host:8786``.
    prepare : callable
        Called before each trial.

    Raises
    ------
    UserError
        dask.distributed isn't installed, or no scheduler answers there.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise UserError(
            "--cluster needs dask.distributed, which isn't installed: pip install 'rnnbench[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise UserError(f"--cluster got {address!r}, expected the address of a running dask scheduler") from error
    futures = {}
    try:
        futures = {client.submit(_prepared, trial, prepare, pure=False): trial for trial in trials}
        for future in as_completed(futures):
            error = future.exception()
            trial = futures[future]
            yield trial, lost(trial, f"{type(error).__name__}: {error}") if error else future.result()
    finally:
        client.cancel(list(futures))
        client.close()


def _prepared(trial: Trial, prepare: Prepare) -> dict:
    prepare()
    return execute(trial)
