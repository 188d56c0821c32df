"""A note in the results folder of the trials that a live ``run`` of this machine has in hand."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnbench.files import write_whole
from rnnbench.runner.store import Store


def _folder(store: Store) -> Path:
    return store.local / ".running"


@contextlib.contextmanager
def announced(store: Store, keys: Sequence[str], workers: int) -> Iterator[None]:
    """Inside, this process has the trials of these keys in hand, ``workers`` of them at a time."""
    pid = os.getpid()
    path = _folder(store) / f"{socket.gethostname()}-{pid}.json"
    with store.writing():
        write_whole(path, json.dumps({"pid": pid, "began": _began(pid), "workers": workers, "keys": list(keys)}))
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
            alive = note["began"] is not None and note["began"] == _began(note["pid"])
            run = note["workers"], note["keys"]
        except OSError:
            continue  # the run has just ended
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            alive = False  # it is no note
        if alive:
            found.append(run)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def _began(pid: int) -> str | None:
    """When a live process of this machine began: a later one may have its number. "" where no system file tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if not Path("/proc/self/stat").exists() and _is_there(pid) else None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "XZ" else fields[18]


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True
