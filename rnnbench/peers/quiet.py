"""How much of the processors others used while something was timed.

Engines suffer unevenly from company: threads that spin at a barrier while one of them has no processor lose a hundred
times more than threads that do not wait for each other. No ratio taken then means anything, however narrow its
interval.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

SLACK = 0.15  # processors: the system itself needs some


class Watch:
    """Counts processor time from when it is made.

    Parameters
    ----------
    pids : iterable of int
        The processes that are ours, besides this one.
    """

    def __init__(self, pids: Iterable[int]):
        self.pids = sorted(set(pids))
        self.start = self._now()

    def _now(self) -> tuple[float, float, float] | None:
        machine = _machine_seconds()
        if machine is None:
            return None
        return time.monotonic(), machine, time.process_time() + sum(map(_process_seconds, self.pids))

    def others(self) -> float | None:
        """Processors that others have used on average since; None where the system does not tell."""
        now = self._now()
        if now is None or self.start is None or now[0] <= self.start[0]:
            return None
        wall, machine, ours = (b - a for a, b in zip(self.start, now, strict=True))
        return max(0.0, (machine - ours) / wall)


def is_crowded(threads: int, others: float | None) -> bool:
    """Whether so many threads and the others together want more processors than there are."""
    return others is not None and threads + others > _processors() + SLACK


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine_seconds() -> float | None:
    """Seconds that the processors we may use were busy, those that a hypervisor took away among them."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        fields = [line.split() for line in lines]
        user, nice, system, interrupts, soft, stolen = 1, 2, 3, 6, 7, 8
        busy = [sum(int(f[i]) for i in (user, nice, system, interrupts, soft, stolen)) for f in fields if f[0] in names]
        return sum(busy) / os.sysconf("SC_CLK_TCK") if busy else None
    except (OSError, AttributeError, IndexError, ValueError):
        return None


def _process_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0  # it ended
