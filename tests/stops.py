"""Kernels as Python generators that stop at every barrier, and where a warp multiplies."""

import ast
import inspect
import textwrap
from functools import cache

BARRIERS = {"syncthreads": "block", "sync": "grid"}


@cache
def generator(function):
    """The function with a stop at every barrier, and where a warp multiplies."""
    return rewritten(function, always=True)[0]


@cache
def rewritten(function, always=False):
    """(function, whether it is a generator): with what it calls in Python, and stops if there are any."""
    used = inspect.getclosurevars(function)
    scope = function.__globals__ | used.nonlocals
    called = {n: v for n, v in (used.globals | used.nonlocals).items() if hasattr(v, "py_func") or is_multiply_add(v)}
    if not called and not always:
        return function, False
    stops, python = {}, {}
    for name, value in called.items():
        if is_multiply_add(value):
            stops[name] = value._name.removeprefix("multiply_add_")
        else:
            python[name], stopping = rewritten(value.py_func)
            if stopping:
                stops[name] = None
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    (definition,) = tree.body
    definition.decorator_list = []
    if always:
        definition.body.append(ast.parse("if False: yield").body[0])  # also without a barrier
    tree = ast.fix_missing_locations(_Stops(stops).visit(tree))
    scope |= python
    exec(compile(tree, inspect.getsourcefile(function), "exec"), scope)
    return scope[definition.name], bool(stops) or always


def is_multiply_add(value):
    """Whether a name stands for a product on tensor cores."""
    return str(getattr(value, "_name", "")).startswith("multiply_add_")


class _Stops(ast.NodeTransformer):
    def __init__(self, stops):
        self.stops = stops

    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in BARRIERS:
            node.value = ast.Yield(ast.Constant(BARRIERS[call.func.attr]))
            return node
        return self.generic_visit(node)

    def visit_Call(self, node):
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id in self.stops):
            return node
        precision = self.stops[node.func.id]
        if precision is None:
            return ast.YieldFrom(node)
        return ast.Yield(ast.Tuple([ast.Constant(precision), ast.Tuple(node.args, ast.Load())], ast.Load()))
