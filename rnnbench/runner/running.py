"""A note in the results folder of the trials that a live ``run`` of this machine has in hand."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnbench.runner.store import Store, write_atomically


def _folder(store: Store) -> Path:
    return store.local / ".running"


@contextlib.contextmanager
def announced(store: Store, keys: Sequence[str], workers: int) -> Iterator[None]:
    """Inside, this process has the trials of these keys in hand, ``workers`` of them at a time."""
    pid = os.getpid()
    path = _folder(store) / f"{socket.gethostname()}-{pid}.json"
    with store.writing():
        write_atomically(path, json.dumps({"pid": pid, "began": _began(pid), "workers": workers, "keys": list(keys)}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def in_hand(store: Store) -> list[tuple[int, list[str]]]:
    """(workers, keys in order) of every live run of this machine; notes of dead ones are removed."""
    found = []
    for path in _folder(store).glob(f"{socket.gethostname()}-*.json"):
        try:
            note = json.loads(path.read_bytes())
            if note["began"] is None or note["began"] != _began(note["pid"]):
                raise ProcessLookupError
            found.append((note["workers"], note["keys"]))
        except (OSError, ValueError, KeyError, TypeError):  # its process has ended, or so has the run, or it is no note
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def _began(pid: int) -> str | None:
    """When a process of this machine began: a later one may have its number. None if it has ended, or none can tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "XZ" else fields[18]
