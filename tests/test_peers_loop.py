"""The PyTorch loop of any cell gives our outputs, states and gradients: shipped cells, and those of odd corners."""

import numpy as np
import odd_cells
import pytest

from rnnbench import Recurrent, cells, ops
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.peers import agree, own, tasks
from rnnbench.peers.process import Process
from rnnbench.peers.tasks import NotSupported, Shape, Task

torch = pytest.importorskip("torch", reason="torch is not installed: make test-peers installs it")
from rnnbench.peers import torch_loop, torch_ops  # noqa: E402  (needs torch)

pytestmark = pytest.mark.peers
CELLS = [name for name in cells.names() if not tasks.is_common(name, None)]
SHAPES = [Shape(1, 1, 1, 1), Shape(9, 3, 5, 6), Shape(7, 2, 0, 4)]


def own_and_theirs(cell, shape, direction):
    """What the reference driver and the loop make of the same random problem."""
    rng = np.random.default_rng(7)
    layer = Recurrent(cell, shape.I, shape.H, device="reference", seed=rng)
    for value in layer.params.values():
        value += (0.1 * rng.standard_normal(value.shape)).astype("float32")
    x = rng.standard_normal(shape[:3]).astype("float32")
    dy = rng.standard_normal((*shape[:2], layer.output_size)).astype("float32")
    theirs = torch_loop.make_job(layer.layout, layer.params, x, dy, direction == "training")
    made = theirs.arrays(theirs.call())
    y, state = layer.forward(x)
    ours = {"y": y} | {name: value for name, value in state.items() if name not in layer.params}
    if direction == "training":
        dx, _ = layer.backward(dy)
        fixed = {p.name for p in layer.cell.parameters if not p.trained}
        ours |= {"dx": dx} | {name: grad for name, grad in layer.grads.items() if name not in fixed}
    return ours, made


def assert_same(cell, shape, direction):
    ours, theirs = own_and_theirs(cell, shape, direction)
    assert ours.keys() == theirs.keys()
    assert agree.disagreement(ours, theirs, tuple(ours))[1] is None


@pytest.mark.parametrize("direction", tasks.DIRECTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [*CELLS, "lstm", "gru_reset_after"])  # PyTorch has the last two: a check of the loop
def test_the_loop_of_a_cell_gives_our_numbers(name, shape, direction):
    assert_same(cells.get(name), shape, direction)


@pytest.mark.parametrize("direction", tasks.DIRECTIONS)
@pytest.mark.parametrize("make", odd_cells.ALL, ids=lambda make: make.__name__)
def test_the_loop_of_an_odd_cell_gives_our_numbers(make, direction):
    assert_same(make(), SHAPES[1], direction)


def test_a_gate_may_be_nothing_but_its_bias():
    def forward(a, reads, p):
        a_h, a_b = a
        return (ops.tanh(a_h + a_b),), ()

    def backward(dmakes, reads, makes, saved, p):
        (da,) = dmakes
        da = da * ops.d_tanh(makes[0])
        return (da, da), (), ()

    stage = Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")), Gate("b", ())))
    cell = Cell(vectors=(Vector("h"),), stages=(stage,), output="h", name="only_bias")
    for direction in tasks.DIRECTIONS:
        assert_same(cell, SHAPES[1], direction)


@pytest.mark.parametrize("name", [n for n, f in vars(ops).items() if getattr(f, "__module__", "") == ops.__name__])
def test_a_named_function_means_the_same_on_tensors(name):
    function, count = getattr(ops, name), getattr(ops, name).__code__.co_argcount
    x, y, z = np.random.default_rng(0).uniform(0.25, 1.5, (3, 64)).astype("float32")
    if name == "const":
        assert torch_ops.on_tensors(function)(0.5, torch.from_numpy(x)) == 0.5
        return
    given = (x < y, x, y) if name == "where" else (x, y, z)[:count]
    made = torch_ops.on_tensors(function)(*map(torch.from_numpy, given))
    expected = function(*given)
    if name in ("one", "zero", "d_linear"):  # numbers stay numbers
        assert made == np.unique(expected) if isinstance(expected, np.ndarray) else made == expected
        return
    assert torch.is_tensor(made)
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_an_extreme_may_have_a_number_on_either_side(name):
    function, x = getattr(ops, name), np.linspace(-1, 1, 5, dtype="float32")
    made = torch_ops.on_tensors(function)
    for given in ((x, np.float32(0.25)), (np.float32(0.25), x)):
        tensors = [torch.from_numpy(v) if v.ndim else float(v) for v in given]
        np.testing.assert_array_equal(made(*tensors).numpy(), function(*given))


def test_what_is_not_for_tensors_is_told():
    def body(a, reads, p):
        return (np.arctan(a[0]),), ()

    with pytest.raises(NotSupported, match=r"^body\(\) is written with NumPy"):
        torch_ops.on_tensors(body)
    with pytest.raises(NotSupported, match="PyTorch has this cell as a layer"):
        torch_loop.prepare(Task("lstm", None, SHAPES[1], "inference", 1), {})
    task = Task("elman", "step", SHAPES[1], "training", 1)
    with pytest.raises(NotSupported, match="no gradient that autograd could follow"):
        torch_loop.prepare(task, own.make_arrays(task, np.random.default_rng(0)))


def test_a_cell_s_own_module_is_left_alone():
    body = cells.get("gru").stages[0].forward
    before = dict(body.__globals__)
    torch_ops.on_tensors(body)
    assert body.__globals__ == before
    assert isinstance(body((np.zeros(2),) * 2, (np.zeros(2),), ())[0][0], np.ndarray)


def test_the_loop_answers_as_a_peer(tmp_path):
    peer, task = tasks.PEERS["torch-loop"], Task("gru", None, SHAPES[1], "training", 1)
    np.savez(tmp_path / "given.npz", **own.make_arrays(task, np.random.default_rng(0)))
    with Process(peer.module, 1) as process:
        process.ask(do="prepare", job="a", task=task.as_json(), arrays=str(tmp_path / "given.npz"))
        names = process.ask(do="results", job="a", path=str(tmp_path / "made.npz"))
    assert {"y", "h", "dx", "weight_ih", "weight_hh", "bias"} <= set(names)
