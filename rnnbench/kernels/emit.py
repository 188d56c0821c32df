"""Kernels of integers, compiled without Numba's inference of types.

Numba types, lowers, optimises and assembles every function that a kernel calls on its own, 30 ms and more each, to find
out what is known here: every number is an int64. So a kernel is emitted as it reads, by
:mod:`rnnbench.kernels.translate`, into one function that Numba compiles and keeps in its cache.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType

from numba.core import types
from numba.core.extending import intrinsic

from rnnbench.kernels.build import Build, compile_pointer, function_hash
from rnnbench.kernels.translate import INT, Kernel

_kernels: dict[str, FunctionType] = {}


@cache
def compile_task(function: FunctionType, dtype: types.Float):
    """Compile a kernel ``(build, task)`` of a task's address, to be called by its ``address``."""
    return compile_pointer(_of_task, types.void(_build(function, dtype), INT), emitted=True)


@cache
def compile_numbers(function: FunctionType, dtype: types.Float):
    """Compile a kernel of a build and five numbers that returns a number."""
    return compile_pointer(_of_numbers, INT(_build(function, dtype), *[INT] * 5), emitted=True)


def _build(function, dtype):
    body = f"{function.__module__}.{function.__qualname__}:{function_hash(function)}"
    _kernels[body] = function
    return Build(dtype, body)


def _of_task(build, task):
    _emit_task(build, task)


def _of_numbers(build, a, b, c, d, e):
    return _emit_numbers(build, a, b, c, d, e)


@intrinsic
def _emit_task(context, build, task):
    return types.void(build, INT), _codegen


@intrinsic
def _emit_numbers(context, build, a, b, c, d, e):
    return INT(build, *[INT] * 5), _codegen


def _codegen(context, builder, sig, args):
    function = Kernel(context, builder.module).function(_kernels[sig.args[0].body], sig.args)
    value = builder.call(function, args)
    return context.get_dummy_value() if sig.return_type == types.void else value
