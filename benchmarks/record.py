"""Measure commits and add them to results/asv: ``python -m benchmarks.record COMMITS BENCH``, as git log takes them.

Results bear the name of the kind of machine, not that of the machine: ``MACHINE`` in the environment, or else the
system, the processor and how many there are.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence

from .workloads import ROOT


def machine() -> str:
    """Have asv know this machine by a name that says what it is, and return that name."""
    from asv.machine import Machine, MachineCollection

    known = Machine.get_defaults()
    plain = f"{platform.system()}-{known['arch']}-{known['num_cpu']}".lower()
    name = os.environ.get("MACHINE") or plain
    MachineCollection.save(name, known | {"machine": name, "os": platform.system()})
    return name


def main(given: Sequence[str]) -> int:
    """Measure and keep; return asv's exit status."""
    if len(given) != 2 or not all(given):
        sys.exit("which commits to measure? make bench-record [COMMITS=HEAD^!] [BENCH=regex]")
    commits, bench = given
    command = [sys.executable, "-m", "asv", "run", "--machine", machine(), "--bench", bench, commits]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
