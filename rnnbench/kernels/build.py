"""Compiling so that no cache ever answers with old or with other code.

Numba's file cache looks only at the source file of the function it compiles, not at the cells, ``ops`` and kernels
behind it. And it keeps all signatures of a function under one index, in which two processes that compile different ones
at the same time can swap their code. So every function here is compiled for one signature under a name of its own,
which holds a hash of all the code behind it and of the processor it is for.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partialmethod
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import numpy as np
from llvmlite import ir
from llvmlite.binding import newpassmanagers
from numba import cfunc, njit
from numba.core import types
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.extending import NativeValue, models, register_model, typeof_impl, unbox

from rnnbench import ops
from rnnbench.kernels import host


class Build(types.Type):
    """The type of an argument that carries no value: the precision, and which body a shared text stands for."""

    def __init__(self, dtype, body=""):
        self.dtype, self.body = dtype, body
        super().__init__(name=f"Build({dtype}, {body})")


@register_model(Build)
class _BuildModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


class Token:
    """The Python value whose Numba type is a Build."""

    def __init__(self, dtype):
        self.type = Build(dtype)


@typeof_impl.register(Token)
def _typeof_token(value, context):
    return value.type


@unbox(Build)
def _unbox(typ, obj, context):
    return NativeValue(ir.Constant(ir.IntType(8).as_pointer(), None))


@cache
def token(dtype: types.Float) -> Token:
    """Return the token for a precision."""
    return Token(dtype)


@cache
def compile_pointer(function: FunctionType, signature, emitted=False):
    """Compile a plain function for one signature, to be called by its ``address``.

    Parameters
    ----------
    function : function
    signature : Numba signature
    emitted : bool
        Whether it is nothing but what an intrinsic of ours emits. Functions that Numba compiled take more passes.
    """
    named = _named(function, signature)
    with _without_collections(), _optimised_once(emitted):
        return _cached_if_possible(lambda cache: cfunc(signature, cache=cache, error_model="numpy")(named))


def start(function) -> int:
    """Return where a compiled function itself starts, without the wrapper that makes it a function of C.

    With more arguments than registers the wrapper reads back, several at once, what its caller has just written one by
    one, and the processor waits for it. To be called with three addresses before the arguments: the first is of room
    for an address, and the others are not read.
    """
    return function._library.get_pointer_to_function(function.native_name.removeprefix("cfunc."))


if hasattr(os, "register_at_fork"):  # a child in which nobody goes on compiling would wait for this lock for ever
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


@contextmanager
def _without_collections():
    """Put the garbage collector off: a tenth of the time of a cold start goes into its looking at what is in use."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _optimised_once(emitted):
    """Run LLVM's passes once, over the whole module, and no more of them than it needs.

    Numba runs them over each function by itself, then twice over all, so as to find pairs of reference counts to leave
    out; kernels count no references, and are written as they should be. Where Numba has no such methods, it does as
    ever. Nobody else compiles meanwhile: other code is optimised as ever.
    """
    instead = {
        "_optimize_functions": _set_layout,
        "_optimize_final_module": partialmethod(_run_passes, emitted=emitted),
    }
    with global_compiler_lock:
        before = {name: CPUCodeLibrary.__dict__[name] for name in instead if name in CPUCodeLibrary.__dict__}
        for name in before:
            setattr(CPUCodeLibrary, name, instead[name])
        try:
            yield
        finally:
            for name, method in before.items():
                setattr(CPUCodeLibrary, name, method)


def _set_layout(library, module):
    module.data_layout = library._codegen._data_layout


def _run_passes(library, emitted):
    tuning = newpassmanagers.create_pipeline_tuning_options(speed_level=1)
    tuning.loop_unrolling = tuning.loop_vectorization = tuning.slp_vectorization = False  # but where it is asked for
    builder = newpassmanagers.create_pass_builder(library._codegen._tm, tuning)
    passes = newpassmanagers.create_new_module_pass_manager() if emitted else builder.getModulePassManager()
    for name in PASSES if emitted else ():
        getattr(passes, f"add_{name}_pass")()
    passes.run(library._final_module, builder)


PASSES = (
    "always_inliner", "dead_arg_elimination", "ipsccp", "sroa", "simplify_cfg", "instruction_combine", "loop_rotate",
    "new_gvn", "loop_unroll", "instruction_combine", "simplify_cfg",
)  # fmt: skip


@cache
def compile_function(function: FunctionType, signature):
    """Compile a plain function for one signature, to be called from Python; it calls no files but its own and ours."""
    named = _named(function, signature)
    return _cached_if_possible(lambda cache: njit(signature, cache=cache, error_model="numpy", nogil=True)(named))


def _cached_if_possible(build):
    """Compile with Numba's file cache, or without where no folder can be written (a read-only installation).

    Nor is there one for functions of a module that this process cannot import: what is cached imports it.
    """
    try:
        return build(True)
    except (RuntimeError, OSError, ImportError) as error:
        if isinstance(error, RuntimeError) and "cannot cache" not in str(error):
            raise
        return build(False)


def _named(function, signature):
    """A copy of the function whose name, and so whose cache files, belong to this code and signature alone."""
    text = f"{package_hash()} {signature} {sorted(host.features())}"
    name = f"{function.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    copy = FunctionType(function.__code__, function.__globals__, name, function.__defaults__, function.__closure__)
    copy.__qualname__, copy.__module__ = name, function.__module__
    return copy


@cache
def package_hash() -> str:
    """Return the hash of the sources of ``ops`` and of the kernels."""
    digest = hashlib.sha256()
    for folder in (Path(ops.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def function_hash(function: FunctionType) -> str:
    """Return a hash of all that a plain Python function computes.

    Covers its code and module, default values, what it closes over, and the Python functions and constants it names,
    followed to their ends.
    """
    digest = hashlib.sha256()
    for value in reachable(function):
        digest.update(f"{type(value).__name__}:".encode())
        if isinstance(value, CodeType):
            digest.update(value.co_code + repr(value.co_names + value.co_varnames).encode())
        elif value is None or isinstance(value, int | float | complex | str | bytes):
            digest.update(repr(value).encode())
        elif isinstance(value, np.generic | np.ndarray):
            digest.update(f"{value.dtype} {value.shape}".encode() + value.tobytes())
        elif isinstance(value, list | tuple):
            digest.update(str(len(value)).encode())
        elif isinstance(value, FunctionType):  # compiled code in a cache names the module it came from
            digest.update(str(value.__module__).encode())
        else:
            digest.update(repr(getattr(value, "__name__", None)).encode())
    return digest.hexdigest()[:16]


def reachable(function: FunctionType) -> Iterator:
    """Yield a function, its code, and every function and constant that it names, depth first, each function once."""
    seen: set[int] = set()

    def visit(value):
        if isinstance(value, FunctionType):
            if id(value) in seen:
                return
            seen.add(id(value))
            yield value
            names, scope = _names(value.__code__), value.__globals__
            closed = [c.cell_contents for c in value.__closure__ or ()]
            named = _members([*closed, *(scope[n] for n in names if n in scope)], names)
            for part in (value.__code__, value.__defaults__, *named):
                yield from visit(part)
        elif isinstance(getattr(value, "py_func", None), FunctionType):  # compiled by Numba
            yield from visit(value.py_func)
        else:
            yield value
            inner = value.co_consts if isinstance(value, CodeType) else value
            for part in inner if isinstance(inner, list | tuple) else ():
                yield from visit(part)

    yield from visit(function)


def _names(code: CodeType) -> list[str]:
    """The names that a function's code uses, and the functions that are made inside it."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)]
    return list(dict.fromkeys((*code.co_names, *inner)))


def _members(values: list, names: list[str]) -> list:
    """The values, and of the modules among them what they have under one of these names, modules of theirs too."""
    seen: set[int] = set()
    for value in values:  # grows on the way
        if isinstance(value, ModuleType) and id(value) not in seen:
            seen.add(id(value))
            values += [vars(value)[name] for name in names if name in vars(value)]
    return values
