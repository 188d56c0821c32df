"""What a warp's product on tensor cores does, after the manual: the text of the instructions is run, thread by thread.

Source: NVIDIA, Parallel Thread Execution ISA 9.2, 2026, sections "Matrix Fragments for mma.m16n8k8" and "cvt".
"""

import re

import numpy as np

THREADS = range(32)


def a_place(i, thread, packed):
    """Row and column (inner index) of a thread's i-th number of A, 16 x 8."""
    group, spot = divmod(thread, 4)
    if packed:  # two numbers of 16 bits per register, the lower half first
        return group + 8 * (i >= 2), spot * 2 + i % 2
    return group + 8 * (i in (1, 3)), spot + 4 * (i >= 2)


def b_place(i, thread, packed):
    """Row (inner index) and column of a thread's i-th number of B, 8 x 8."""
    group, spot = divmod(thread, 4)
    return (spot * 2 + i if packed else spot + 4 * i), group


def c_place(i, thread):
    """Row and column of a thread's i-th number of C and D, 16 x 8."""
    group, spot = divmod(thread, 4)
    return group + 8 * (i >= 2), spot * 2 + i % 2


def to_tf32(x):
    """Ten bits of mantissa are kept, ties away from 0."""
    bits = np.float32(x).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


def to_bf16(x):
    """Seven bits of mantissa are kept, ties to even."""
    bits = np.float32(x).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return ((bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)).view(np.float32)


def to_fp16(x):
    """IEEE half precision."""
    return np.float32(np.float16(x))


ROUND = {"tf32": to_tf32, "bf16": to_bf16, "fp16": to_fp16}
CVT = {"rna.tf32.f32": to_tf32, "rn.bf16x2.f32": to_bf16, "rn.f16x2.f32": to_fp16}
KINDS = {"rna.tf32.f32": "tf32", "rn.bf16x2.f32": "bf16", "rn.f16x2.f32": "f16"}


def run(text, given):
    """Run the conversions of one thread: what it hands to mma as (kind, a, b, c); a register is a tuple, low first."""
    registers = {f"${4 + i}": (value,) for i, value in enumerate(given)}
    made = {}
    for line in text.splitlines():
        if found := re.fullmatch(r"cvt\.(\S+) (\w+), (.*);", line):
            how, into, sources = found.groups()
            values = [CVT[how](registers[name][0]) for name in sources.split(", ")]
            registers[into], made[into] = tuple(values[::-1]), KINDS[how]  # the first one is the upper half
        elif line.startswith("mma"):
            name, operands = line.split(" ", 1)
            kind = re.fullmatch(r"mma\.sync\.aligned\.m16n8k8\.row\.col\.f32\.(\w+)\.\1\.f32", name).group(1)
            d, *rest = [part.split(", ") for part in re.findall(r"\{(.*?)\}", operands)]
            assert d == ["$0", "$1", "$2", "$3"]
            a, b, c = ([value for register in part for value in registers[register]] for part in rest)
            assert {made[name] for part in rest[:2] for name in part} == {kind}
            return kind, a, b, c
        else:
            assert line in "{}" or line.startswith(".reg .b32 "), line
    raise AssertionError("no mma")


def multiply_add(precision, given):
    """D = A B + C for the ten numbers of each of 32 threads: four numbers for each."""
    from rnnbench.kernels.cuda_tensor import PTX

    a, b, c = np.full((16, 8), np.nan), np.full((8, 8), np.nan), np.full((16, 8), np.nan)
    for thread, numbers in enumerate(given):
        kind, of_a, of_b, of_c = run(PTX[precision], numbers)
        packed = kind != "tf32"
        assert (len(of_a), len(of_b), len(of_c)) == (4, 2, 4)
        for i, value in enumerate(of_a):
            a[a_place(i, thread, packed)] = value
        for i, value in enumerate(of_b):
            b[b_place(i, thread, packed)] = value
        for i, value in enumerate(of_c):
            c[c_place(i, thread)] = value
    d = (a @ b + c).astype(np.float32)
    return [tuple(d[c_place(i, thread)] for i in range(4)) for thread in THREADS]
