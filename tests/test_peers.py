"""The peers' machinery, with a made-up peer: the pipe, what is refused, how rounds become words.

No timing is asserted.
"""

import os
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from rnnbench import cells
from rnnbench.peers import growth, measure, once, own, quiet, roof, spread, tasks, trial
from rnnbench.peers.process import PeerError, Process
from rnnbench.peers.tasks import NotSupported, Peer, Shape, Task, parse_peers, parse_shape

FAKE = """
import os, time
import numpy as np
from rnnbench.peers import own
from rnnbench.peers.tasks import NotSupported

def load():
    print("a library talks on stdout")

def prepare(task, arrays):
    if task.variant == "none":
        raise NotSupported("the fake has no such layer")
    if task.variant == "broken":
        raise ValueError("two lines\\nof a message")
    if task.variant == "dies":
        os._exit(3)
    if task.variant == "hangs":
        time.sleep(60)
    job = own.prepare(task.__class__(**{**task.__dict__, "variant": "reference"}), arrays)
    calls = []

    def call():
        calls.append(1)
        if task.variant == "dies later" and len(calls) > 3:
            os.kill(os.getpid(), 9)
        return job.call()

    def changed(result):
        made = job.arrays(result)
        if task.variant == "wrong":
            made["y"] = made["y"] + 0.01
        if task.variant == "partial":
            made.pop("dx", None)
        return made

    return job._replace(call=call, arrays=changed)
"""
QUIET, CROWDED = 0.0, 99.0
QUICK = {"section": 1e-4, "pause": 0.0}
TASK = Task("elman", None, Shape(3, 2, 4, 5), "inference", 1)


@pytest.fixture(autouse=True)
def not_alone(monkeypatch):
    """Tests measure nothing, so they need not wait for each other or for a run."""
    monkeypatch.setattr(measure, "alone", nullcontext)
    monkeypatch.setattr(quiet.Watch, "others", lambda self: QUIET)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The made-up peer, importable in workers; returns a function that enters a variant of it among the peers."""
    (tmp_path / "fake_peer.py").write_text(FAKE, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def enter(variant, needs=()):
        monkeypatch.setitem(tasks.PEERS, "fake", Peer("fake_peer", variant, needs))
        return tasks.PEERS["fake"]

    return enter


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "given.npz"
    np.savez(path, **own.make_arrays(TASK, np.random.default_rng(0)))
    return str(path)


def prepare(process, variant, given, seconds=60.0):
    task = Task(**{**TASK.__dict__, "variant": variant})
    return process.ask(seconds, do="prepare", job="a", task=task.as_json(), arrays=given)


def gone(process):
    return process._popen.returncode is not None and not os.path.exists(f"/proc/{process._popen.pid}")


# ---- shapes and names ----


@pytest.mark.parametrize("text", ["150x1x256x256", "150,1,256,256", " 150 x 1 x 256, 256"])
def test_a_shape_is_read(text):
    assert parse_shape(text) == Shape(150, 1, 256, 256)
    assert str(parse_shape(text)) == "150x1x256x256"


def test_an_autonomous_shape_is_read():
    assert parse_shape("9x2x0x4").I == 0


@pytest.mark.parametrize(
    "text", ["150", "1x2x3", "1x2x3x4x5", "0x1x1x1", "1x1x1x0", "ax1x1x1", "1x-2x3x4", "", "1x2x3x4.5"]
)
def test_a_bad_shape_is_told_in_one_sentence(text):
    with pytest.raises(ValueError, match=r"shape: got .* expected four integers TxBxIxH") as caught:
        parse_shape(text)
    assert "\n" not in str(caught.value)


def test_peers_are_read_and_unknown_ones_refused():
    assert parse_peers("torch+jax+torch") == ["torch", "jax"]
    assert parse_peers("none") == []
    with pytest.raises(ValueError, match="peers: got 'tensorflow', expected none, or of reference, torch"):
        parse_peers("torch+tensorflow")


def test_a_task_crosses_the_pipe():
    task = Task("lstm", None, Shape(1, 2, 3, 4), "training", 2, "onednn", "cell.py")
    assert Task.from_json(task.as_json()) == task
    assert task.training


# ---- the pipe ----


def test_a_peer_answers_whatever_its_library_prints(fake, given, tmp_path):
    with Process("fake_peer", 1) as process:
        assert prepare(process, "", given) is None
        names = process.ask(do="results", job="a", path=str(tmp_path / "made.npz"))
        assert names == ["h", "y"]
        answer = process.ask(do="time", job="a", budget=1e-3)
        assert len(answer["times"]) >= 1
        assert min(answer["times"]) > 0
    assert gone(process)


@pytest.mark.parametrize(
    ("variant", "error", "words"),
    [
        ("none", NotSupported, "^the fake has no such layer$"),
        ("broken", PeerError, "^fake_peer failed: ValueError: two lines$"),
        ("dies", PeerError, r"^fake_peer died \(exit code 3\)"),
        ("dies later", PeerError, r"^fake_peer died \(signal 9\)"),
    ],
)
def test_what_goes_wrong_in_a_peer_is_a_sentence(fake, given, variant, error, words):
    with Process("fake_peer", 1) as process, pytest.raises(error, match=words):
        prepare(process, variant, given)
        for _ in range(5):
            process.ask(do="time", job="a", budget=1e-4)
    assert gone(process)


def test_a_peer_that_hangs_is_stopped(fake, given):
    start = time.monotonic()
    with Process("fake_peer", 1) as process, pytest.raises(PeerError, match=r"no answer within 0.5 s and was stopped"):
        prepare(process, "hangs", given, 0.5)
    assert time.monotonic() - start < 30
    assert gone(process)


def test_a_module_that_is_not_there_is_a_sentence():
    with (
        Process("no_such_peer", 1) as process,
        pytest.raises(PeerError, match=r"died .*No module named"),
    ):
        process.ask(do="time", job="a", budget=1)
    with pytest.raises(PeerError, match="stopped before"):
        process.ask(do="time", job="a", budget=1)


def test_a_user_s_cell_reaches_the_worker(tmp_path, given):
    path = tmp_path / "my_elman.py"
    path.write_text((Path(cells.__file__).parent / "elman.py").read_text("utf-8"), "utf-8")
    task = Task("my_elman", None, TASK.shape, "inference", 1, "reference", str(path))
    with Process("rnnbench.peers.own", 1) as process:
        arrays = tmp_path / "mine.npz"
        with np.load(given) as stored:
            data = {name: stored[name] for name in stored.files}
        np.savez(arrays, bias=data["bias_ih"] + data["bias_hh"], **data)
        assert process.ask(60, do="prepare", job="a", task=task.as_json(), arrays=str(arrays)) is None


# ---- a whole trial ----


def rows_of(peer, **changes):
    rows = trial.rows(Task(**{**TASK.__dict__, **changes}), [peer], 2, np.random.default_rng(0), **QUICK)
    return rows, [row for row in rows if row["peer"] == peer]


def test_a_trial_has_rows_for_both_directions_and_the_roof(fake):
    fake("")
    rows, told = rows_of("fake")
    assert [(row["direction"], row["peer"]) for row in rows] == [
        ("inference", "rnnbench"), ("inference", "roof"), ("inference", tasks.PACKED), ("inference", "fake"),
        ("training", "rnnbench"), ("training", "roof"), ("training", "fake"),
    ]  # fmt: skip
    assert {row["outcome"] for row in rows} == {"ok"}
    for row in told:
        assert row["error"] < 1e-5
        assert row["verdict"] == spread.TOO_FEW
        assert 0 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
    ours = rows[0]
    assert ours["gflops"] > 0
    assert ours["roof_fraction"] > 0


@pytest.mark.parametrize(
    ("variant", "outcomes", "words"),
    [
        ("wrong", ("mismatch", "mismatch"), "y differs by"),
        ("partial", ("ok", "mismatch"), "the peer gave no dx"),
        ("none", ("not supported", "not supported"), "no such layer"),
        ("broken", ("failed", "failed"), "two lines"),
        ("dies", ("failed", "failed"), "exit code 3"),
    ],
)
def test_what_cannot_be_compared_has_no_ratio(fake, variant, outcomes, words):
    fake(variant)
    _, told = rows_of("fake")
    assert tuple(row["outcome"] for row in told) == outcomes
    assert words in told[1]["detail"]
    assert all("ratio" not in row for row in told if row["outcome"] != "ok")


def test_a_peer_that_dies_while_it_is_timed_leaves_the_others_alone(fake):
    fake("dies later")
    rows, told = rows_of("fake")
    assert {row["outcome"] for row in told} == {"failed"}
    assert {row["outcome"] for row in rows if row["peer"] != "fake"} == {"ok"}


def test_a_peer_that_is_not_installed_is_a_row_with_the_extra(fake):
    fake("", ("no_such_library", "numpy"))
    rows, told = rows_of("fake")
    assert {row["outcome"] for row in told} == {"not installed"}
    assert told[0]["detail"] == "no_such_library not installed: pip install 'rnnbench[peers]'"
    assert rows[0]["outcome"] == "ok"
    row = once.start_rows(TASK, ["fake"])[-1]
    assert (row["peer"], row["outcome"]) == ("fake", "not installed")


def test_growth_has_a_row_per_size_and_an_exponent():
    rows = growth.rows(TASK, "T", 2, np.random.default_rng(0), **QUICK)
    assert [row["size"] for row in rows if row["direction"] == "training" and "size" in row] == [1, 2, 3, 6, 12]
    assert sum("exponent" in row for row in rows) == 2
    assert growth.shapes(Shape(8, 8, 4, 8), "H") == [Shape(8, 8, h, h) for h in (2, 4, 8, 16, 32)]
    with pytest.raises(ValueError, match="axis: got 'I', expected one of T, B, H"):
        growth.rows(TASK, "I", 2, np.random.default_rng(0))


def test_memory_is_measured_in_a_fresh_process():
    rows = once.memory_rows(Task("elman", None, Shape(40, 8, 16, 16), "inference", 1), [])
    assert [(row["direction"], row["outcome"]) for row in rows] == [("inference", "ok"), ("training", "ok")]
    assert all(row["peak_mb"] >= 0 for row in rows)


# ---- the roof, and taking turns ----


def test_the_roof_is_above_the_ground():
    assert roof.flops_per_loop() > 0
    assert roof.measure(1, 1000) > 0
    assert roof.measure(2, 1000) > 0


class Clockwork:
    """Answers like a process, with times from a list; keeps the order in which it was asked."""

    def __init__(self, log, times):
        self.log, self.times = log, iter(times)

    def ask(self, do, job, budget):
        self.log.append(job)
        value = next(self.times)
        if isinstance(value, Exception):
            raise value
        return {"times": [value], "cores": 1.0}


def test_rounds_take_turns_and_a_failure_drops_out():
    log = []
    broken = Clockwork(log, [1.0, PeerError("it broke")])
    found = [
        measure.Contestant("a", Clockwork(log, [1.0] * 3), "a"),
        measure.Contestant("b", broken, "b"),
        measure.Contestant("c", Clockwork(log, [2.0] * 3), "c"),
    ]
    for wrong in (0, -1, True, 2.0):
        with pytest.raises(ValueError, match=r"rounds: got .*, expected an integer >= 1"):
            measure.take_turns(found, wrong)
    measure.take_turns(found, 3, pause=0)
    assert "".join(log) == "abc" + "cba" + "ac"
    assert [one.error for one in found] == ["", "it broke", ""]
    assert [len(one.seconds) for one in found] == [3, 1, 3]


def test_a_slow_peer_stops_once_it_has_rounds_enough_but_we_go_on():
    log = []
    found = [measure.Contestant(name, Clockwork(log, [1.0] * 9), name) for name in "ab"]
    for one in found:
        one.spent = 2 * measure.BUDGET
    measure.take_turns(found, 9, pause=0)
    assert [len(one.seconds) for one in found] == [9, spread.FEWEST]


def test_nothing_is_said_of_a_ratio_on_a_busy_machine(fake, monkeypatch):
    monkeypatch.setattr(quiet.Watch, "others", lambda self: CROWDED)
    fake("")
    rows, told = rows_of("fake")
    assert {row["verdict"] for row in told} == {"machine busy"}
    assert {row["others_cores"] for row in rows} == {CROWDED}
    assert spread.verdict(spread.Spread(2, 2, 2, 9), crowded=True) == "machine busy"


def test_others_are_what_the_machine_did_and_we_did_not(monkeypatch):
    seconds = iter([10.0, 13.0])
    monkeypatch.undo()
    monkeypatch.setattr(quiet, "_machine_seconds", lambda: next(seconds))
    monkeypatch.setattr(quiet, "_process_seconds", lambda pid: 0.0)
    monkeypatch.setattr(quiet.time, "process_time", lambda: 0.0)
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(quiet.time, "monotonic", lambda: next(clock))
    assert quiet.Watch([1]).others() == 1.5
    monkeypatch.setattr(quiet, "_processors", lambda: 2)
    assert quiet.is_crowded(2, 1.5) and quiet.is_crowded(1, 1.5)
    assert not quiet.is_crowded(1, 0.9) and not quiet.is_crowded(2, None)


def test_processor_time_is_read_or_unknown():
    others = quiet.Watch([os.getpid()]).others()
    assert others is None or others >= 0
    assert quiet._process_seconds(2**30) == 0.0
