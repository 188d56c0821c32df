"""What this machine's processor offers the kernels."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm
from numba.core import config, types


@cache
def features() -> frozenset[str]:
    """Return the instruction sets compiled code may use, as Numba sees them (``NUMBA_CPU_FEATURES`` counts)."""
    if config.CPU_FEATURES is not None:
        listed = config.CPU_FEATURES.split(",")
    elif config.CPU_NAME == "generic":
        listed = []
    else:
        listed = llvm.get_host_cpu_features().flatten().split(",")
    return frozenset(f[1:] for f in listed if f.startswith("+"))


@cache
def vector_bits() -> int:
    """Return the width of a vector register in bits: 512, 256 or 128."""
    if "avx512f" in features():
        return 512
    return 256 if "avx" in features() else 128


def lanes(dtype: types.Float) -> int:
    """Return how many numbers of `dtype` a vector holds."""
    return vector_bits() // dtype.bitwidth


@cache
def registers() -> int:
    """Return the number of vector registers."""
    return 32 if vector_bits() == 512 else 16
