"""Tiny experiments that tests write into a folder, and the command line called as a user calls it."""

from __future__ import annotations

import sys
from pathlib import Path

from rnnbench import cli
from rnnbench.runner.campaign import plan
from rnnbench.runner.discovery import find_experiments

TOY = '''"""How fast does a toy decay?

Method: a power of rho, times one random number.
"""

import math
import os
import signal

from rnnbench.runner.claims import compare
from rnnbench.runner.errors import Diverged


def sweep(preset, device):
    replicas = {"smoke": 1, "quick": 2, "paper": 3}[preset]
    return [{"rho": rho, "mode": "plain", "replica": k} for rho in (0.5, 2.0) for k in range(replicas)]


def run(setting, rng):
    match setting["mode"]:
        case "fail":
            raise ValueError("a <bad> thing")
        case "diverge":
            raise Diverged("too large", rows=[{"lag": 0, "norm": math.inf, "noise": 0.0}])
        case "overflow":
            raise FloatingPointError("overflow")
        case "exit":
            raise SystemExit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "interrupt":
            raise KeyboardInterrupt
    noise = rng.normal()
    return [{**setting, "lag": lag, "norm": setting["rho"] ** lag, "noise": noise} for lag in range(3)]


def claims(df):
    half = df[(df["status"] == "ok") & (df["rho"] == 0.5)]
    measured = None if half.empty else half.loc[half["lag"] == 2, "norm"].median()
    return [compare("half", "It is a quarter.", "derived", published=0.25, tolerance=0.01, measured=measured)]


def figures(df):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot(df["lag"], df["norm"])
    return {"decay": (figure, "Norm & lag <of a toy>.")}


def tables(df):
    return {"norms": (df.groupby("rho", as_index=False)["norm"].max(), "The largest norm.")}
'''


def write_toy(folder: Path, name: str = "toy", source: str = TOY) -> Path:
    """Write an experiment's file and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    return folder


def toy_trials(folder: Path, preset: str = "smoke", seed: int = 0, **overrides: str):
    """The trials of the toy in the folder, with ``--set``-like overrides."""
    toy = find_experiments(folder)["toy"]
    return plan([toy], preset, "cpu", seed, {name: text.split(",") for name, text in overrides.items()})


def call(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    """Run the command line in this process; exit code, output and error output."""
    monkeypatch.setattr(sys, "argv", ["rnnbench", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err
