"""From the syntax tree of a kernel of integers to LLVM, with the plain functions that it calls.

A kernel may hold numbers, tables (:mod:`rnnbench.kernels.table`), intrinsics, and calls of functions of the same kind;
``for`` over ``range``, ``while``, ``if``, and ``return`` of numbers. ``and``, ``or`` and ``x if y else z`` evaluate
what counts, as in Python. What is divided is not negative; a range goes down only where its step has a minus.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import FunctionType

from llvmlite import ir
from numba.core import cgutils, types

from rnnbench.kernels.table import TABLE, word

I64, BIT = ir.IntType(64), ir.IntType(1)
INT = types.int64
OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.RShift: "ashr", ast.FloorDiv: "udiv", ast.Mod: "urem",
}  # fmt: skip
COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Kernel:
    """A kernel's functions in an LLVM module, each emitted when it is first called."""

    def __init__(self, context, module):
        self.context, self.module, self.made = context, module, {}

    def function(self, python, kinds):
        """The LLVM function for a Python function of arguments of these Numba types."""
        key = python, tuple(kinds)
        if key not in self.made:
            tree = ast.parse(textwrap.dedent(inspect.getsource(python))).body[0]
            of_arguments = [self.context.get_value_type(kind) for kind in kinds]
            name = self.module.get_unique_name(python.__name__)
            function = ir.Function(self.module, ir.FunctionType(_returned(tree), of_arguments), name)
            function.linkage = "internal"
            function.attributes.add("optsize")  # kernels have no loops of their own to unroll: they call
            if not any(isinstance(node, ast.For | ast.While) for node in ast.walk(tree)):
                function.attributes.add("alwaysinline")
            self.made[key] = function
            _Body(self, python, function, kinds).emit(tree)
        return self.made[key]


def _returned(tree):
    """The LLVM type of what a function returns: nothing, a number, or several."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    if not values:
        return ir.VoidType()
    return ir.LiteralStructType([I64] * len(values[0].elts)) if isinstance(values[0], ast.Tuple) else I64


class _Body(ast.NodeVisitor):
    """The body of one function. An expression is visited for a (Numba type, LLVM value), or a list of these."""

    def __init__(self, kernel, python, function, kinds):
        self.kernel, self.python, self.function = kernel, python, function
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.arguments = list(zip(kinds, function.args, strict=True))
        self.local, self.loops = {}, []

    def emit(self, tree):
        for argument, (kind, value) in zip(tree.args.args, self.arguments, strict=True):
            self.store(argument, argument.arg, kind, value)
        self.suite(tree.body)
        if not self.builder.block.is_terminated:
            self.builder.ret_void() if self.function.ftype.return_type == ir.VoidType() else self.builder.unreachable()

    def suite(self, statements, then=None):
        """Statements, and where to go after them, unless they have gone elsewhere."""
        for statement in statements:
            self.visit(statement)
        if then is not None and not self.builder.block.is_terminated:
            self.builder.branch(then)

    def generic_visit(self, node):
        place = f"{self.python.__module__}.{self.python.__qualname__}, line {getattr(node, 'lineno', '?')}"
        raise TypeError(f"{place}: kernels cannot hold {ast.unparse(node)!r}")

    def number(self, node):
        kind, value = self.visit(node)
        return value if kind == INT else self.generic_visit(node)

    def condition(self, node):
        return self.builder.icmp_signed("!=", self.number(node), I64(0))

    def blocks(self, count):
        return [self.function.append_basic_block() for _ in range(count)]

    # Statements

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.visit(node.value)

    def visit_Assign(self, node):
        (target,) = node.targets
        self.assign(target, self.visit(node.value))

    def assign(self, target, value):
        if isinstance(target, ast.Tuple):
            for part, one in zip(target.elts, value, strict=True):
                self.assign(part, one)
        elif isinstance(target, ast.Name):
            self.store(target, target.id, *value)
        else:
            self.builder.store(value[1], self.place(target))

    def store(self, node, name, kind, value):
        if name not in self.local:
            self.local[name] = kind, cgutils.alloca_once(self.builder, value.type)
        known, pointer = self.local[name]
        if known != kind:
            self.generic_visit(node)
        self.builder.store(value, pointer)

    def visit_AugAssign(self, node):
        self.assign(node.target, self.operation(node, self.visit(node.target), self.visit(node.value)))

    def visit_If(self, node):
        yes, no, after = self.blocks(3)
        self.builder.cbranch(self.condition(node.test), yes, no)
        for block, statements in ((yes, node.body), (no, node.orelse)):
            self.builder.position_at_end(block)
            self.suite(statements, after)
        self.builder.position_at_end(after)

    def visit_While(self, node):
        test, body, after = self.blocks(3)
        self.builder.branch(test)
        self.builder.position_at_end(test)
        self.builder.cbranch(self.condition(node.test), body, after)
        self.loop(node, body, test, after)
        self.builder.position_at_end(after)

    def loop(self, node, body, following, after):
        if node.orelse:
            self.generic_visit(node)
        self.builder.position_at_end(body)
        self.loops.append((following, after))
        self.suite(node.body, following)
        self.loops.pop()

    def visit_For(self, node):
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"):
            self.generic_visit(node)
        numbers = [self.number(argument) for argument in call.args]
        start, stop, step = (*([I64(0)] if len(numbers) == 1 else []), *numbers, I64(1))[:3]
        down = len(numbers) == 3 and isinstance(call.args[2], ast.UnaryOp)
        at, (test, body, following, after) = cgutils.alloca_once(self.builder, I64), self.blocks(4)
        self.builder.store(start, at)
        self.builder.branch(test)
        self.builder.position_at_end(test)
        here = self.builder.load(at, typ=I64)
        self.builder.cbranch(self.builder.icmp_signed(">" if down else "<", here, stop), body, after)
        self.builder.position_at_end(body)
        self.store(node.target, node.target.id, INT, here)
        self.loop(node, body, following, after)
        self.builder.position_at_end(following)
        self.builder.store(self.builder.add(here, step), at)
        self.builder.branch(test)
        self.builder.position_at_end(after)

    def visit_Break(self, node):
        self.builder.branch(self.loops[-1][1])

    def visit_Continue(self, node):
        self.builder.branch(self.loops[-1][0])

    def visit_Return(self, node):
        if isinstance(node.value, ast.Tuple):
            value = ir.Constant(self.function.ftype.return_type, ir.Undefined)
            for i, part in enumerate(node.value.elts):
                value = self.builder.insert_value(value, self.number(part), i)
            self.builder.ret(value)
        else:
            self.builder.ret(self.number(node.value))

    # Expressions

    def visit_Constant(self, node):
        return (INT, I64(int(node.value))) if isinstance(node.value, int) else self.generic_visit(node)

    def visit_Name(self, node):
        if node.id in self.local:
            kind, pointer = self.local[node.id]
            return kind, self.builder.load(pointer, typ=self.kernel.context.get_value_type(kind))
        value = self.python.__globals__.get(node.id)
        return (INT, I64(value)) if isinstance(value, int) else self.generic_visit(node)

    def visit_Tuple(self, node):
        return [self.visit(part) for part in node.elts]

    def visit_BinOp(self, node):
        return self.operation(node, self.visit(node.left), self.visit(node.right))

    def operation(self, node, left, right):
        if type(node.op) not in OPERATORS or left[0] != INT or right[0] != INT:
            self.generic_visit(node)
        return INT, getattr(self.builder, OPERATORS[type(node.op)])(left[1], right[1])

    def visit_UnaryOp(self, node):
        value = self.number(node.operand)
        if isinstance(node.op, ast.USub):
            return INT, self.builder.neg(value)
        return (INT, self.truth("==", value, I64(0))) if isinstance(node.op, ast.Not) else self.generic_visit(node)

    def truth(self, sign, x, y):
        return self.builder.zext(self.builder.icmp_signed(sign, x, y), I64)

    def visit_Compare(self, node):
        if len(node.ops) != 1:
            self.generic_visit(node)
        x, y = self.number(node.left), self.number(node.comparators[0])
        return INT, self.truth(COMPARISONS[type(node.ops[0])], x, y)

    def visit_BoolOp(self, node):
        first, *others = node.values
        rest = ast.copy_location(ast.BoolOp(node.op, others), node) if len(others) > 1 else others[0]
        value = self.number(first)
        known = lambda: value  # noqa: E731
        there = lambda: self.number(rest)  # noqa: E731
        test = self.builder.icmp_signed("!=", value, I64(0))
        return self.choose(test, *((there, known) if isinstance(node.op, ast.And) else (known, there)))

    def visit_IfExp(self, node):
        return self.choose(self.condition(node.test), lambda: self.number(node.body), lambda: self.number(node.orelse))

    def choose(self, test, yes, no):
        """What `yes()` gives where the test holds, else what `no()` does."""
        *sides, after = self.blocks(3)
        self.builder.cbranch(test, *sides)
        found = []
        for block, side in zip(sides, (yes, no), strict=True):
            self.builder.position_at_end(block)
            found.append((side(), self.builder.block))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        phi = self.builder.phi(I64)
        for value, block in found:
            phi.add_incoming(value, block)
        return INT, phi

    def visit_Subscript(self, node):
        return INT, self.builder.load(self.place(node), typ=I64)

    def place(self, node):
        """Pointer to a number of a table."""
        kind, value = self.visit(node.value)
        if kind != TABLE:
            self.generic_visit(node)
        b, index = self.builder, self.visit(node.slice)
        if isinstance(index, list):
            (_, line), (_, column) = index
            place = b.add(b.mul(line, b.extract_value(value, 2)), column)
        else:
            place = index[1]
        return word(b, b.extract_value(value, 0), place)

    def visit_Call(self, node):
        called = self.python.__globals__.get(node.func.id) if isinstance(node.func, ast.Name) else None
        arguments = [self.visit(argument) for argument in node.args]
        kinds, values = [kind for kind, _ in arguments], [value for _, value in arguments]
        if isinstance(node.func, ast.Name) and node.func.id == "len" and kinds == [TABLE]:
            return INT, self.builder.extract_value(values[0], 1)
        if isinstance(called, FunctionType):
            function = self.kernel.function(called, kinds)
            value, returned = self.builder.call(function, values), function.ftype.return_type
            if isinstance(returned, ir.LiteralStructType):
                return [(INT, self.builder.extract_value(value, i)) for i in range(len(returned))]
            return None if returned == ir.VoidType() else (INT, value)
        if not hasattr(called, "__wrapped__"):
            self.generic_visit(node)
        sig, codegen = called.__wrapped__(None, *kinds)
        value, context = codegen(self.kernel.context, self.builder, sig, values), self.kernel.context
        if isinstance(sig.return_type, types.Integer):
            return INT, context.cast(self.builder, value, sig.return_type, INT)
        return sig.return_type, value
