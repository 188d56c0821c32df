"""The command line where something around it is missing: an output, a letter, a folder, room on the disk."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_experiments import TOY, call, write_toy

import rnnbench
from rnnbench import cli
from rnnbench.runner import discovery, doctor

TOYS = ("--experiments", "toys")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(rnnbench.__file__).parents[1])}


@pytest.fixture
def bench(monkeypatch, capsys, tmp_path):
    """The command in an empty folder with a toy, without the packaged experiments."""
    monkeypatch.setattr(discovery, "packaged_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    write_toy(tmp_path / "toys")
    return lambda *arguments: call(monkeypatch, capsys, *arguments)


def closed(descriptor, *arguments):
    """The command as a shell starts it with `N>&-`."""
    command = [sys.executable, "-m", "rnnbench", *arguments]
    return subprocess.run(["sh", "-c", f'"$@" {descriptor}>&-', "sh", *command], env=ENVIRONMENT, capture_output=True)


def test_output_or_errors_may_be_closed(tmp_path):
    assert closed(1, "list", "devices").stderr == b""
    folder = write_toy(tmp_path / "toys")
    done = closed(2, "run", "toy", "--experiments", str(folder), "--results", str(tmp_path / "results"))
    assert done.stdout == b"2 trials: 2 ok; 0 had a result already\n"


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["list devices", "list cells --json", "--help"])
def test_an_output_that_cannot_be_written_is_one_sentence_and_a_closed_pipe_none(arguments, buffered):
    command = [sys.executable, "-m", "rnnbench", *arguments.split()]
    environment = ENVIRONMENT | {"PYTHONUNBUFFERED": buffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"rnnbench: the output can't be written: No space left on device\n"

    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe:
        done = subprocess.run(command, env=environment, stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"")


def test_an_error_of_something_else_than_the_output_is_raised(bench, monkeypatch):
    def broken(_):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(doctor, "examine", broken)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        bench("doctor")


def test_an_interrupt_is_told_in_one_sentence(bench, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", interrupt)
    assert bench("doctor") == (130, "", "rnnbench: interrupted; the stored results are whole\n")
    code, _, err = bench("run", "toy", *TOYS, "--set", "mode=interrupt")
    assert code == 130 and err.count("interrupted") == 1
    assert err.endswith("what had ended is stored, and the same command goes on from there\n")


def test_an_interrupt_before_a_command_has_begun_is_no_traceback(bench, monkeypatch):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupt)
    assert bench("doctor") == (130, "", "rnnbench: interrupted\n")


def test_letters_that_the_terminal_lacks_are_spelt_out():
    command = [sys.executable, "-m", "rnnbench", "show", "lstm"]
    done = subprocess.run(command, env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert b"\\u03c3(W_i x_t" in done.stdout and done.stderr == b""


def test_names_that_are_no_utf8_are_told_on_the_page(bench, tmp_path):
    folder = tmp_path / os.fsdecode(b"b\xff")
    assert bench("run", "toy", *TOYS, "--results", folder / "results")[0] == 0
    (folder / "results" / "toy.json").write_text("{")
    code, _, err = bench("report", *TOYS, "--results", folder / "results")
    assert code == 1 and "b\\udcff/results/toy.json: it is no valid JSON" in err
    assert "b\\udcff/results/toy.json" in (folder / "reports" / "index.html").read_text()


def test_a_folder_that_has_gone_is_one_sentence(bench, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, out, err = bench("status", "--experiments", tmp_path / "toys")
    assert (code, out) == (2, "") and err.startswith("rnnbench: the current folder has been removed")


def test_a_full_disk_is_one_sentence_and_keeps_what_had_ended(bench, tmp_path, monkeypatch):
    local, replace = tmp_path / "results" / "local" / "toy", os.replace

    def full(source, target):
        if list(local.glob("*.json")):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    code, _, err = bench("run", "toy", *TOYS)
    last = err.splitlines()[-1]
    assert code == 2 and "expected a folder that can be written to (No space left on device)" in last
    assert "Traceback" not in err
    monkeypatch.undo()
    assert len(list(local.iterdir())) == 2  # the first trial, and .unfinished


def test_nothing_to_verify_or_report_is_told(bench):
    for command in ("verify", "report"):
        code, _, err = bench(command, *TOYS, "--results", "reslts")
        assert code == 0 and err.startswith("rnnbench: there are no results in ") and err.endswith("reslts\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "all", "tyo", *TOYS], "EXPERIMENT got 'tyo', did you mean 'toy'?"),
        (["plan", "toy", *TOYS, "--only", ""], "--only got '', expected the names of cells"),
        (["show", "skip", "--set", "delay=2", "--set", "delay=3"], "--set got 'delay' twice, expected it once"),
        (["list", "--cells", "a/mine.py", "--cells", "b/mine.py"], "--cells got two files of the name 'mine.py'"),
        (["list", "--cells", "a/mine.py"], "--cells got 'a/mine.py': cells file a/mine.py: SystemExit: 3"),
        (["list", "--cells", "b/mine.py"], "--cells got 'b/mine.py': cells file b/mine.py: build() gave a int, "),
        (["plan", "leaving", *TOYS], "experiment 'leaving' ("),
    ],
)
def test_a_mistake_is_one_sentence(bench, tmp_path, arguments, message):
    for folder, source in (("a", "raise SystemExit(3)"), ("b", "def build(): return 3")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(source)
    write_toy(tmp_path / "toys", "leaving", "raise SystemExit(3)")
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "") and err.startswith(f"rnnbench: {message}") and err.count("\n") == 1


def test_commit_drops_nothing_that_it_cannot_read(bench, tmp_path):
    assert bench("run", "toy", *TOYS, "--preset", "quick", "--commit")[0] == 0
    table = tmp_path / "results" / "toy.json"
    table.write_text(halved := table.read_text().replace('"seconds"', '"minutes"', 1))
    code, _, err = bench("run", "toy", *TOYS, "--commit")
    assert code == 2 and "--commit would drop what can't be read" in err and table.read_text() == halved


def test_a_failed_trial_takes_no_committed_results_place(bench, tmp_path, monkeypatch):
    assert bench("run", "toy", *TOYS, "--commit")[0] == 0
    table = tmp_path / "results" / "toy.json"
    before = table.read_text()
    write_toy(tmp_path / "toys", source=TOY.replace("noise = ", "raise ValueError('bad')\n    noise = "))
    monkeypatch.delitem(sys.modules, "rnnbench_user_experiments.toy")  # each command is a process of its own
    assert bench("run", "toy", *TOYS, "--again", "--commit")[0] == 1
    assert table.read_text() == before
