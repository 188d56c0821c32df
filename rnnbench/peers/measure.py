"""Timing in turn, round by round: A B C, C B A, A B C ... so that what disturbs one round disturbs all of them alike.

Ratios are taken within a round. A machine's speed wanders by tens of percent within minutes (other tenants, clocks),
and that cancels; what is left shows as spread.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rnnbench.peers.process import PeerError, Process
from rnnbench.peers.spread import FEWEST

SECTION = 0.02  # seconds of a contestant in a round
PAUSE = 0.05  # between processes: the threads of an OpenMP runtime spin for a while after a call
BUDGET = 3.0  # seconds of a contestant in all, once it has rounds enough for an interval


@dataclass
class Contestant:
    """A prepared job of a process, and what was measured of it.

    Attributes
    ----------
    name, job : str
    process : Process
    seconds : list of float
        Median over the calls of a round, per round.
    cores : list of float
        Processor time over wall time, per round: how many threads were really busy.
    spent : float
    error : str
        Why it was given up; "" if it was not.
    """

    name: str
    process: Process
    job: str
    seconds: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)
    spent: float = 0.0
    error: str = ""


def take_turns(
    contestants: Sequence[Contestant], rounds: int, *, section: float = SECTION, pause: float = PAUSE
) -> None:
    """Time all contestants in turn, so many rounds; what fails drops out with its error."""
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds: got {rounds!r}, expected an integer >= 1")
    before = None
    for number in range(rounds):
        for one in contestants if number % 2 == 0 else contestants[::-1]:
            # The first one is what all ratios refer to: it has to be there in every round.
            tired = number >= FEWEST and one.spent > BUDGET and one is not contestants[0]
            if one.error or tired:
                continue
            if before is not one.process:
                time.sleep(pause)
            before = one.process
            start = time.monotonic()
            try:
                answer = one.process.ask(do="time", job=one.job, budget=section)
            except PeerError as error:
                one.error = str(error)
                continue
            one.seconds.append(median(answer["times"]))
            one.cores.append(answer["cores"])
            one.spent += time.monotonic() - start


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Inside, no other measurement of this user runs on this machine: parallel trials wait for each other."""
    try:
        import fcntl
    except ImportError:  # no such locks here: whoever runs trials in parallel is on his own
        yield
        return
    path = Path(tempfile.gettempdir()) / f"rnnbench-measure-{os.getuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
