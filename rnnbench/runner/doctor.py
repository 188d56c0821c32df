"""What this machine has, and what it lacks with the extra that brings it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rnnbench.runner import provenance
from rnnbench.runner.listing import has_module

OPTIONAL = {  # module: the extra that installs it
    "numba_cuda": "cuda",
    "distributed": "cluster",
    "torch": "peers",
    "onnxruntime": "peers",
    "jax": "peers",
    "pyarrow": "parquet",
}


def examine(results: Path) -> list[tuple[str, str]]:
    """(what, how it is) for each thing that matters.

    Parameters
    ----------
    results : Path
        The results folder whose use is checked.
    """
    facts = provenance.provenance()
    found = [("Python", str(facts["python"])), ("system", str(facts["system"]))]
    found += [(name, str(facts.get(name, "not installed"))) for name in provenance.PACKAGES if name != "numba-cuda"]
    found += [
        ("processor", str(facts["cpu"])),
        ("SIMD", f"{facts['simd_float32']} float32 numbers per register"),
        ("threads", str(facts["threads"])),
        ("BLAS", _blas()),
        ("checkout", _checkout(facts)),
        ("kernel cache", _writable(_cache_folder())),
        ("results", _writable(results)),
    ]
    for module, extra in OPTIONAL.items():
        missing = f"not installed: pip install 'rnnbench[{extra}]'"
        found.append((module.replace("_", "-"), "installed" if has_module(module) else missing))
    return found


def _blas() -> str:
    """The BLAS libraries that NumPy and SciPy load."""
    import scipy.linalg  # noqa: F401  (so that its BLAS is loaded and seen)
    import threadpoolctl

    libraries = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    words = {f"{info['internal_api']} {info['version']}, {info['num_threads']} threads" for info in libraries}
    return "; ".join(sorted(words)) or "none found"


def _checkout(facts: dict) -> str:
    if facts["commit"] is None:
        return "rnnbench does not run from a git checkout: results will name no commit"
    changes = "with uncommitted changes, which results will say" if facts["dirty"] else "clean"
    return f"{facts['commit'][:12]}, {changes}"


def _cache_folder() -> Path:
    """Where Numba keeps compiled kernels: the environment's choice, else beside the code."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[1]


def _writable(folder: Path) -> str:
    """Whether a file can be made in the folder, or in the nearest one above it that exists."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=existing):
            return f"{folder}, writable"
    except OSError as error:
        return f"{folder}, not writable ({error.strerror})"
