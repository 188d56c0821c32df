"""Files that are there whole or not at all: written under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole(path: Path, mode: str = "w", *, sync: bool = True) -> Iterator[IO]:
    """Open a file that takes its name, and the place of an older one, when the block ends without an error.

    Parameters
    ----------
    path : Path
        Its folder is made if it is missing.
    mode : "w" for UTF-8 text, or "wb"
    sync : bool
        Whether it must outlive a loss of power; what can be made again at once need not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        # A text may tell the name of a file, which may be no UTF-8.
        text = {} if "b" in mode else {"encoding": "utf-8", "errors": "backslashreplace"}
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes it the owner's alone
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if sync:
        _sync_folder(path.parent)


def write_whole(path: Path, text: str, *, sync: bool = True) -> None:
    """Write a text as :func:`whole` does."""
    with whole(path, sync=sync) as file:
        file.write(text)


def _sync_folder(folder):
    """Have the new name outlive a loss of power too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
