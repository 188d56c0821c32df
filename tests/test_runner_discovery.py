"""Finding experiments, and refusing what is none."""

import subprocess
import sys

import pytest
from toy_experiments import TOY, write_toy

from rnnbench.runner import discovery, listing, provenance
from rnnbench.runner.discovery import choose, find_experiments
from rnnbench.runner.errors import UserError
from rnnbench.runner.listing import columns, devices, experiments, tasks


@pytest.fixture(autouse=True)
def no_packaged_ones(monkeypatch):
    monkeypatch.setattr(discovery, "packaged_folder", lambda: None)


def test_the_package_has_experiments():
    folder = discovery.CHECKOUT / "experiments"
    found = find_experiments(folder)
    assert found and all(experiment.title for experiment in found.values())


def test_a_file_is_an_experiment_and_its_title_is_read_without_importing_it(tmp_path):
    write_toy(tmp_path, "bomb", '"""Boom?\n\nMore."""\nraise RuntimeError("imported")\n')
    write_toy(tmp_path, "_private", TOY)
    write_toy(tmp_path, ".hidden", TOY)
    (tmp_path / ".#toy.py").symlink_to("somebody@somewhere.1")  # an editor's lock
    found = find_experiments(write_toy(tmp_path))
    assert list(found) == ["bomb", "toy"]
    assert found["bomb"].title == "Boom?"
    assert experiments(found)[1] == {
        "name": "toy",
        "question": "How fast does a toy decay?",
        "from": str(tmp_path),
    }


@pytest.mark.parametrize("source", ["", "x = (", "\x00", "1"])
def test_a_file_without_a_title_still_lists(tmp_path, source):
    assert find_experiments(write_toy(tmp_path, source=source))["toy"].title == ""


def test_a_users_file_wins(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "packaged_folder", lambda: write_toy(tmp_path / "packaged"))
    assert find_experiments()["toy"].packaged
    assert not find_experiments(write_toy(tmp_path / "mine"))["toy"].packaged


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = (", "can't be imported: SyntaxError"),
        ("import nothing_of_this_name", "can't be imported: ModuleNotFoundError"),
        (r"raise ValueError('no\nyes')", "can't be imported: ValueError: no"),
        (
            "def sweep(): pass\nrun = claims = figures = 1",
            r"lacks run\(\), claims\(\), figures\(\), tables\(\)",
        ),
        (TOY.replace("return [{", "return [{1: 2} for _ in '1'] + [{"), "the setting's name 1"),
        (TOY.replace("return [{", "return 1 + [{"), r"sweep\('smoke', 'cpu'\) raised TypeError"),
        (TOY.replace("return [{", "return 1 or [{"), "raised TypeError"),
        (TOY.replace("    return [{", "    raise SystemExit(3)\n    return [{", 1), "raised SystemExit: 3"),
        (TOY + "\nDEVICES = ('cuda')", "DEVICES is 'cuda', expected a tuple of cpu, cuda"),
        (TOY + "\nDEVICES = 'gpu',", r"DEVICES is \('gpu',\), expected"),
        (TOY + "\nDEVICES = None", "DEVICES is None, expected"),
    ],
)
def test_what_is_no_experiment_is_told_in_one_sentence(tmp_path, source, message):
    with pytest.raises(UserError, match=message) as caught:
        find_experiments(write_toy(tmp_path, source=source))["toy"].sweep("smoke", "cpu")
    assert "\n" not in str(caught.value)


def test_a_file_that_failed_is_not_left_among_the_modules(tmp_path):
    with pytest.raises(UserError):
        find_experiments(write_toy(tmp_path, "broken", "1 / 0"))["broken"].load()
    assert not [name for name in sys.modules if name.endswith("experiments.broken")]


def test_choose(tmp_path):
    write_toy(tmp_path, "other")
    found = find_experiments(write_toy(tmp_path))
    assert [e.name for e in choose(found, ["toy", "toy"])] == ["toy"]
    assert [e.name for e in choose(found, ["all"])] == ["other", "toy"]
    with pytest.raises(UserError, match="did you mean 'toy'"):
        choose(found, ["tyo"])
    with pytest.raises(UserError, match="expected one of"):
        choose(found, ["something"])


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UserError, match="--experiments got"):
        find_experiments(tmp_path / "none")


def test_tasks_are_listed_where_there_are_any(tmp_path):
    assert tasks(tmp_path / "none") == []
    write_toy(tmp_path, "adding", '"""The adding problem.\n\nMore."""\n')
    write_toy(tmp_path, "__init__", "")
    assert tasks(tmp_path) == [{"name": "adding", "title": "The adding problem."}]


@pytest.mark.parametrize(
    ("package", "gpu", "model"),
    [
        (True, {"gpu": "NVIDIA H200", "driver": "580.1"}, "NVIDIA H200"),
        (True, {}, "no NVIDIA GPU answers nvidia-smi"),
        (False, {"gpu": "NVIDIA H200", "driver": "580.1"}, "numba-cuda is not installed: pip install 'rnnbench[cuda]'"),
    ],
)
def test_devices_are_listed(monkeypatch, package, gpu, model):
    monkeypatch.setattr(listing, "has_module", lambda name: package)
    monkeypatch.setattr(provenance, "gpu", lambda: gpu)
    cpu, cuda = devices()
    assert cpu["name"] == "cpu" and cpu["available"] and cpu["simd_float32"] in (4, 8, 16)
    assert cuda["name"] == "cuda" and cuda["model"] == model and cuda["available"] == (package and bool(gpu))


def test_an_experiment_runs_on_the_processor_unless_it_says_otherwise(tmp_path):
    write_toy(tmp_path, "on_gpu", TOY.replace("def sweep", 'DEVICES = ("cuda",)\n\n\ndef sweep', 1))
    found = find_experiments(write_toy(tmp_path))
    assert (found["toy"].devices, found["on_gpu"].devices) == (("cpu",), ("cuda",))
    assert found["toy"].sweep("smoke", "cuda") == found["on_gpu"].sweep("smoke", "cpu") == []
    assert found["toy"].sweep("smoke", "cpu") == found["on_gpu"].sweep("smoke", "cuda") != []


def test_columns_are_aligned():
    rows = [{"name": "a", "n": 5, "on": True, "l": [1, 2]}, {"name": "bcd", "n": 12.5, "on": None, "l": []}]
    assert columns(rows) == "name     n  on   l\na        5  yes  1, 2\nbcd   12.5  -    -"


def test_experiments_import_what_they_draw_and_compute_with_when_they_need_it():
    """`status` and `list` import every experiment's file to ask for its sweep."""
    code = (
        "import sys\nfrom rnnbench.runner.discovery import find_experiments\n"
        "found = find_experiments().values()\nassert len(found) > 30\nfor one in found: one.load()\n"
        "print(*({'pandas', 'matplotlib', 'numba', 'scipy'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
