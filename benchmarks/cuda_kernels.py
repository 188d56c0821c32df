"""What the CUDA kernels of every cell take: ``python -m benchmarks.cuda_kernels [CELL...]``; needs no GPU.

Registers per thread, bytes of static shared memory per block and bytes spilled, as the assembler counts them for sm_90.
Persistent kernels also take what their plan says, of dynamic shared memory.
"""

from __future__ import annotations

import sys

from rnnbench import cells
from rnnbench.kernels import cuda_build, cuda_inspect, cuda_walk
from rnnbench.layout import Layout

CAPABILITY = 9, 0


def taken(layout, kernel, dtype):
    """Resources of one kernel."""
    geometry = cuda_walk.PERSISTENT if kernel.startswith("persistent") else cuda_walk.GEOMETRY
    built = cuda_build.build(layout, kernel, dtype, geometry)
    (text,) = cuda_inspect.ptx(built.function, cuda_build.signature(built.arguments, dtype), CAPABILITY)
    return cuda_inspect.resources(text, CAPABILITY)


def main(names):
    """Print one line per cell and precision."""
    print(f"{'cell':24}{'':9}" + "".join(f"{kernel:>22}" for kernel in cuda_build.WRITERS))
    print(f"{'':33}" + f"{'regs shared spills':>22}" * len(cuda_build.WRITERS))
    for name in names or cells.names():
        layout = Layout(cells.get(name), 3, 4)
        for dtype in ("float32", "float64"):
            found = [taken(layout, kernel, dtype) for kernel in cuda_build.WRITERS]
            cells_of_row = "".join(f"{f'{r.registers} {r.shared} {r.spills}':>22}" for r in found)
            print(f"{name:24}{dtype:9}{cells_of_row}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
