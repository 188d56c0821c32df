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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tyo", *TOYS], "EXPERIMENT got 'tyo', did you mean 'toy'?"),
        (["run", "toy", *TOYS, "--preset", "quik"], "--preset got 'quik', did you mean 'quick'?"),
        (["run", "toy", *TOYS, "--preset", "zzz"], "--preset got 'zzz', expected one of smoke, quick, search, paper"),
        (["run", "toy", *TOYS, "--set", "rho"], "--set got 'rho', expected name=value or name=value1,value2"),
        (["run", "toy", *TOYS, "--set", "roh=1"], "--set got the unknown setting 'roh', did you mean 'rho'?"),
        (["run", "toy", *TOYS, "--set", "replica=x"], "--set replica: got 'x', expected an int"),
        (["run", "toy", *TOYS, "--set", "cell=toycel"], "--set cell: got 'toycel', did you mean 'toycell'?"),
        (["run", "toy", *TOYS, "--workers", "0"], "--workers got '0', expected an integer of at least 1"),
        (["run", "toy", *TOYS, "--workers", "-2"], "--workers got '-2', expected an integer of at least 1"),
        (["run", "toy", *TOYS, "--seed", "x"], "--seed got 'x', expected an integer of at least 0"),
        (["run", "toy", *TOYS, "--seed", "-1"], "--seed got '-1', expected an integer of at least 0"),
        (
            ["run", "toy", *TOYS, "--device", "cuda"],
            "--device got 'cuda', which toy can't use; expected cpu",
        ),
        (["run", "toy", *TOYS, "--device", "gpu"], "--device got 'gpu', expected cpu or cuda"),
        (
            ["run", "toy", *TOYS, "--results", "toys/toy.py"],
            "--results got 'toys/toy.py', expected a folder that can be ",
        ),
        (
            ["run", "toy", "--experiments", "none"],
            "--experiments got 'none', expected an existing folder of experiment",
        ),
        (["run", "toy", *TOYS, "--cells", "none.py"], "--cells got 'none.py', expected a file"),
        (["run", "toy", *TOYS, "--nonsense"], "No such option: --nonsense"),
        (["run"], "Missing argument 'EXPERIMENT...|all'. (see rnnbench --help)"),
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
    assert bench("run", "toy", *TOYS)[:2] == (0, "nothing to run: the preset 'smoke' is empty here\n")


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
