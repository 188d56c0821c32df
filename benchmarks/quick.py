"""A quick look: every benchmark called once in this environment, shown as tables, nothing kept.

``python -m benchmarks.quick [asv run's own options]`` from the root of the checkout. asv writes what it measures to a
folder that is gone afterwards: numbers from single calls must never lie among results.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .workloads import INFERENCE, ROOT, TRAINING, gigaflops

UNITS = {"seconds": (1e3, "ms"), "bytes": (2**-20, "MiB")}


def asv_run(folder: Path, options: Sequence[str]) -> int:
    """Run ``asv run --quick`` on this environment with all it writes below `folder`; return its exit status."""
    paths = {"benchmark_dir": str(ROOT / "benchmarks"), "env_dir": str(folder / "env")}
    # asv files its results under a commit; the checkout's, which may have been edited since, is as good as any here.
    config = {"version": 1, "project": "rnnbench", "dvcs": "git", "repo": str(ROOT), "branches": ["HEAD"], **paths}
    config |= {"results_dir": str(folder / "results"), "html_dir": str(folder / "html"), "launch_method": "spawn"}
    config |= {"environment_type": "virtualenv", "default_benchmark_timeout": 300}
    (folder / "asv.conf.json").write_text(json.dumps(config))
    # asv keeps a note about the machine in the home folder: let it be this one.
    environment = dict(os.environ, HOME=str(folder))
    asv = [sys.executable, "-m", "asv"]
    where = ["--config", str(folder / "asv.conf.json")]
    subprocess.run([*asv, "machine", "--yes", *where], env=environment, check=True, stdout=subprocess.DEVNULL)
    run = [*asv, "run", "--quick", "--python=same", "--set-commit-hash", "HEAD", *where, *options]
    return subprocess.run(run, env=environment).returncode


def load(folder: Path) -> dict[str, tuple[str, list[list[str]], list[float | None]]]:
    """Return unit, parameters and values of every benchmark that ran, by its name."""
    from asv.results import Results

    units = json.loads((folder / "results" / "benchmarks.json").read_text())
    found = {}
    for path in (folder / "results").glob("*/*.json"):
        if path.name == "machine.json":
            continue
        results = Results.load(str(path))
        for name in sorted(results.get_all_result_keys()):
            params = results.get_result_params(name)
            found[name] = units[name]["unit"], params, results.get_result_value(name, params)
    return found


def show(value: float | None, scale: float) -> str:
    """Return a value for a table: asv has None for what failed and NaN for what was skipped."""
    if value is None:
        return "failed"
    return "skipped" if math.isnan(value) else f"{value * scale:.4g}"


def table(name: str, unit: str, params: list[list[str]], values: Sequence[float | None]) -> str:
    """Return one benchmark's table: the first parameter down, the others across."""
    scale, unit = UNITS.get(unit, (1, unit))
    down = params[0] if params else [""]
    across = [", ".join(texts).replace("'", "") for texts in itertools.product(*params[1:])]
    cells = [show(value, scale) for value in values]
    rows = [[f"{name} [{unit}]", *across]]
    width = len(across)
    for i, text in enumerate(down):
        row = cells[i * width : (i + 1) * width]
        if set(row) != {"skipped"}:  # what --bench left out, too
            rows.append([text.replace("'", ""), *row])
    first = max(len(row[0]) for row in rows)
    widths = [max(len(row[i]) for row in rows) for i in range(1, width + 1)]
    lines = [" ".join([row[0].ljust(first), *map(str.rjust, row[1:], (w + 2 for w in widths))]) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def rates(name: str, params: list[list[str]], values: Sequence[float | None]) -> list[float | None] | None:
    """Return the GF/s behind the times of inference or training of all cells; None for any other benchmark."""
    directions = {"layers.Inference.time_inference": INFERENCE, "layers.Training.time_training": TRAINING}
    if name not in directions:
        return None
    pairs = itertools.product(*([text.strip("'") for text in texts] for texts in params))
    known = (value is not None and not math.isnan(value) for value in values)
    return [
        gigaflops(cell, directions[name], shape) / value if is_number else value
        for (cell, shape), value, is_number in zip(pairs, values, known, strict=True)
    ]


def main(options: Sequence[str]) -> int:
    """Run and show; return asv's exit status, which is not 0 if a benchmark failed."""
    with tempfile.TemporaryDirectory() as name:
        status = asv_run(Path(name), options)
        if not (Path(name) / "results" / "benchmarks.json").exists():
            return status or 1
        print("\nOne call of each, not a measurement: for that, make bench-compare BASE=<commit>.")
        for benchmark, (unit, params, values) in load(Path(name)).items():
            print(f"\n{table(benchmark, unit, params, values)}")
            if per_second := rates(benchmark, params, values):
                print(f"\n{table(benchmark, 'GF/s', params, per_second)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
