"""A cell's pure functions, run over rows and units as SIMD vectors.

One compiled function per stage and direction. It takes a table with one line per operand, ``(address, bytes between
rows, bytes between vectors)``, and applies the function to each vector of each row.

Forward: gates, reads, parameters in; makes and (when training) saved values out.
Backward: dmakes, reads, makes, saved, parameters in; da and dp out; dreads are added to what is there.
"""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.compiler import Flags
from numba.core.errors import NumbaError
from numba.core.extending import intrinsic, register_jitable

import rnnbench.ops.jit  # noqa: F401  gives the named functions their compiled meaning
from rnnbench import ops
from rnnbench.contract import Stage, probe
from rnnbench.kernels import host
from rnnbench.kernels.build import Build, compile_pointer, function_hash, reachable
from rnnbench.ops.vector import Vec

I64 = ir.IntType(64)
FORWARD, INFER, BACKWARD = "forward", "infer", "backward"

_stages: dict[str, tuple[Stage, str]] = {}
_jitable: set[FunctionType] = set()


@lru_cache(maxsize=1024)  # asked for on every call of a layer
def compiled(stage: Stage, dtype: types.Float, direction: str):
    """Return a stage's compiled function, which has an ``address``.

    Parameters
    ----------
    stage : Stage
    dtype : float32 or float64
    direction : "forward", "infer" (nothing saved) or "backward"
    """
    function = stage.backward if direction == BACKWARD else stage.forward
    counts = (len(stage.gates), len(stage.reads), len(stage.makes), len(stage.parameters), probe(stage))
    body = f"{direction}{counts}:{function_hash(function)}"
    if body not in _stages:
        _stages[body] = stage, direction
        _make_jitable(function)
    signature = types.void(Build(dtype, body), types.int64, types.int64, types.int64)
    try:
        return compile_pointer(_run, signature)
    except NumbaError as error:
        code = function.__code__
        raise TypeError(
            f"{code.co_filename}, line {code.co_firstlineno}: {code.co_name} cannot be compiled: {_reason(error)}; "
            "expected arithmetic and functions of rnnbench.ops on numbers, and numbers alone to be saved"
        ) from None


def _reason(error):
    """The line of a page of Numba's that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line.rstrip(":") for line in lines if not line.startswith("Failed in ")), type(error).__name__)


def _make_jitable(body):
    """Let compiled code call a cell's function and the plain functions it uses (``ops`` has its own meanings)."""
    for function in reachable(body):
        if not isinstance(function, FunctionType) or function in _jitable:
            continue
        if function.__module__ != ops.__name__:
            _jitable.add(function)
            register_jitable(function)


def _run(build, table, rows, vectors):
    _emit(build, table, rows, vectors)


@intrinsic
def _emit(context, build, table, rows, vectors):
    stage, direction = _stages[build.body]
    vec = Vec(build.dtype, host.lanes(build.dtype))
    emit = _emit_backward if direction == BACKWARD else _emit_forward

    def codegen(context, builder, sig, args):
        emit(_Rows(context, builder, vec, *args[1:]), stage, direction != INFER)
        return context.get_dummy_value()

    return types.void(build, types.int64, types.int64, types.int64), codegen


class _Rows:
    """The loops over rows and vectors, and the operands of the table."""

    def __init__(self, context, builder, vec, table, rows, vectors):
        self.context, self.builder, self.vec = context, builder, vec
        self.table, self.rows, self.vectors = table, rows, vectors
        self.llvm = context.get_value_type(vec)
        self.used = 0

    def operands(self, count):
        """Read the next lines of the table."""
        start, self.used = self.used, self.used + count
        return [[self._number(3 * i + j) for j in range(3)] for i in range(start, self.used)]

    def _number(self, index):
        pointer = self.builder.inttoptr(self.table, I64.as_pointer())
        return self.builder.load(self.builder.gep(pointer, [ir.Constant(I64, index)], source_etype=I64), typ=I64)

    def loop(self, body):
        """Emit ``body()`` for every vector of every row."""
        with cgutils.for_range(self.builder, self.rows, intp=I64) as row:
            self.row = row.index
            with cgutils.for_range(self.builder, self.vectors, intp=I64) as vector:
                self.index = vector.index
                body()

    def pointer(self, operand):
        base, per_row, per_vector = operand
        b = self.builder
        here = b.add(b.add(base, b.mul(self.row, per_row)), b.mul(self.index, per_vector))
        return b.inttoptr(here, self.llvm.as_pointer())

    def load(self, operands):
        align = self.vec.dtype.bitwidth // 8
        return [self.builder.load(self.pointer(o), align=align, typ=self.llvm) for o in operands]

    def store(self, values, operands, add=False):
        align = self.vec.dtype.bitwidth // 8
        for value, operand in zip(values, operands, strict=True):
            if add:
                value = self.builder.fadd(self.load([operand])[0], value)
            self.builder.store(value, self.pointer(operand), align=align)

    def tuple(self, values):
        kind = types.Tuple([self.vec] * len(values))
        return kind, self.context.make_tuple(self.builder, kind, values)

    def call(self, function, tuples, counts):
        """Call a pure function of tuples that returns tuples of these lengths."""
        kinds, values = zip(*(self.tuple(t) for t in tuples), strict=True)
        returned = types.Tuple([types.Tuple([self.vec] * n) for n in counts])
        signature, flags = returned(*kinds), Flags()
        flags.forceinline = True  # or LLVM calls a large one for each vector, with operands and results in memory
        # Numba's own cache of these tells functions by their code, to which what they call by name does not belong.
        compiled = self.context.compile_subroutine(self.builder, function, signature, flags=flags, caching=False)
        result = self.context.call_internal(self.builder, compiled.fndesc, signature, values)
        parts = [self.builder.extract_value(result, i) for i in range(len(counts))]
        return [[self.builder.extract_value(part, i) for i in range(n)] for part, n in zip(parts, counts, strict=True)]


def _emit_forward(rows, stage, save):
    saves = probe(stage)
    gates, reads = rows.operands(len(stage.gates)), rows.operands(len(stage.reads))
    parameters, makes = rows.operands(len(stage.parameters)), rows.operands(len(stage.makes))
    saved = rows.operands(saves) if save else []

    def body():
        given = [rows.load(o) for o in (gates, reads, parameters)]
        made, kept = rows.call(stage.forward, given, (len(makes), saves))
        rows.store(made, makes)
        if save:
            rows.store(kept, saved)

    rows.loop(body)


def _emit_backward(rows, stage, _):
    counts = (len(stage.makes), len(stage.reads), len(stage.makes), probe(stage), len(stage.parameters))
    given = [rows.operands(n) for n in counts]
    da, dreads, dp = (rows.operands(len(n)) for n in (stage.gates, stage.reads, stage.parameters))

    def body():
        tuples = [rows.load(o) for o in given]
        results = rows.call(stage.backward, tuples, (len(da), len(dreads), len(dp)))
        rows.store(results[0], da)
        rows.store(results[1], dreads, add=True)
        rows.store(results[2], dp)

    rows.loop(body)
