"""Compare two commits, each built in asv's environment: ``python -m benchmarks.compare BASE HEAD FACTOR BENCH ROUNDS``.

Not ``asv continuous``: its test takes the samples of one process for independent, which they are not. On a machine that
is slower for a minute it finds changes between a commit and itself. Here every round measures both commits, B H, H B,
B H ..., and gives one ratio; a change is told only where the interval of the median ratio says so.
"""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rnnbench.peers import spread

from . import quick
from .record import machine
from .workloads import ROOT

FAILED = 2  # asv's exit status when a benchmark failed
SLOWER, FASTER, SAME, NOISE, BROKEN = "slower", "faster", "same", "not decided: noise", "failed"
FEW = f"not decided: fewer than {spread.FEWEST} rounds"


def verdict(ratio: spread.Spread, factor: float) -> str:
    """Say what a ratio of HEAD over BASE tells.

    A change or its absence is told only where the whole interval is beyond `factor`, or within it.
    """
    if ratio.count < spread.FEWEST:
        return FEW
    if ratio.low > factor:
        return SLOWER
    if ratio.high < 1 / factor:
        return FASTER
    return SAME if ratio.high <= factor and ratio.low >= 1 / factor else NOISE


def measured(commit: str, bench: str) -> dict[str, float | None]:
    """Run the benchmarks of one commit once; return the value of each that ran, None where it failed."""
    with tempfile.TemporaryDirectory() as name:
        config = asv_config(Path(name))
        where = "--config", str(config), "--machine", machine()
        show(asv("run", *where, "--attribute", "rounds=1", "--bench", bench, f"{commit}^!"))
        if not (Path(name) / "results" / "benchmarks.json").exists():
            sys.exit(f"asv measured nothing for {commit}")
        return unrolled(quick.load(Path(name)))


def asv(*arguments: str) -> Iterator[str]:
    """Run asv at the root of the checkout; its output, line by line."""
    command = [sys.executable, "-m", "asv", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        yield from process.stdout


def show(lines: Iterable[str]) -> None:
    """Print what asv writes as it comes, but for the rows of what was left out."""
    for line in lines:
        if not line.rstrip().endswith("n/a"):
            print(line, end="", flush=True)


def asv_config(folder: Path) -> Path:
    """Write asv's configuration with results that go to `folder`, and environments that stay; return its path."""
    from asv.util import load_json

    config = load_json(str(ROOT / "asv.conf.json"), js_comments=True)
    for name in ("repo", "benchmark_dir", "env_dir"):
        config[name] = str(ROOT / config[name])
    config["install_command"] = [part.replace("{conf_dir}", str(ROOT)) for part in config["install_command"]]
    config |= {"results_dir": str(folder / "results"), "html_dir": str(folder / "html"), "branches": ["HEAD"]}
    (folder / "asv.conf.json").write_text(json.dumps(config))
    return folder / "asv.conf.json"


def unrolled(found: Mapping) -> dict[str, float | None]:
    """Return the values by benchmark and parameters, without those that were skipped."""
    values = {}
    for name, (_, params, of_all) in found.items():
        for texts, value in zip(itertools.product(*params), of_all, strict=True):
            if value is None or not math.isnan(value):
                values[f"{name}({', '.join(texts)})" if texts else name] = value
    return values


def told(base: Sequence[Mapping], head: Sequence[Mapping], factor: float) -> dict[str, tuple]:
    """Return the ratio of HEAD over BASE and its verdict, of all benchmarks that both commits have."""
    names = {name for one in base for name in one} & {name for one in head for name in one}
    found = {}
    for name in sorted(names):
        pairs = [(b.get(name), h.get(name)) for b, h in zip(base, head, strict=True)]
        if any(b is not None and h is None for b, h in pairs):
            found[name] = None, BROKEN
        elif pairs := [(b, h) for b, h in pairs if b and h is not None]:
            ratio = spread.spread(h / b for b, h in pairs)
            found[name] = ratio, verdict(ratio, factor)
    return found


def main(base: str, head: str, factor: float, bench: str, rounds: int) -> int:
    """Measure and compare; return 0, 1 if something became slower, 2 if a benchmark fails that did not before.

    Parameters
    ----------
    base, head : str
        Anything git knows a commit by; the same one shows what the machine's noise does.
    factor : float
        Ratios up to this one count as the same.
    bench : str
        Regular expression of the benchmarks to run.
    rounds : int
    """
    commits, values = (base, head), ([], [])
    for number in range(rounds):
        print(f"\nround {number + 1} of {rounds}", flush=True)
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            values[side].append(measured(commits[side], bench))
    found = told(*values, factor)
    if not found:
        sys.exit(f"nothing was measured on both commits, expected BENCH={bench!r} to match a benchmark that they have")
    print(f"\n{head[:10]} over {base[:10]}: median of the rounds' ratios and its 95 % interval\n")
    for name, (ratio, word) in found.items():
        numbers = f"{ratio.median:6.3f} ({ratio.low:.3f} to {ratio.high:.3f})" if ratio else ""
        print(f"{numbers:26} {word:20} {name}")
    words = [word for _, word in found.values()]
    print("\n" + ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)))
    return FAILED if BROKEN in words else int(SLOWER in words)


def arguments(given: Sequence[str]) -> tuple[str, str, float, str, int]:
    """Return BASE, HEAD, FACTOR, BENCH and ROUNDS, or end with what is wrong."""
    if len(given) != 5 or not all(given):
        sys.exit(
            "which commit to compare with? make bench-compare BASE=<commit> "
            "[HEAD=...] [FACTOR=1.1] [BENCH=regex] [ROUNDS=6]"
        )
    base, head, factor, bench, rounds = given
    return hash_of(base), hash_of(head), _number("FACTOR", float, factor, 1), bench, _number("ROUNDS", int, rounds, 1)


def hash_of(commit: str) -> str:
    """Return a commit's hash, or end."""
    command = ["git", "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{commit!r} is no commit of this repository")
    return done.stdout.strip()


def _number(name, kind, text, least):
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        sys.exit(f"{name}: got {text!r}, expected {'an integer' if kind is int else 'a number'} >= {least}")
    return value


if __name__ == "__main__":
    sys.exit(main(*arguments(sys.argv[1:])))
