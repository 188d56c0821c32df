"""The benchmarks: every cell has one, each runs, and none times a compilation. No test here asserts a time."""

import importlib
import importlib.util
import inspect
import itertools
import json
import math
import pkgutil
import platform
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from rnnbench import cells

ROOT = Path(__file__).resolve().parents[1]
DIRECTIONS = {"inference", "training"}
CELL = "elman"


def load_benchmarks():
    """Import benchmarks/ as asv does, as a package of that name, but with asv out of reach."""
    spec = importlib.util.spec_from_file_location("benchmarks", ROOT / "benchmarks" / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("asv", "asv_runner"):
            patch.setitem(sys.modules, name, None)
        sys.modules["benchmarks"] = package
        spec.loader.exec_module(package)
        return {m.name: importlib.import_module(f"benchmarks.{m.name}") for m in pkgutil.iter_modules(package.__path__)}


MODULES = load_benchmarks()
compare, derived, layers, memory = (MODULES[n] for n in ("compare", "derived", "layers", "memory"))
quick, record, start, training = (MODULES[n] for n in ("quick", "record", "start", "training"))
workloads = MODULES["workloads"]


def shipped():
    """The cells of the package; other tests may have added some of their own to ``names()``."""
    return {name for name in cells.names() if importlib.util.find_spec(f"rnnbench.cells.{name}")}


def suites():
    """Every class that asv would find."""
    own = ((name, module) for name, module in MODULES.items())
    return [c for name, m in own for _, c in inspect.getmembers(m, inspect.isclass) if c.__module__.endswith(name)]


class Recorded:
    """A layer that computes nothing and notes which cell ran in which direction."""

    output_size = 1
    seen: set

    def __init__(self, cell, input_size, hidden_size, **_):
        self.cell = cell

    def zero_grad(self):
        pass

    def forward(self, x, tape=None):
        if tape is False:
            self.seen.add((self.cell, "inference"))
        return np.zeros((*x.shape[:2], 1), x.dtype), {}

    def backward(self, dy):
        self.seen.add((self.cell, "training"))


@pytest.fixture
def seen(monkeypatch):
    """What the layers of the benchmarks run, while they run nothing."""
    monkeypatch.setattr(Recorded, "seen", set(), raising=False)
    monkeypatch.setattr(workloads, "Recurrent", Recorded)
    workloads.ready.cache_clear()
    yield Recorded.seen
    workloads.ready.cache_clear()


def uncovered(classes, seen):
    """Run every timed benchmark with all its parameters; return the (cell, direction) pairs that none of them ran."""
    for suite in classes:
        timed = [name for name, _ in inspect.getmembers(suite, inspect.isfunction) if name.startswith("time_")]
        for method, params in itertools.product(timed, itertools.product(*suite.params)):
            instance, before = suite(), set(seen)
            try:
                instance.setup(*params)
            except NotImplementedError:
                continue
            seen.clear()  # setup's own calls are no benchmark
            getattr(instance, method)(*params)
            seen |= before
    return set(itertools.product(shipped(), DIRECTIONS)) - seen


def test_every_cell_has_a_benchmark_of_each_direction(seen):
    assert uncovered([suite for suite in suites() if suite is not training.Steps], seen) == set()


def test_every_cell_has_a_benchmark_of_memory_and_of_compile_time():
    for suite in (memory.Memory, start.Compile):
        assert set(suite.params[0]) == shipped(), suite


def test_the_gate_sees_a_missing_cell(seen):
    class Short(layers.Inference):
        params = ([n for n in workloads.cell_names() if n != CELL], layers.Inference.params[1])

    assert uncovered([Short, layers.Training], seen) == {(CELL, "inference")}


def test_the_gate_sees_a_benchmark_that_calls_nothing(seen):
    class Idle(layers.Training):
        def time_training(self, cell, shape):
            if cell != CELL:
                self.run()

    assert uncovered([layers.Inference, Idle], seen) == {(CELL, "training")}


def test_parameters_are_the_cells_of_the_checkout():
    assert set(workloads.cell_names()) == shipped()


def test_a_cell_that_the_commit_lacks_is_skipped():
    with pytest.raises(NotImplementedError, match="no_such_cell"):
        layers.Inference().setup("no_such_cell", layers.Inference.params[1][0])


@pytest.mark.parametrize("suite, method", [(layers.Inference, "time_inference"), (layers.Training, "time_training")])
def test_layers_run_and_are_made_once(suite, method):
    benchmark, again, params = suite(), suite(), (CELL, suite.params[1][-1])
    benchmark.setup(*params)
    getattr(benchmark, method)(*params)
    again.setup(*params)
    assert again.run is benchmark.run


@pytest.mark.parametrize("workload", training.Steps.params[1])
def test_training_steps_run_and_are_made_once(workload):
    benchmark, again, params = training.Steps(), training.Steps(), (CELL, workload)
    benchmark.setup(*params)
    benchmark.time_steps(*params)
    again.setup(*params)
    assert again.run is benchmark.run


@pytest.mark.parametrize("threads", layers.Threads.params[0])
def test_threads_run(threads, monkeypatch):
    monkeypatch.setattr(layers.Threads, "cell", CELL)
    monkeypatch.setattr(layers, "processors", lambda: 2)
    benchmark = layers.Threads()
    benchmark.setup(threads)
    benchmark.time_inference(threads)
    benchmark.time_training(threads)
    assert workloads.threads.get_num_threads() == threads


@pytest.fixture(autouse=True)
def threads_as_before(monkeypatch):
    """Benchmarks set the number of threads for good: their process is their own."""
    monkeypatch.setattr(workloads.threads, "_threads", None)
    yield
    workloads.threads.set_num_threads(None)


def test_more_threads_than_processors_are_skipped(monkeypatch):
    monkeypatch.setattr(layers, "processors", lambda: 1)
    with pytest.raises(NotImplementedError):
        layers.Threads().setup(2)


def test_what_compiles_at_its_second_call_is_refused():
    def compiles():
        njit(lambda x: x + 1)(1)

    compiles()
    with pytest.raises(RuntimeError, match="this work"):
        workloads.ensure_compiled(compiles, "this work")


@pytest.mark.slow
def test_memory_runs(monkeypatch):
    monkeypatch.setattr(memory, "SHAPE", (20, *memory.SHAPE[1:]))
    benchmark = memory.Memory()
    benchmark.setup(CELL)
    benchmark.peakmem_training(CELL)


@pytest.mark.slow
def test_the_cache_is_filled_and_used():
    cold, cached = start.compile_times(CELL)
    assert cold > 0 and cached > 0


def test_compile_times_are_measured_once_and_fail_apart(monkeypatch):
    def measured(cell):
        if cell == "gru":
            raise RuntimeError("gru does not compile")
        return 2.0, 0.5

    monkeypatch.setattr(start, "compile_times", measured)
    monkeypatch.setattr(start, "cell_names", lambda: [CELL, "gru", "no_such_cell"])
    suite = start.Compile()
    times = suite.setup_cache()
    assert (suite.track_compile_cold(times, CELL), suite.track_compile_cached(times, CELL)) == (2.0, 0.5)
    assert math.isnan(suite.track_compile_cold(times, "no_such_cell"))
    with pytest.raises(RuntimeError, match="does not compile"):
        suite.track_compile_cached(times, "gru")


def test_imports_are_timed_in_a_process_of_their_own():
    assert start.seconds(start.IMPORT, "rnnbench") > 0
    with pytest.raises(RuntimeError, match="no_such_module"):
        start.seconds(start.IMPORT, "no_such_module")


def test_the_quick_look_shows_every_kind_of_value():
    params, values = [["'a'", "'b'"], ["'s'", "'t'"]], [0.001, None, math.nan, 2.0]
    lines = quick.table("name", "seconds", params, values).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "[ms]", "s", "t"],
        ["a", "1", "failed"],
        ["b", "skipped", "2000"],
    ]
    assert "\nb" not in quick.table("name", "seconds", params, [1.0, 2.0, math.nan, math.nan])
    assert quick.rates("start.Import.track_import", params, values) is None


def test_the_rate_is_that_of_the_whole_timing():
    (shape, calls), name = next(iter(workloads.SHAPES["inference"].items())), workloads.LABELS["inference"][0]
    steps, rows, inputs, units = shape
    rate = quick.rates("layers.Inference.time_inference", [["'elman'"], [repr(name)]], [0.5])
    assert rate == [pytest.approx(calls * 2 * steps * rows * units * (inputs + units) / 0.5 / 1e9)]


def test_asv_runs_the_pinned_runner_and_spawns():
    text = (ROOT / "asv.conf.json").read_text()
    config = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    (pinned,) = config["matrix"]["req"]["pip+asv_runner"]
    assert f"asv_runner=={pinned}" in (ROOT / "constraints.txt").read_text().split()
    assert config["launch_method"] == "spawn"
    assert "constraints.txt" in config["install_command"][0]


def rounds(base, head, number=6):
    return [{"f('a')": base * (1 + i % 3 / 100)} for i in range(number)], [{"f('a')": head}] * number


@pytest.mark.parametrize("head, word", [(1.5, compare.SLOWER), (0.6, compare.FASTER), (1.05, compare.SAME)])
def test_a_comparison_tells_what_every_round_tells(head, word):
    (ratio, found), *rest = compare.told(*rounds(1.0, head), 1.1).values()
    assert (found, rest) == (word, []) and ratio.median == pytest.approx(head, rel=0.03)


def test_a_comparison_does_not_tell_noise():
    base, head = rounds(1.0, 1.5)
    assert compare.told(base, [*head[:-1], {"f('a')": 1.0}], 1.1)["f('a')"][1] == compare.NOISE
    assert compare.told(*rounds(1.0, 1.11), 1.1)["f('a')"][1] == compare.NOISE  # on both sides of the limit
    assert compare.told(*rounds(1.0, 9.0, 5), 1.1)["f('a')"][1] == compare.FEW


def test_a_benchmark_that_fails_now_is_told_and_one_that_never_ran_is_not():
    base = {"old": 1.0, "failing": 1.0, "never": None}
    found = compare.told([base], [{"new": 1.0, "failing": None, "never": None}], 2)
    assert found == {"failing": (None, compare.BROKEN)}


def test_what_asv_skipped_has_no_value():
    found = {"f": ("seconds", [["'a'", "'b'"], ["1"]], [0.5, math.nan]), "g": ("seconds", [], [None])}
    assert compare.unrolled(found) == {"f('a', 1)": 0.5, "g": None}


@pytest.mark.parametrize("head, status, word", [(1.5, 1, "1 slower"), (1.0, 0, "1 same"), (None, 2, "1 failed")])
def test_a_comparison_measures_in_turn_and_ends_with_what_it_found(monkeypatch, capsys, head, status, word):
    asked, values = [], {"B": {"f": 1.0}, "H": {"f": head}}
    monkeypatch.setattr(compare, "measured", lambda commit, bench: asked.append(commit) or values[commit])
    assert compare.main("B", "H", 1.1, ".", 6) == status
    assert "".join(asked) == "BHHBBHHBBHHB" and capsys.readouterr().out.rstrip().endswith(word)


def test_a_comparison_of_nothing_is_no_success(monkeypatch):
    monkeypatch.setattr(compare, "measured", lambda commit, bench: {})
    with pytest.raises(SystemExit, match="nothing was measured on both commits, expected BENCH='no such'"):
        compare.main("B", "H", 1.1, "no such", 2)


@pytest.mark.parametrize(
    "given, said",
    [
        ((), "commit"),
        (("", "HEAD", "1.1", ".", "6"), "commit"),
        (("no_such_commit", "HEAD", "1.1", ".", "6"), "commit"),
        (("HEAD", "HEAD", "nan", ".", "6"), "FACTOR: got 'nan', expected a number >= 1"),
        (("HEAD", "HEAD", "1.1", ".", "0"), "ROUNDS: got '0', expected an integer >= 1"),
    ],
)
def test_a_comparison_says_what_it_wants(monkeypatch, given, said):
    if said != "commit":
        monkeypatch.setattr(compare, "hash_of", lambda commit: commit)  # a copy without git has none
    with pytest.raises(SystemExit, match=said):
        compare.arguments(given)


def test_results_do_not_bear_the_name_of_the_host(monkeypatch, tmp_path):
    pytest.importorskip("asv")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MACHINE", raising=False)
    name = record.machine()
    known = (tmp_path / ".asv-machine.json").read_text()
    assert json.loads(known)[name]["machine"] == name and platform.machine() in name
    assert platform.uname().node not in json.loads(known)[name].values() and str(tmp_path) not in known


def test_the_cost_of_a_derived_backward_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(derived, "SHAPE", (2, 3, 4, 5))
    monkeypatch.setattr(derived, "ROUNDS", 2)
    derived.main(["gru"])
    _, line = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"gru +2 saved,  8 \+ 16 +2 saved,  8 \+ 16 +[\d.]+ ms +[\d.]+ ms  x [\d.]+", line)
