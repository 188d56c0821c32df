"""The command line as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_experiments import TOY, call, write_toy

import rnnbench
from rnnbench import cells
from rnnbench.runner import discovery

DESCRIBED = {"name": "toycell", "title": "A toy", "year": 1990, "states": ["h"], "parameters": 128}


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No packaged experiments, one cell, an empty current folder with a toy."""
    monkeypatch.setattr(discovery, "packaged_folder", lambda: None)
    monkeypatch.setattr(cells, "names", lambda: ["toycell"])
    monkeypatch.setattr(cells, "describe", lambda name: {**DESCRIBED, "name": name})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    write_toy(tmp_path / "toys")


@pytest.fixture
def bench(monkeypatch, capsys):
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


TOYS = ("--experiments", "toys")
EMPTY = (0, "nothing to run: the preset 'smoke' is empty here\n")


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tyo", *TOYS], "EXPERIMENT got 'tyo', did you mean 'toy'?"),
        (["toy", *TOYS, "--preset", "quik"], "--preset got 'quik', did you mean 'quick'?"),
        (["toy", *TOYS, "--preset", "zzz"], "--preset got 'zzz', expected one of smoke, quick, search, paper"),
        (["toy", *TOYS, "--set", "rho"], "--set got 'rho', expected name=value or name=value1,value2"),
        (["toy", *TOYS, "--set", "roh=1"], "--set got the unknown setting 'roh', did you mean 'rho'?"),
        (["toy", *TOYS, "--set", "replica=x"], "--set replica: got 'x', expected an int"),
        (["toy", *TOYS, "--set", "cell=toycel"], "--set cell: got 'toycel', did you mean 'toycell'?"),
        (["toy", *TOYS, "--workers", "0"], "--workers got '0', expected an integer of at least 1"),
        (["toy", *TOYS, "--workers", "-2"], "--workers got '-2', expected an integer of at least 1"),
        (["toy", *TOYS, "--seed", "x"], "--seed got 'x', expected an integer of at least 0"),
        (["toy", *TOYS, "--seed", "-1"], "--seed got '-1', expected an integer of at least 0"),
        (
            ["toy", *TOYS, "--device", "cuda"],
            "--device got 'cuda', which toy can't use; expected cpu",
        ),
        (["toy", *TOYS, "--device", "gpu"], "--device got 'gpu', expected cpu or cuda"),
        (
            ["toy", "--experiments", "none"],
            "--experiments got 'none', expected an existing folder of experiment",
        ),
        (["toy", *TOYS, "--cells", "none.py"], "--cells got 'none.py', expected a file"),
        (["toy", *TOYS, "--nonsense"], "No such option: --nonsense"),
        ([], "Missing argument 'EXPERIMENT...|all'. (see rnnbench --help)"),
    ],
)
def test_a_mistake_in_what_is_to_run_is_one_sentence(bench, tmp_path, command, arguments, message):
    test_a_mistake_is_one_sentence_and_exit_code_2(bench, [command, *arguments], message)
    assert not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "toy", *TOYS, "--results", "toys/toy.py"],
            "--results got 'toys/toy.py', expected a folder that can be ",
        ),
        (
            ["plan", "toy", *TOYS, "--results", "toys/toy.py"],
            "--results got 'toys/toy.py', expected a folder, and it is a file",
        ),
        (["frobnicate"], "No such command 'frobnicate'. (see rnnbench --help)"),
        (["list", "cell"], "list got 'cell', did you mean 'cells'?"),
        (["list", "x"], "list got 'x', expected one of cells, tasks, experiments, devices"),
        (
            ["status", "--results", "toys/toy.py"],
            "--results got 'toys/toy.py', expected a folder, and it is a file",
        ),
        (["report", "--results", "toys/toy.py"], "--results got "),
        (
            ["report", *TOYS, "--output", "toys/toy.py"],
            "--output got 'toys/toy.py', expected a folder that can be ",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(bench, arguments, message):
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"rnnbench: {message}") and err.count("\n") == 1


def test_a_broken_experiment_is_one_sentence(bench, tmp_path):
    write_toy(tmp_path / "toys", "lacking", "def run(): pass")
    write_toy(tmp_path / "toys", "raising", "1 / 0")
    code, _, err = bench("run", "lacking", *TOYS)
    assert code == 2 and "lacks sweep(), claims(), figures(), tables()" in err and err.count("\n") == 1
    code, _, err = bench("run", "raising", *TOYS)
    assert code == 2 and "ZeroDivisionError" in err and "Traceback" not in err
    code, out, err = bench("status", *TOYS)
    assert code == 1 and "toy" in out and err.count("rnnbench: experiment") == 2


def test_a_bad_cell_file_is_one_sentence(bench, tmp_path, monkeypatch):
    def refuse(path):
        raise ValueError("it has no stages")

    monkeypatch.setattr(cells, "load_file", refuse)
    (tmp_path / "cell.py").write_text("")
    code, _, err = bench("list", "cells", "--cells", "cell.py")
    assert code == 2 and err == "rnnbench: --cells got 'cell.py': it has no stages\n"


@pytest.mark.parametrize("command", ["status", "report", "verify", "plan", "doctor", "list"])
def test_a_name_that_is_too_long_is_one_sentence(bench, command):
    given = {"list": ("list", "--experiments"), "plan": ("plan", "toy", *TOYS, "--results")}
    code, _, err = bench(*given.get(command, (command, "--results")), "a" * 300)
    assert code == 2 and "File name too long" in err and len(err.splitlines()) == 1


def test_cell_files_are_registered_here_and_in_workers(bench, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(cells, "load_file", lambda path: seen.append(Path(path).name))
    (tmp_path / "cell.py").write_text("")
    assert bench("list", "cells", "--cells", "cell.py")[0] == 0
    assert seen == ["cell.py"]


def test_run_resume_fail_and_report(bench, tmp_path):
    code, out, err = bench("run", "toy", *TOYS)
    assert (code, out) == (0, "2 trials: 2 ok; 0 had a result already\n")
    assert "[1/2] toy (rho=0.5, mode=plain, replica=0) ok after" in err
    code, out, _ = bench("run", "all", *TOYS)
    assert (code, out) == (0, "2 trials: none to run; 2 had a result already\n")
    code, out, err = bench("run", "toy", *TOYS, "--set", "mode=fail,plain", "--set", "rho=0.5")
    assert (code, out) == (1, "2 trials: 1 failed; 1 had a result already\n")
    assert "ValueError: a <bad> thing" in err and "Traceback" not in err
    code, out, _ = bench("status", *TOYS)
    assert code == 0 and out.splitlines()[1].split() == ["toy", "smoke", "0", "0", "2", "0", "1", "0", "0"]
    code, out, err = bench("report", *TOYS)
    assert (code, out) == (0, f"{tmp_path}/reports/index.html\n")
    code, out, err = bench("status")
    assert code == 1 and "unknown experiments: toy" in err


def test_an_empty_preset_is_told(bench, tmp_path):
    write_toy(tmp_path / "toys", source=TOY.replace("return [{", "return [] and [{"))
    assert bench("run", "toy", *TOYS)[:2] == EMPTY
    assert bench("plan", "toy", *TOYS)[:2] == EMPTY
    write_toy(tmp_path / "toys")
    nothing = "nothing to run: the preset 'smoke' has no trial of --only toycell here\n"
    assert bench("plan", "toy", *TOYS, "--only", "toycell")[:2] == (0, nothing)


def test_commit_writes_the_table(bench, tmp_path):
    code, out, _ = bench("run", "toy", *TOYS, "--preset", "quick", "--commit")
    assert code == 0 and out.endswith(f"wrote {tmp_path}/results/toy.json\n")
    code, out, _ = bench("status", *TOYS)
    assert out.splitlines()[1].split() == ["toy", "quick", "0", "0", "4", "0", "0", "0", "4"]


def test_an_old_version_is_told_and_again_makes_it_anew(bench, tmp_path):
    bench("run", "toy", *TOYS)
    write_toy(tmp_path / "toys", source=TOY + "\n")
    code, _, err = bench("run", "toy", *TOYS)
    assert code == 0 and "--again makes them anew" in err
    code, out, err = bench("run", "toy", *TOYS, "--again")
    assert out.startswith("2 trials: 2 ok") and "--again" not in err


def test_damage_is_told(bench, tmp_path):
    bench("run", "toy", *TOYS)
    path = next((tmp_path / "results" / "local" / "toy").glob("*.json"))
    path.write_text(path.read_text()[:-30])
    code, _, err = bench("report", *TOYS)
    assert code == 1 and str(path) in err
    code, out, err = bench("run", "toy", *TOYS)
    assert code == 0 and out.startswith("2 trials: 1 ok; 1 had") and "damaged" in err
    assert bench("report", *TOYS)[0] == 0


def test_plan_tells_what_is_done_and_how_long_the_rest_takes(bench, tmp_path):
    write_toy(tmp_path / "toys", "toy2")
    code, out, err = bench("plan", "all", *TOYS)
    assert (code, err) == (0, "") and not list((tmp_path / "results").iterdir())
    assert [line.split() for line in out.splitlines()] == [
        ["experiment", "trials", "done", "to", "run", "predicted", "unknown"],
        ["toy", "2", "0", "2", "?", "2"],
        ["toy2", "2", "0", "2", "?", "2"],
        ["total", "4", "0", "4", "?", "4"],
    ]
    bench("run", "toy", *TOYS)
    code, out, _ = bench("plan", "toy", *TOYS)
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["toy", "2", "2", "0", "0", "s", "0"],
        ["total", "2", "2", "0", "0", "s", "0"],
    ]


def test_plan_tells_damage_and_takes_times_from_committed_results(bench, tmp_path):
    bench("run", "toy", *TOYS, "--preset", "quick", "--commit")
    damaged, *others = (tmp_path / "results" / "local" / "toy").glob("*.json")
    damaged.write_text(damaged.read_text()[:-30])
    for path in others:
        path.unlink()
    code, out, err = bench("plan", "toy", *TOYS, "--preset", "quick", "--workers", "2")
    assert code == 0 and err.startswith("rnnbench: damaged, and not used: ") and str(damaged) in err
    row = out.splitlines()[1].split()
    assert row[:4] == ["toy", "4", "0", "4"] and row[5:] == ["s", "0"]


@pytest.mark.parametrize(
    ("options", "trials", "done"),
    [
        ((), 2, 2),
        (("--set", "rho=2.0,3.0"), 2, 1),
        (("--set", "mode=plain,fail,diverge", "--set", "rho=0.5"), 3, 2),
        (("--seed", "1"), 2, 0),
        (("--preset", "quick"), 4, 2),
    ],
)
def test_plan_counts_what_run_would_run(bench, options, trials, done):
    bench("run", "toy", *TOYS)
    bench("run", "toy", *TOYS, "--set", "mode=fail,diverge", "--set", "rho=0.5")
    row = bench("plan", "toy", *TOYS, *options)[1].splitlines()[1].split()
    assert row[:4] == ["toy", *map(str, (trials, done, trials - done))]
    assert f"{trials} trials: " in (out := bench("run", "toy", *TOYS, *options)[1]) and f"; {done} had a" in out


def test_a_pool_and_a_seed(bench, tmp_path):
    code, out, _ = bench("run", "toy", *TOYS, "--workers", "2", "--seed", "5", "--results", "other/place")
    assert code == 0 and out.startswith("2 trials: 2 ok")
    records = [json.loads(path.read_text()) for path in Path("other/place/local/toy").glob("*.json")]
    assert {record["seed"] for record in records} == {5}


def test_list(bench):
    code, out, _ = bench("list", *TOYS)
    assert code == 0
    assert [line for line in out.splitlines() if line.isupper()] == [
        "CELLS",
        "TASKS",
        "EXPERIMENTS",
        "DEVICES",
    ]
    assert "How fast does a toy decay?" in out
    code, out, _ = bench("list", "cells")
    assert out == "name     year  states  parameters\ntoycell  1990  h              128\n"
    assert bench("list", "experiments")[1] == "There are no experiments here yet.\n"


def test_list_json(bench):
    assert json.loads(bench("list", "cells", "--json")[1]) == [DESCRIBED]
    everything = json.loads(bench("list", "--json", *TOYS)[1])
    assert list(everything) == ["cells", "tasks", "experiments", "devices"]
    assert [device["name"] for device in everything["devices"]] == ["cpu", "cuda"]


def test_version_doctor_and_help(bench):
    assert bench("--version") == (0, f"rnnbench {rnnbench.__version__}\n", "")
    code, out, _ = bench("doctor")
    assert code == 0 and "SIMD" in out and "rnnbench[" in out
    code, out, _ = bench("run", "--help")
    for option in (
        "--preset",
        "--set",
        "--device",
        "--workers",
        "--cluster",
        "--seed",
        "--results",
        "--experiments",
        "--cells",
    ):
        assert option in out
    code, out, _ = bench()
    assert code == 2 and "Commands:" in out


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(rnnbench.__file__).parents[1])}


@pytest.mark.parametrize("arguments", ["--help", "list experiments", "list devices", "status --experiments toys"])
def test_quick_commands_import_nothing_heavy(tmp_path, arguments):
    code = (
        "import sys; from rnnbench import cli; from rnnbench.runner import discovery\n"
        "discovery.packaged_folder = lambda: None\n"
        "try: cli.main()\n"
        "finally: print(*HEAVY & set(sys.modules), file=sys.stderr)"
    ).replace("HEAVY", "{'numpy', 'pandas', 'matplotlib', 'numba', 'rich', 'jinja2'}")
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split()],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(tmp_path, workers):
    slow = TOY.replace(
        '    match setting["mode"]:',
        "    import pathlib, time\n"
        '    while setting["rho"] > 1 and pathlib.Path("wait").exists():\n'
        "        time.sleep(0.01)\n"
        '    match setting["mode"]:',
    )
    write_toy(tmp_path / "toys", source=slow)
    (tmp_path / "wait").write_text("")
    command = [
        sys.executable,
        "-m",
        "rnnbench",
        "run",
        "toy",
        *TOYS,
        "--preset",
        "quick",
        "--workers",
        workers,
    ]
    run = subprocess.Popen(
        command,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    local = tmp_path / "results" / "local" / "toy"
    while len(list(local.glob("*.json"))) < 2:
        assert run.poll() is None
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in err and "the same command goes on" in err
    assert not [path for path in (tmp_path / "results").rglob(".*") if path.is_file()]

    (tmp_path / "wait").unlink()
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "4 trials: 2 ok; 2 had a result already\n"
