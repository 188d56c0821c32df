"""Where a number comes from: commit, versions, processor. No numerics are imported to find out."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("rnnbench", "numpy", "numba", "llvmlite", "scipy", "pandas", "numba-cuda", "torch")
HERE = Path(__file__).resolve()


@functools.cache
def provenance() -> dict[str, object]:
    """What this process is, as flat JSON; found out once per process.

    Returns
    -------
    dict
        commit (None outside a checkout), dirty, python, one version per installed package, system, cpu,
        threads and simd_float32 (float32 numbers per SIMD register); where there is an NVIDIA GPU, gpu and driver.
    """
    commit, dirty = git_state()
    return {
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        **{name: version for name in PACKAGES if (version := package_version(name))},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "threads": threads(),
        "simd_float32": simd_lanes(),
        **gpu(),
    }


def git_state() -> tuple[str | None, bool | None]:
    """(commit, dirty) of the checkout that this code runs from, or (None, None).

    Results and reports don't make a checkout dirty: writing them is what a run does.
    """
    # An installed copy may lie in some other project's repository: only a tracked file speaks for its commit.
    if _git("ls-files", "--error-unmatch", HERE.name) is None:
        return None, None
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", ":/", ":(exclude,top)results", ":(exclude,top)reports")
    return (commit.strip(), bool(changed and changed.strip())) if commit else (None, None)


def _git(*arguments: str) -> str | None:
    """What git prints, or None where there is no git, no repository or no answer."""
    try:
        done = subprocess.run(
            ["git", "-C", str(HERE.parent), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def package_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@functools.cache
def gpu() -> dict[str, str]:
    """Name and driver of the NVIDIA GPU that programs see first, as gpu and driver; empty where there is none."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or "0"
    command = ["nvidia-smi", f"--id={first}", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    parts = [part.strip() for part in done.stdout.partition("\n")[0].split(",")]
    return dict(zip(("gpu", "driver"), parts, strict=True)) if done.returncode == 0 and len(parts) == 2 else {}


@functools.cache
def cpu_info() -> dict[str, str]:
    """The first processor of /proc/cpuinfo as a dict, empty where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def cpu_model() -> str:
    """The processor's name."""
    return cpu_info().get("model name") or platform.processor() or platform.machine()


def simd_lanes() -> int:
    """float32 numbers per SIMD register: 16 (AVX-512), 8 (AVX, AVX2) or 4 (SSE, NEON)."""
    flags = set(cpu_info().get("flags", "").split())
    if "avx512f" in flags:
        return 16
    return 8 if flags & {"avx", "avx2"} else 4


def threads() -> int:
    """The threads that a layer may use: the environment's limit, else this process's processors."""
    limits = (os.environ.get(name, "") for name in ("RNNBENCH_NUM_THREADS", "OMP_NUM_THREADS"))
    limit = next((int(text) for text in limits if text.isdecimal() and int(text) > 0), None)
    return limit or len(os.sched_getaffinity(0))
