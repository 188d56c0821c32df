"""What the CUDA kernels of every cell take: ``python -m benchmarks.cuda_kernels [CELL...]``; needs no GPU.

Registers per thread, bytes of shared memory per block and bytes spilled, as the assembler counts them for sm_90.
"""

from __future__ import annotations

import sys

from rnnbench import cells
from rnnbench.kernels import cuda_build, cuda_inspect, cuda_walk
from rnnbench.layout import Layout

CAPABILITY = 9, 0


def taken(layout, direction, dtype):
    """Resources of one kernel."""
    built = cuda_build.build(layout, direction, dtype, cuda_walk.GEOMETRY)
    (text,) = cuda_inspect.ptx(built.function, cuda_build.signature(built.arguments, dtype), CAPABILITY)
    return cuda_inspect.resources(text, CAPABILITY)


def main(names):
    """Print one line per cell."""
    columns = [(d, t) for t in ("float32", "float64") for d in ("forward", "backward")]
    print(f"{'cell':24}" + "".join(f"{d + ' ' + t:>22}" for d, t in columns))
    print(f"{'':24}" + f"{'regs shared spills':>22}" * len(columns))
    for name in names or cells.names():
        layout = Layout(cells.get(name), 3, 4)
        found = [taken(layout, d, t) for d, t in columns]
        print(f"{name:24}" + "".join(f"{f'{r.registers} {r.shared} {r.spills}':>22}" for r in found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
