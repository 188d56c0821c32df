"""Every CUDA kernel compiled for GPUs that need not be there: no doubles in float32, no spills, few registers."""

import odd_cells
import pytest
from helpers import ENGINE_CASES, as_params

from rnnbench import cells
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.kernels import cuda_host
from rnnbench.kernels.cuda_resident import tensor
from rnnbench.layers.recurrent import Recurrent
from rnnbench.layout import Layout
from rnnbench.ops import d_tanh, tanh

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(cuda_host.simulated(), reason="the simulator compiles nothing"),
]
CAPABILITIES = [(8, 0), (9, 0)]
CASES = as_params([c for c in ENGINE_CASES if not c.options])
KERNELS = ["forward", "backward", "persistent forward", "persistent backward"]
# float64 is the same text: the cells that take the most registers, and one with vectors of several widths.
LARGEST = {"slstm", "lstm_fgr", "mut3", "jordan"}
MOST_REGISTERS = 200  # of 255, and of 65536 for the 256 threads of a block
MOST_PERSISTENT = 240  # of the same: there is one block per multiprocessor anyway
CALL = 16  # bytes of stack that the call of the grid's barrier takes
MOST_SHARED = 48 * 1024  # what a block may have without asking


@pytest.fixture(scope="module", autouse=True)
def modules():
    """The modules that import numba.cuda: where numba-cuda is missing, this says so."""
    pytest.importorskip("numba_cuda", reason="make test-cuda installs it")
    from rnnbench.kernels import cuda_build, cuda_inspect, cuda_walk

    return cuda_walk, cuda_build, cuda_inspect


def check(inspect, kernel, signature, dtype, persistent=False):
    texts = inspect.ptx(kernel, signature, *CAPABILITIES)
    for capability, text in zip(CAPABILITIES, texts, strict=True):
        assert f".target sm_{capability[0]}{capability[1]}" in text
        if dtype == "float32":
            assert inspect.doubles(text) == []
        took = inspect.resources(text, capability)
        assert took.spills == 0, took
        assert took.stack <= (CALL if inspect.GRID_BARRIER in text else 0), took
        assert ".nc." not in text  # read through a cache that does not see what other blocks write
        assert took.registers <= (MOST_PERSISTENT if persistent else MOST_REGISTERS), took
        assert took.shared <= MOST_SHARED, took
    return texts


def check_cell(cell, kernel, dtype, modules):
    walk, build, inspect = modules
    persistent = kernel.startswith("persistent")
    geometry = walk.PERSISTENT if persistent else walk.GEOMETRY
    built = build.build(Layout(cell, 3, 4), kernel, dtype, geometry)
    check(inspect, built.function, build.signature(built.arguments, dtype), dtype, persistent)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", CASES)
def test_every_cell_compiles(case, kernel, modules):
    check_cell(case.build(), kernel, "float32", modules)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", [p for p in CASES if p.values[0].cell in LARGEST])
def test_cells_compile_in_float64(case, kernel, modules):
    check_cell(case.build(), kernel, "float64", modules)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("make", odd_cells.ALL, ids=lambda make: make.__name__)
def test_odd_cells_compile(make, kernel, modules):
    check_cell(make(), kernel, "float32", modules)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["weights", "sums", "inputs", "put", "take", "put_fed", "gather", "clear"])
def test_what_all_cells_share_compiles(name, dtype, modules):
    _, build, inspect = modules
    check(inspect, *build.common(dtype)[name], dtype)


@pytest.mark.parametrize("name", ["wait", "read"])
def test_what_the_floor_is_measured_with_compiles(name, modules):
    from rnnbench.kernels import cuda_rates

    _, _, inspect = modules
    for text in check(inspect, getattr(cuda_rates, name), cuda_rates.SIGNATURES[name], "float32"):
        assert (inspect.GRID_BARRIER in text) == (name == "wait")
        assert ("ld.global.f32" in text) == (name == "read")


TENSOR = {"tf32": "tf32.tf32", "bf16": "bf16.bf16", "fp16": "f16.f16"}


def check_tensor(inspect, kernel, signature, precision, persistent):
    for text in check(inspect, kernel, signature, "float32", persistent):
        assert f"mma.sync.aligned.m16n8k8.row.col.f32.{TENSOR[precision]}.f32" in text


@pytest.mark.parametrize("precision", TENSOR)
@pytest.mark.parametrize("name", ["weights", "inputs"])
def test_products_over_all_steps_compile_for_tensor_cores(name, precision, modules):
    _, build, inspect = modules
    check_tensor(inspect, *build.common("float32", precision)[name], precision, persistent=False)


@pytest.mark.parametrize("precision", TENSOR)
@pytest.mark.parametrize("kernel", KERNELS[2:])
@pytest.mark.parametrize("name", ["lstm", "gru", "jordan"])
def test_persistent_kernels_compile_for_tensor_cores(name, kernel, precision, modules):
    _, build, inspect = modules
    built = build.build(Layout(cells.get(name), 3, 4), kernel, "float32", tensor(precision))
    signature = build.signature(built.arguments, "float32")
    check_tensor(inspect, built.function, signature, precision, persistent=True)


def careless(number_in):
    """A cell with a number in one of its two functions."""

    def forward(a, reads, p):
        (a_h,) = a
        return (tanh(a_h),), ()

    def forward_half(a, reads, p):
        (a_h,) = a
        return (tanh(a_h) * 0.3,), ()

    def backward(dmakes, reads, makes, saved, p):
        return (dmakes[0] * d_tanh(makes[0]),), (), ()

    def backward_half(dmakes, reads, makes, saved, p):
        return (dmakes[0] * d_tanh(makes[0]) * 0.3,), (), ()

    chosen = (
        forward_half if number_in == "forward" else forward,
        backward_half if number_in == "backward" else backward,
    )
    stage = Stage(*chosen, makes=("h",), gates=(Gate("h", ("x", "h")),))
    return Cell(vectors=(Vector("h"),), stages=(stage,), output="h", name="careless")


@pytest.mark.parametrize("number_in", ["forward", "backward"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_double_is_seen(number_in, direction, modules):
    walk, build, inspect = modules
    built = build.build(Layout(careless(number_in), 3, 4), direction, "float32", walk.GEOMETRY)
    (text,) = inspect.ptx(built.function, build.signature(built.arguments, "float32"), (9, 0))
    assert bool(inspect.doubles(text)) == (number_in == direction)


def test_without_a_gpu_one_sentence_says_so(modules):
    from numba import cuda

    if cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match="device 'cuda': no NVIDIA GPU can be used here") as raised:
        Recurrent("lstm", 2, 3, device="cuda")
    assert "\n" not in str(raised.value)
    assert Recurrent("lstm", 2, 3).device == "cpu"


def test_every_cell_is_here():
    assert {p.values[0].cell for p in CASES} == set(cells.names())
