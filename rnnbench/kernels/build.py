"""Numba types that say *which* code a compiled function holds, so that no cache ever answers with old code.

Numba's file cache looks at the source file of the function it compiled and at the types of its arguments. The text of a
cell, of ``ops`` and of the other kernel modules is therefore made part of an argument's type, as a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from llvmlite import ir
from numba.core import types
from numba.core.extending import NativeValue, models, register_model, typeof_impl, unbox

from rnnbench import ops


class Build(types.Type):
    """The type of an argument that carries no value: precision, and the hash of the code behind it."""

    def __init__(self, dtype, key):
        self.dtype, self.key_text = dtype, key
        super().__init__(name=f"Build({dtype}, {key})")


@register_model(Build)
class _BuildModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.IntType(8).as_pointer())


class Token:
    """The Python value whose Numba type is a Build."""

    def __init__(self, dtype):
        self.type = Build(dtype, package_hash())


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
def package_hash() -> str:
    """Return the hash of the sources of ``ops`` and of the kernels."""
    digest = hashlib.sha256()
    for folder in (Path(ops.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def function_hash(function: FunctionType) -> str:
    """Return a hash of all that a plain Python function computes.

    Covers its code, default values, what it closes over, and the Python functions and constants it names, followed to their
    ends.
    """
    digest = hashlib.sha256()
    for value in reachable(function):
        digest.update(f"{type(value).__name__}:".encode())
        if isinstance(value, CodeType):
            digest.update(value.co_code + repr(value.co_names + value.co_varnames).encode())
        elif value is None or isinstance(value, int | float | complex | str | bytes):
            digest.update(repr(value).encode())
        elif isinstance(value, list | tuple):
            digest.update(str(len(value)).encode())
        elif not isinstance(value, FunctionType):
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
            names, scope = value.__code__.co_names, value.__globals__
            modules = [scope[n] for n in names if isinstance(scope.get(n), ModuleType)]
            named = [scope[n] for n in names if n in scope]
            named += [vars(m)[n] for m in modules for n in names if n in vars(m)]
            closed = [c.cell_contents for c in value.__closure__ or ()]
            for part in (value.__code__, value.__defaults__, *closed, *named):
                yield from visit(part)
        else:
            yield value
            inner = value.co_consts if isinstance(value, CodeType) else value
            for part in inner if isinstance(inner, list | tuple) else ():
                yield from visit(part)

    yield from visit(function)
