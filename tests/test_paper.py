"""The preset "paper" of every experiment: a trial starts, is stopped by a signal, and goes on from its checkpoint.

`make test-paper` runs it, in some minutes, and says for each experiment what happened. Of the trials that train, that
with the most updates is taken; of others the first.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from rnnbench.layers import saving
from rnnbench.runner.discovery import CHECKOUT, Experiment
from rnnbench.runner.store import Store

pytestmark = pytest.mark.paper
FOLDER = CHECKOUT / "experiments"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
SAVES = 3  # checkpoints of the first run, so that one that starts again is behind it for seconds
PATIENCE, SHORT = 120.0, 10.0  # seconds: for the checkpoints of a trial that trains; of one that keeps none

RUN = """
import sys
from pathlib import Path

from rnnbench.runner import campaign, executors
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.store import Store
from rnnbench.studies import descent, learning

learning.SAVE_AFTER = descent.SAVE_AFTER = 1.0
name, path, results = sys.argv[1:]
store = Store(Path(results))
trials = campaign.plan([Experiment(name, Path(path), False)], "paper", "cpu", 0, {}, store=store)
longest = {t: max(t.setting.get(name, 0) for name in ("steps", "sequences")) for t in trials if "rate" in t.setting}
trial = max(longest, key=longest.get) if longest else trials[0]
print(trial.describe(), flush=True)
outcome = campaign.run(store, [trial], executors.serial)
sys.exit(130 if outcome.interrupted else outcome.counts["failed"])
"""


class Run:
    """A process that runs the trial."""

    def __init__(self, name, results):
        self.results, self.name = results, name
        command = [sys.executable, "-c", RUN, name, str(FOLDER / f"{name}.py"), str(results)]
        paths = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
        )
        self.trial = self.process.stdout.readline().strip()

    @property
    def checkpoint(self):
        """The file, if there is one; names of those that are being written begin with a dot."""
        return next((self.results / "local" / self.name / ".unfinished").glob("[!.]*"), None)

    def wait(self, saves, seconds):
        """Wait for so many checkpoints to be written; less if the process ends or time is up. How many were."""
        written, last, until = 0, self._written(), time.monotonic() + seconds
        while written < saves and time.monotonic() < until and self.process.poll() is None:
            time.sleep(0.05)
            now = self._written()
            written += now not in (None, last)
            last = now
        return written

    def _written(self):
        try:
            return self.checkpoint.stat().st_mtime_ns
        except (AttributeError, OSError):  # none yet, or just removed
            return None

    def stop(self, how):
        """Send the signal; the code that the process ends with."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=60)
        assert "Traceback" not in errors, errors
        return self.process.returncode

    def steps(self):
        """The updates behind the checkpoint."""
        return len(saving.read(self.checkpoint)[0]["history rows"])

    def ended(self):
        """Whether the trial has a result, which then is a good one."""
        if self.process.poll() is None:
            return False
        assert self.process.returncode == 0, self.process.communicate()
        (record,) = Store(self.results).read_local(self.name).by_key.values()
        assert record["status"] == "ok", record["error"]
        return True


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_trial_goes_on(name, tmp_path, capsys):
    happened = "?"
    try:
        happened = stopped_and_started(name, tmp_path)
    finally:
        with capsys.disabled():
            print(f"\n{name}: {happened}", flush=True)


def stopped_and_started(name, results):
    """Run a trial, stop it, run it again, stop it again; what happened in words."""
    trains = any("rate" in setting for setting in Experiment(name, FOLDER / f"{name}.py", False).sweep("paper", "cpu"))
    first = Run(name, results)
    written = first.wait(SAVES, PATIENCE if trains else SHORT)
    if first.process.poll() is not None and first.ended():
        return f"ended ({first.trial})"
    assert first.stop(signal.SIGINT) == 130
    assert Store(results).read_local(name).by_key == {}
    if not trains:
        assert written == 0
        second = Run(name, results)
        second.wait(1, SHORT / 2)
        how = "ended" if second.ended() else f"stopped by signal {-second.stop(signal.SIGTERM)}"
        return f"no checkpoint; started again and {how} ({first.trial})"
    assert written == SAVES, f"{written} checkpoints within {PATIENCE:g} s"
    steps = first.steps()
    second = Run(name, results)
    assert second.trial == first.trial
    second.wait(1, PATIENCE)
    if second.process.poll() is not None and second.ended():
        return f"stopped at update {steps:,}, went on and ended ({first.trial})"
    assert second.stop(signal.SIGTERM) == -signal.SIGTERM
    after = second.steps()
    assert after > steps, "it started from the beginning"
    return f"stopped at update {steps:,}, went on to {after:,} ({first.trial})"
