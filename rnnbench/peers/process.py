"""A worker process as its owner sees it: asked line by line, never waited for without a limit, always reaped."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from rnnbench.peers.tasks import NotSupported

PREPARE_SECONDS = 180.0
CALL_SECONDS = 120.0


class PeerError(Exception):
    """A peer failed, died or hung; says so in one sentence."""


def environment(threads: int) -> dict[str, str]:
    """The variables with which every library uses so many threads, and no accelerator."""
    pools = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "RNNBENCH")
    limits = {f"{pool}_NUM_THREADS": str(threads) for pool in pools} | {"VECLIB_MAXIMUM_THREADS": str(threads)}
    eigen = "" if threads > 1 else " --xla_cpu_multi_thread_eigen=false"
    xla = {"XLA_FLAGS": (os.environ.get("XLA_FLAGS", "") + eigen).strip(), "NPROC": str(threads)}
    return {**os.environ, **limits, **xla, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1"}


class Process:
    """A worker process that runs one peer's module; use it as a context.

    Parameters
    ----------
    module : str
        The peer's module.
    threads : int
    name : str
        For messages.
    env : dict of str to str, optional
        More variables.
    """

    def __init__(self, module: str, threads: int, name: str = "", env: dict[str, str] | None = None):
        self.name = name or module.rpartition(".")[2]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._buffer = b""
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "rnnbench.peers.worker", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(threads) | (env or {}),
            bufsize=0,
            start_new_session=True,  # whatever it starts dies with it
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Its number in the system."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def ask(self, seconds: float = CALL_SECONDS, **request: Any) -> Any:
        """Send a request and wait for its answer.

        Raises
        ------
        NotSupported
        PeerError
            It reported an error, died, or did not answer in time (and is then killed).
        """
        self.send(**request)
        return self.receive(seconds)

    def send(self, **request: Any) -> None:
        """Send a request; `receive` waits for the answer."""
        with contextlib.suppress(OSError, ValueError):  # a broken or closed pipe: receive tells why
            self._popen.stdin.write(json.dumps(request).encode() + b"\n")

    def receive(self, seconds: float = CALL_SECONDS) -> Any:
        """Wait for the answer to the oldest request without one."""
        line = self._line(time.monotonic() + seconds, seconds)
        try:
            reply = json.loads(line)
        except ValueError:
            self.close()
            raise PeerError(f"{self.name} answered with something else than JSON: {line[:80]!r}") from None
        if "unsupported" in reply:
            raise NotSupported(reply["unsupported"])
        if "error" in reply:
            raise PeerError(f"{self.name} failed: {reply['error']}")
        return reply["ok"]

    def _line(self, deadline: float, seconds: float) -> bytes:
        if self._popen.stdout.closed:
            raise PeerError(f"{self.name} was stopped before")
        with selectors.DefaultSelector() as selector:
            selector.register(self._popen.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.close()
                    raise PeerError(f"{self.name} gave no answer within {seconds:g} s and was stopped")
                read = os.read(self._popen.stdout.fileno(), 1 << 16)
                if not read:
                    raise PeerError(self._death())
                self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _death(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(5)
        code = self._popen.poll()
        how = "closed its pipe" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        self.close()
        return f"{self.name} died ({how})" + (f": {said[-1][:200]}" if said else "")

    def close(self) -> None:
        """Hang up; kill what does not leave at once."""
        with contextlib.suppress(OSError):
            self._popen.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._popen.stdout.close()
        self._errors.close()
