"""Where numbers come from."""

import subprocess

import pytest

from rnnbench.kernels import threads as kernels
from rnnbench.runner import doctor, provenance


@pytest.mark.parametrize(
    ("flags", "lanes"), [("sse4_2 avx avx2 avx512f", 16), ("avx avx2", 8), ("avx", 8), ("sse2", 4), ("", 4)]
)
def test_simd_width_follows_the_flags(monkeypatch, flags, lanes):
    monkeypatch.setattr(provenance, "cpu_info", lambda: {"flags": flags})
    assert provenance.simd_lanes() == lanes


@pytest.mark.parametrize(
    ("own", "omp", "expected"), [("3", "2", 3), ("", "2", 2), ("x", "0", 5), ("", "", 5), ("-1", "", 5), ("²", "2", 2)]
)
def test_threads_are_those_of_a_layer(monkeypatch, own, omp, expected):
    monkeypatch.setattr(kernels, "_threads", None)
    monkeypatch.setenv("RNNBENCH_NUM_THREADS", own)
    monkeypatch.setenv("OMP_NUM_THREADS", omp)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "7")
    monkeypatch.setattr(provenance.os, "sched_getaffinity", lambda _: set(range(5)))
    assert provenance.threads() == kernels.get_num_threads() == expected


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("NVIDIA H200, 580.82.07\n", 0, {"gpu": "NVIDIA H200", "driver": "580.82.07"}),
        ("No devices were found\n", 6, {}),
        ("", 0, {}),
    ],
)
def test_the_gpu_is_what_nvidia_smi_says(monkeypatch, tmp_path, said, code, expected):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\necho \"$1\" > '{tmp_path}/asked'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert provenance.gpu.__wrapped__() == expected
    assert (tmp_path / "asked").read_text() == "--id=3\n"


def test_without_nvidia_smi_there_is_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.gpu.__wrapped__() == {}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a tracked file in place of the module."""

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    package = tmp_path / "rnnbench"
    package.mkdir()
    (package / "code.py").write_text("1")
    monkeypatch.setattr(provenance, "HERE", package / "code.py")
    git("init")
    yield tmp_path, git


def test_the_commit_is_that_of_a_tracked_file_only(checkout):
    root, git = checkout
    assert provenance.git_state() == (None, None)
    (root / "README").write_text("")
    git("add", "README")
    git("commit", "-m", "another project")
    assert provenance.git_state() == (None, None)
    git("add", "rnnbench")
    git("commit", "-m", "ours")
    commit, dirty = provenance.git_state()
    assert len(commit) == 40 and dirty is False


def test_results_and_reports_make_no_checkout_dirty(checkout):
    root, git = checkout
    git("add", ".")
    git("commit", "-m", "ours")
    for folder in ("results", "reports"):
        (root / folder).mkdir()
        (root / folder / "new").write_text("")
    assert provenance.git_state()[1] is False
    (root / "rnnbench" / "new.py").write_text("")
    assert provenance.git_state()[1] is True
    (root / "rnnbench" / "new.py").unlink()
    (root / "rnnbench" / "code.py").write_text("2")
    assert provenance.git_state()[1] is True


def test_no_git_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state() == (None, None)


def test_the_facts_are_flat_json():
    facts = provenance.provenance()
    assert all(isinstance(value, str | int | bool | None) for value in facts.values())
    assert facts["numpy"] == provenance.package_version("numpy")
    assert provenance.package_version("no-such-package") is None


def test_the_doctor_says_what_is_missing_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "has_module", lambda name: name == "torch")
    facts = dict(doctor.examine(tmp_path / "results"))
    assert facts["torch"] == "installed"
    assert "rnnbench[cluster]" in facts["distributed"] and "rnnbench[cuda]" in facts["numba-cuda"]
    assert facts["results"].endswith(", writable")
    assert "threads" in facts["BLAS"]


@pytest.mark.parametrize(
    ("commit", "dirty", "words"),
    [(None, None, "no commit"), ("a" * 40, True, "uncommitted"), ("a" * 40, False, "clean")],
)
def test_the_doctor_knows_a_dirty_checkout(monkeypatch, tmp_path, commit, dirty, words):
    monkeypatch.setattr(provenance, "provenance", lambda: {**REAL, "commit": commit, "dirty": dirty})
    assert words in dict(doctor.examine(tmp_path))["checkout"]


REAL = provenance.provenance()


def test_the_doctor_knows_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    facts = dict(doctor.examine(tmp_path))
    assert facts["kernel cache"] == f"{tmp_path}, not writable (Permission denied)"
