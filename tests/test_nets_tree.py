"""The recursive network against recursion, on balanced trees and on any others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from net_checks import check_gradients, check_replicas, randomise

from rnnbench.layers.tree import Tree, balanced, heights

T, B, I, H = 5, 4, 2, 3
LENGTHS = np.array([5, 3, 1, 0])


def make(seed=0, dtype="float64"):
    return Tree(I, H, seed=seed, dtype=dtype)


def draw(*lead, dtype="float64"):
    return np.random.default_rng(1).normal(size=(*lead, T, B, I)).astype(dtype)


def random_trees(leaves, rng):
    """Any trees: two random neighbours are joined until one is left."""
    steps = max(leaves)
    children = np.full((steps - 1, len(leaves), 2), -1)
    for b, count in enumerate(leaves):
        forest = list(range(count))
        for k in range(count - 1):
            at = rng.integers(len(forest) - 1)
            children[k, b] = forest[at : at + 2]
            forest[at : at + 2] = [steps + k]
    return children


def recursion(layer, x, children, node, b):
    p = layer.parameters()
    if node < len(x):
        return p["leaf.weight"] @ x[node, b] + p["leaf.bias"]
    both = [recursion(layer, x, children, child, b) for child in children[node - len(x), b]]
    return np.tanh(p["node.weight"] @ np.concatenate(both) + p["node.bias"])


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_it_is_the_recursion(lengths, seed):
    layer, x = randomise(make()), draw()
    leaves = np.full(B, T) if lengths is None else lengths
    children = balanced(leaves) if seed is None else random_trees(leaves, np.random.default_rng(seed))
    if lengths is not None:
        x[3:, 1], x[1:, 2], x[:, 3] = np.nan, np.nan, np.nan
    y, _ = layer.forward(x if seed is None else (x, children), lengths=lengths)
    for b, count in enumerate(leaves):
        root = 0 if count == 1 else T + count - 2
        expected = recursion(layer, x, children, root, b) if count else np.zeros(H)
        np.testing.assert_allclose(y[b], expected, rtol=1e-12, atol=1e-14)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_balanced_trees_are_as_flat_as_can_be(leaves):
    children = balanced(np.array(leaves))
    if len(children):
        for b, count in enumerate(leaves):
            assert heights(children, max(leaves))[:, b].max() == (int(np.ceil(np.log2(count))) if count > 1 else 0)
            inner = children[: max(count - 1, 0), b]
            assert len(np.unique(inner)) == inner.size and (children[len(inner) :, b] == -1).all()


def test_neighbours_are_joined_from_left_to_right():
    assert balanced(np.array([5]))[:, 0].tolist() == [[0, 1], [2, 3], [5, 6], [7, 4]]


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_gradients(lengths):
    layer = randomise(make())
    check_gradients(layer, draw(), lengths=lengths)
    leaves = np.full(B, T) if lengths is None else lengths
    children = random_trees(leaves, np.random.default_rng(2))
    check_gradients(_OfTrees(layer, children), draw(), lengths=lengths)


class _OfTrees:
    """A layer with its trees fixed, so that x is an array alone."""

    def __init__(self, layer, children):
        self.layer, self.children = layer, children
        self.zero_grad = layer.zero_grad
        self.parameters, self.gradients = layer.parameters, layer.gradients

    def forward(self, x, state=None, **options):
        return self.layer.forward((x, self.children), state, **options)

    def backward(self, *given, **options):
        (dx, none), dstate = self.layer.backward(*given, **options)
        assert none is None
        return dx, dstate


def test_replicas():
    check_replicas(lambda seed: make(seed, "float32"), draw(3, dtype="float32"), lengths=LENGTHS)


def test_a_leaf_is_log2_steps_from_the_root():
    """Every node multiplies the gradient by its weight: how often tells how far a leaf is."""
    layer = Tree(1, 1, dtype="float64")
    for key, value in layer.parameters().items():
        value[...] = {"leaf.weight": 1, "node.weight": 1e-3}.get(key, 0)
    for leaves in (2, 8, 64, 100):
        y, _ = layer.forward(np.full((leaves, 1, 1), 1e-9))
        dx, _ = layer.backward(np.ones_like(y))
        far = np.log10(dx.min()) / -3
        assert far == pytest.approx(np.ceil(np.log2(leaves)), abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.__setitem__((0, 0, 0), 4),
        lambda c: c.__setitem__((0, 0), T + 1),
        lambda c: c.__setitem__((3, 1), 0),
        lambda c: c.__setitem__(([0, 2], 0), c[[2, 0], 0]),  # a node below itself
    ],
)
def test_what_is_no_tree_is_refused(change):
    layer, children = make(), balanced(LENGTHS)
    change(children)
    with pytest.raises(ValueError, match=r"children of row [01]: got .*, expected a tree of [53] leaves"):
        layer.forward((draw(), children), lengths=LENGTHS)


def test_bad_arguments_are_refused():
    layer = make()
    with pytest.raises(TypeError, match="children: got list, expected a NumPy array of int64"):
        layer.forward((draw(), [[0, 1]]))
    with pytest.raises(TypeError, match="children: got dtype float64"):
        layer.forward((draw(), np.zeros((T - 1, B, 2))))
    with pytest.raises(ValueError, match=r"children: got shape \(3, 4, 2\), expected \(4, 4, 2\)"):
        layer.forward((draw(), balanced(np.full(B, 4))))
    y, _ = layer.forward(draw())
    with pytest.raises(ValueError, match="truncate: got 2, expected None"):
        layer.backward(y, truncate=2)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 2)])
def test_trees_of_nothing(shape):
    layer = make()
    y, _ = layer.forward(np.zeros((*shape, I)))
    assert y.shape == (shape[1], H) and layer.backward(y)[0].shape == (*shape, I)
