"""The roof: how many multiply-adds a second this processor does when everything stays in registers.

Enough independent sums to hide the latency of the instruction, nothing loaded, nothing stored; every thread runs the
same loop. What a matrix product reaches of it is the fraction that the report shows.
"""

from __future__ import annotations

import time

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic

from rnnbench.kernels import host, threads
from rnnbench.kernels.build import compile_pointer, token
from rnnbench.kernels.crew import look
from rnnbench.kernels.raw import put_number
from rnnbench.ops.primitives import call_llvm


def _sums() -> int:
    """Independent sums: most of the registers, a few are left for the factors."""
    return 24 if host.registers() == 32 else 12


@intrinsic
def _multiply_add(context, loops):
    """Add up `loops` multiply-adds in each of the sums, and return their total, rounded down."""

    def codegen(context, b, sig, args):
        lanes = host.lanes(types.float32)
        vector = ir.VectorType(ir.FloatType(), lanes)
        number = lambda value: ir.Constant(vector, [value] * lanes)  # noqa: E731
        (count,) = args
        before, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
        b.branch(loop)
        b.position_at_end(loop)
        k = b.phi(count.type)
        sums = [b.phi(vector) for _ in range(_sums())]
        # They tend to 1: neither overflow nor denormal numbers, which would be slower.
        totals = [call_llvm(b, "llvm.fmuladd", vector, s, number(0.5), number(0.5)) for s in sums]
        following = b.add(k, ir.Constant(count.type, 1))
        b.cbranch(b.icmp_signed("<", following, count), loop, after)
        k.add_incoming(ir.Constant(count.type, 0), before)
        k.add_incoming(following, loop)
        for i, (s, total) in enumerate(zip(sums, totals, strict=True)):
            s.add_incoming(number(1.0 + i), before)  # all different, or they would be merged into one
            s.add_incoming(total, loop)
        b.position_at_end(after)
        result = totals[0]
        for total in totals[1:]:
            result = b.fadd(result, total)
        return b.fptosi(b.extract_element(result, ir.Constant(ir.IntType(32), 0)), count.type)

    return types.int64(types.int64), codegen


def _spin(build, task):
    put_number(task + 8, _multiply_add(look(task)))  # a result that nobody takes would not be worked out


def flops_per_loop() -> int:
    """Operations of one turn of the loop on one thread."""
    return 2 * _sums() * host.lanes(types.float32)


def spin(count: int, loops: int) -> None:
    """Run the loop on so many threads at once."""
    function = compile_pointer(_spin, types.void(token(types.float32).type, types.int64)).address
    if threads.get_num_threads() != count:
        threads.set_num_threads(count)
    threads.run(function, np.array([(loops, 0)] * count, np.int64))


def measure(count: int, loops: int = 2_000_000) -> float:
    """Operations a second on so many threads, of one run after another to warm up."""
    spin(count, loops)
    start = time.perf_counter()
    spin(count, loops)
    return count * loops * flops_per_loop() / (time.perf_counter() - start)
