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
    path = _folder(store) / f"{socket.gethostname()}-{os.getpid()}.json"
    with store.writing():
        write_atomically(path, json.dumps({"pid": os.getpid(), "workers": workers, "keys": list(keys)}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def in_hand(store: Store) -> list[tuple[int, list[str]]]:
    """(workers, keys in order) of every live run of this machine; notes of dead ones are passed over."""
    found = []
    for path in _folder(store).glob(f"{socket.gethostname()}-*.json"):
        try:
            note = json.loads(path.read_bytes())
            os.kill(note["pid"], 0)
            found.append((note["workers"], note["keys"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            continue  # its process has ended, or so has the run, or it is no note
    return found
