"""Compare two commits, each built in an environment of asv's own: ``python -m benchmarks.compare BASE HEAD [options]``.

What ``asv continuous`` does, with two differences: benchmarks that ran for neither commit are left out of the table,
and a benchmark that fails does not cost the table of the others.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAILED = 2  # asv's exit status when a benchmark failed


def ran(line: str) -> bool:
    """Return whether a line of asv's output is anything but a row of a comparison without any value."""
    columns = [column.strip() for column in line.split("|")]
    return not (len(columns) == 7 and columns[2:5] == ["n/a"] * 3)


def asv(*arguments: str) -> int:
    """Run asv at the root of the checkout, pass on what it writes as it comes, and return its exit status."""
    command = [sys.executable, "-m", "asv", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        for line in process.stdout:
            if ran(line):
                print(line, end="", flush=True)
    return process.returncode


def main(base: str, head: str, factor: str, bench: str) -> int:
    """Measure and compare; return 0, 1 if something became slower, 2 if a benchmark failed.

    Parameters
    ----------
    base, head : str
        Anything git knows a commit by.
    factor : str
        Ratios up to this one count as the same.
    bench : str
        Regular expression of the benchmarks to run.
    """
    table = ("--factor", factor, "--sort", "name")
    status = asv("continuous", "--no-only-changed", *table, "--bench", bench, base, head)
    if status == FAILED:
        asv("compare", *table, base, head)
    return status


def arguments(given: Sequence[str]) -> Sequence[str]:
    """Return BASE, HEAD, FACTOR and BENCH, or end with what is wrong."""
    if len(given) != 4 or not all(given):
        sys.exit("which commit to compare with? make bench-compare BASE=<commit> [HEAD=...] [FACTOR=1.1] [BENCH=regex]")
    for commit in given[:2]:
        known = ["git", "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}"]
        if subprocess.run(known, cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"{commit!r} is no commit of this repository")
    return given


if __name__ == "__main__":
    sys.exit(main(*arguments(sys.argv[1:])))
