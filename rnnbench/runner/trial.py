"""One trial: what is to be run, and running it into a record. Any process can do it, here or on a cluster."""

from __future__ import annotations

import datetime
import functools
import hashlib
import sysconfig
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rnnbench.runner import scratch
from rnnbench.runner.discovery import CHECKOUT, Experiment
from rnnbench.runner.errors import Diverged
from rnnbench.runner.provenance import provenance
from rnnbench.runner.record import encode_rows, seal
from rnnbench.runner.settings import RESERVED, Scalar, generator, trial_key


@dataclass(frozen=True)
class Trial:
    """One setting of one experiment, ready to run; it can be pickled.

    Attributes
    ----------
    experiment : Experiment
    setting : dict
        Flat, of JSON scalars.
    seed : int
        The root seed.
    device : str
        "cpu" or "cuda".
    preset : str
    code : str
        `code_hash` of the experiment's file, the user's cells and what else of theirs it reads.
    options : str
        The options of ``rnnbench run`` besides preset, device and seed that make this trial again.
    folder : Path, optional
        The store's folder of this machine's trials, below which a checkpoint may be kept.
    """

    experiment: Experiment
    setting: Mapping[str, Scalar] = field(hash=False)
    seed: int
    device: str
    preset: str
    code: str
    options: str
    folder: Path | None = None

    @functools.cached_property
    def key(self) -> str:
        """The hash that names the trial's file."""
        return trial_key(self.experiment.name, self.setting, self.seed, self.device)

    @property
    def checkpoint(self) -> Path | None:
        """The file in which the trial may keep what it has done so far; other code does not go on from it."""
        return self.folder and self.folder / self.experiment.name / ".unfinished" / f"{self.key}.{self.code}"

    def describe(self) -> str:
        """The trial in words: the experiment and its setting."""
        setting = ", ".join(f"{name}={value}" for name, value in self.setting.items())
        return f"{self.experiment.name} ({setting})" if setting else self.experiment.name


def code_hash(experiment: Experiment, files: Iterable[Path] = ()) -> str:
    """16 hexadecimal digits that change when the experiment's file or one of the user's does, a cell or a text."""
    digest = hashlib.sha256()
    for path in (experiment.path, *files):
        content = path.read_bytes() if path.is_file() else b""  # what is not there fails the trial
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def execute(trial: Trial) -> dict:
    """Run a trial; whatever happens inside becomes a sealed record with a status.

    Only a KeyboardInterrupt passes through: it is the user's wish to stop, not the trial's result.
    """
    start = time.perf_counter()
    rows, error, status = [], None, "ok"
    try:
        module = trial.experiment.load()
        rng = generator(trial.experiment.name, trial.setting, trial.seed)
        with scratch.lent(trial.checkpoint):
            rows = _encode(trial, module.run({**trial.setting, "device": trial.device}, rng))
    except Diverged as caught:
        status, error, rows = "diverged", _describe(caught), _encode_or_nothing(trial, caught.rows)
    except FloatingPointError as caught:
        status, error = "diverged", _describe(caught)
    except (Exception, SystemExit) as caught:
        status, error = "failed", _describe(caught)
    return make_record(trial, status, rows, error, time.perf_counter() - start)


def lost(trial: Trial, message: str, seconds: float = 0.0) -> dict:
    """The record of a trial whose worker died."""
    error = {"type": "WorkerDied", "message": message, "traceback": ""}
    return make_record(trial, "failed", [], error, seconds)


def make_record(trial: Trial, status: str, rows: list[dict], error: dict | None, seconds: float) -> dict:
    """The sealed record of a trial that ended."""
    return seal(
        {
            "experiment": trial.experiment.name,
            "setting": dict(trial.setting),
            "seed": trial.seed,
            "device": trial.device,
            "presets": [trial.preset],
            "status": status,
            "rows": rows,
            "error": error,
            "seconds": round(seconds, 6),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "code": trial.code,
            "provenance": {**provenance(), "options": trial.options},
        }
    )


def _encode(trial: Trial, rows: object) -> list[dict[str, list]]:
    """The rows, encoded; a row may repeat a setting, but neither contradict it nor use a reserved name."""
    if not isinstance(rows, list | tuple):
        raise TypeError(f"run() gave a {type(rows).__name__}, expected a list of rows")
    given = {**trial.setting, "device": trial.device}
    kept = []
    for row in rows:
        for name in row:
            if name in given and row[name] != given[name]:
                raise ValueError(f"run() gave a row with {name}={row[name]!r}, but its setting has another value")
            if name in RESERVED and name not in given:
                raise ValueError(f"run() gave a row with the reserved name {name!r}")
        kept.append({name: value for name, value in row.items() if name not in given})
    return encode_rows(kept)


def _encode_or_nothing(trial: Trial, rows: list) -> list[dict[str, list]]:
    """The rows of a diverged trial; bad ones are dropped, since its divergence is the result."""
    try:
        return _encode(trial, rows)
    except (TypeError, ValueError, AttributeError):
        return []


def _describe(error: BaseException) -> dict[str, str]:
    """An exception's type, message and traceback, with file names relative to where the packages lie."""
    text = "".join(traceback.format_exception(error))
    for folder in (sysconfig.get_path("purelib"), str(CHECKOUT), sysconfig.get_path("stdlib")):
        text = text.replace(folder + "/", "")
    return {"type": type(error).__name__, "message": str(error), "traceback": text}
