"""Tensor cores: a warp multiplies a fragment of 16 x 8 by one of 8 x 8 and adds the product to 16 x 8 numbers.

Thread t of the 32 of a warp, with q = t // 4 and s = t % 4, brings the numbers (all float32)::

    a0 = A[q][s]    a1 = A[q + 8][s]    a2 = A[q][s + 4]    a3 = A[q + 8][s + 4]
    b0 = B[s][q]    b1 = B[s + 4][q]
    c0 = C[q][2s]   c1 = C[q][2s + 1]   c2 = C[q + 8][2s]   c3 = C[q + 8][2s + 1]

and gets d0 ... d3 = A B + C, placed as c0 ... c3. This is the layout of ``mma.sync.m16n8k8`` with tf32. With 16 bits a
register holds the numbers of k = 2s and 2s + 1 there; s and s + 4 take their places, in A and B alike, which only
changes the order of the sum. A and B are rounded to the precision, products are exact, and sums are float32.

Source: NVIDIA, Parallel Thread Execution ISA 9.2, 2026, sections "Matrix Fragments for mma.m16n8k8" and "cvt".
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.cuda.extending import intrinsic

# Operands: $0-$3 d, $4-$7 a, $8-$9 b, $10-$13 c. What is packed first goes to the upper half of a register.
TF32 = """{
.reg .b32 a<4>, b<2>;
cvt.rna.tf32.f32 a0, $4;
cvt.rna.tf32.f32 a1, $5;
cvt.rna.tf32.f32 a2, $6;
cvt.rna.tf32.f32 a3, $7;
cvt.rna.tf32.f32 b0, $8;
cvt.rna.tf32.f32 b1, $9;
mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {$0, $1, $2, $3}, {a0, a1, a2, a3}, {b0, b1}, {$10, $11, $12, $13};
}"""
HALVES = """{
.reg .b32 a<2>, b<1>;
cvt.rn.%(pair)s.f32 a0, $6, $4;
cvt.rn.%(pair)s.f32 a1, $7, $5;
cvt.rn.%(pair)s.f32 b0, $9, $8;
mma.sync.aligned.m16n8k8.row.col.f32.%(one)s.%(one)s.f32 {$0, $1, $2, $3}, {a0, a1}, {b0}, {$10, $11, $12, $13};
}"""
PTX = {
    "tf32": TF32,
    "bf16": HALVES % {"pair": "bf16x2", "one": "bf16"},
    "fp16": HALVES % {"pair": "f16x2", "one": "f16"},
}


def _multiply_add(precision):
    """The instruction as a function of a0 ... a3, b0, b1, c0 ... c3, to be called by all threads of a warp at once."""

    def multiply_add(context, a0, a1, a2, a3, b0, b1, c0, c1, c2, c3):
        if {a0, a1, a2, a3, b0, b1, c0, c1, c2, c3} != {types.float32}:
            return None
        four = types.UniTuple(types.float32, 4)

        def codegen(context, builder, signature, args):
            number = ir.FloatType()
            results = ir.LiteralStructType([number] * 4)
            kind = ir.FunctionType(results, [number] * 10)
            assembler = ir.InlineAsm(kind, PTX[precision], "=f,=f,=f,=f" + ",f" * 10, side_effect=True)
            found = builder.call(assembler, args)
            numbers = [builder.extract_value(found, i) for i in range(4)]
            return context.make_tuple(builder, signature.return_type, numbers)

        return four(*[types.float32] * 10), codegen

    multiply_add.__name__ = f"multiply_add_{precision}"
    return intrinsic(multiply_add)


MULTIPLY_ADD = {precision: _multiply_add(precision) for precision in PTX}
