"""Where a running trial may keep a checkpoint, so that one of many hours goes on where it was stopped.

The file belongs to the trial alone and is removed when it ends, well or badly; a trial that was interrupted finds it
again, unless the experiment's file or a user's cell has changed since. Other processes do not see it, and there is none
where no store is (a cluster's worker, a test).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_file: ContextVar[Path | None] = ContextVar("checkpoint", default=None)


def checkpoint() -> Path | None:
    """The file of the trial that runs now, which may not exist yet; None if it may keep none."""
    return _file.get()


@contextlib.contextmanager
def lent(path: Path | None) -> Iterator[None]:
    """Inside, `checkpoint` is this file; it is removed afterwards, unless the user has stopped the trial."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for other in path.parent.glob(f"{path.stem}*"):  # what an earlier version of the files has left
            if other != path:
                other.unlink(missing_ok=True)
    token = _file.set(path)
    try:
        yield
    except KeyboardInterrupt:
        path = None
        raise
    finally:
        _file.reset(token)
        if path is not None:
            path.unlink(missing_ok=True)
