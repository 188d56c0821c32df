"""The two exceptions of the runner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


class UserError(Exception):
    """A user's mistake, told in one sentence: the argument, what came, what was expected. Exit code 2."""


class Diverged(Exception):
    """Raised by an experiment's ``run`` when its numbers left the range in which they mean anything.

    Parameters
    ----------
    message : str
        What diverged, and where.
    rows : sequence of mapping
        What was measured until then; stored with the trial.
    """

    def __init__(self, message: str = "diverged", rows: Sequence[Mapping] = ()) -> None:
        super().__init__(message)
        self.rows = list(rows)


def first_line(error: BaseException) -> str:
    """An exception's type and the first line of its message."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def closest(given: str, known: Iterable[str]) -> str:
    """The tail of a message about an unknown name: a near match where there is one, else the known names.

    Returns
    -------
    str
        ``"did you mean 'lstm'?"``, or ``"expected one of a, b, c"``.
    """
    import difflib

    known = list(known)
    near = difflib.get_close_matches(given, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "expected one of " + ", ".join(known) if known else "there are none"
