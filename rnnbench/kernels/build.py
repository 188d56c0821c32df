"""Numba types that say *which* code a compiled function holds, so that no cache ever answers with old code.

Numba's file cache looks at the source file of the function it compiled and at the types of its arguments. The text of a
cell, of ``ops`` and of the other kernel modules is therefore made part of an argument's type, as a hash.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType

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
    _feed(function, digest, set())
    return digest.hexdigest()[:16]


def _feed(value, digest, seen):
    if isinstance(value, FunctionType):
        if id(value) in seen:
            return
        seen.add(id(value))
        _feed(value.__code__, digest, seen)
        _feed(value.__defaults__, digest, seen)
        cells = value.__closure__ or ()
        _feed([c.cell_contents for c in cells], digest, seen)
        for name in value.__code__.co_names:
            digest.update(name.encode())
            _feed(value.__globals__.get(name), digest, seen)
    elif isinstance(value, CodeType):
        digest.update(value.co_code + repr(value.co_names + value.co_varnames).encode())
        _feed(value.co_consts, digest, seen)
    elif isinstance(value, list | tuple):
        digest.update(f"{type(value).__name__}{len(value)}".encode())
        for item in value:
            _feed(item, digest, seen)
    elif value is None or isinstance(value, int | float | str | bytes):
        digest.update(repr(value).encode())
    else:  # modules and classes: by name; what they hold is part of the package's hash or of the user's risk
        digest.update(repr(getattr(value, "__name__", type(value).__name__)).encode())
