"""The recursive network: one function of two children, from the leaves of a tree up to its root."""

from __future__ import annotations

import numpy as np

from rnnbench.layers import arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.dense import Dense
from rnnbench.layers.layer import Layer


class Tree(Layer):
    r"""A recursive network over binary trees: the vector of the root, (B, H), from leaves (T, B, I).

    .. math::

        v_{leaf} = V x + c, \quad v = \tanh(W (v_{left}; v_{right}) + b)

    ``forward(x)`` takes the balanced tree over each row's leaves, whose depth is :math:`\lceil \log_2 T \rceil`: a path
    from a leaf to the root is that short, where a recurrent layer's has T steps. ``forward((x, children))`` takes any
    trees: see :func:`balanced` for what `children` are. All nodes of a height, those of all rows, are one product.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H >= 1.
    dtype : "float32" or "float64"
    seed : int or numpy.random.Generator, or a list of these for replicas
        Replicas share the trees.

    Attributes
    ----------
    parts : dict
        ``leaf`` and ``node``.

    Notes
    -----
    A row of length 0 gives 0. ``truncate`` is refused: there is no time to cut. Of ``(x, children)`` dx is a pair, too:
    ``(dx, None)``.

    Sources: J. B. Pollack, Recursive Distributed Representations, Artificial Intelligence 46, 1990; R. Socher, C. C.
    Lin, A. Y. Ng and C. D. Manning, Parsing Natural Scenes and Natural Language with Recursive Neural Networks, ICML
    2011.
    """

    stateful = False
    uncut = "a tree has no time to cut"

    def __init__(self, input_size, hidden_size, *, dtype="float32", seed=0):
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.output_size = self.hidden_size = arguments.integer("hidden_size", hidden_size, 1)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        self.parts = {
            "leaf": Dense(self.input_size, self.hidden_size, **shared),
            "node": Dense(2 * self.hidden_size, self.hidden_size, activation="tanh", **shared),
        }

    def __repr__(self) -> str:
        return f"Tree({self.input_size}, {self.hidden_size})"

    def _forward(self, x, state, lengths, keep):
        children, paired = None, isinstance(x, tuple | list)
        if paired:
            x, children = sequences.pair("x", x, "x", "children")
        x = arguments.array("x", x, (*self.lead, None, None, self.input_size), self.dtype)
        steps, rows = x.shape[-3:-1]
        there = sequences.running(lengths, steps, rows)
        leaves = there.sum(axis=0)
        children = balanced(leaves, steps) if children is None else _checked(children, leaves, steps)

        vectors = np.zeros((self.copies, rows, steps + len(children), self.hidden_size), self.dtype)
        row, leaf = np.nonzero(there.T)
        of_leaves, _, *of_leaf = self.parts["leaf"].forward(self.bare(self.led(x)[:, leaf, row]), tape=keep)
        vectors[:, row, leaf] = self.led(of_leaves)
        levels = []
        for row, node in _levels(children, steps):
            pair = children[node - steps, row]  # (N, 2)
            joined = vectors[:, row[:, None], pair].reshape(self.copies, len(row), 2 * self.hidden_size)
            made, _, *of_node = self.parts["node"].forward(self.bare(joined), tape=keep)
            vectors[:, row, node] = self.led(made)
            levels.append((row, node, pair, *of_node))

        some, root = np.flatnonzero(leaves), _roots(children, leaves, steps)
        y = np.zeros((self.copies, rows, self.hidden_size), self.dtype)
        y[:, some] = vectors[:, some, root[some]]
        return self.bare(y), {}, (x.shape, paired, vectors.shape, there, of_leaf, levels, some, root)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        shape, paired, of_vectors, there, of_leaf, levels, some, root = self._use(tape)
        dvectors = np.zeros(of_vectors, self.dtype)
        if dy is not None:
            dvectors[:, some, root[some]] = self.led(dy)[:, some]
        for row, node, pair, of_node in reversed(levels):
            djoined, _ = self.parts["node"].backward(self.bare(dvectors[:, row, node]), tape=of_node)
            # Every node has one parent, so that nothing has to be added up here.
            dvectors[:, row[:, None], pair] = self.led(djoined).reshape(-1, *pair.shape, self.hidden_size)
        row, leaf = np.nonzero(there.T)
        dleaves, _ = self.parts["leaf"].backward(self.bare(dvectors[:, row, leaf]), tape=of_leaf[0], need_dx=need_dx)
        if not need_dx:
            return None, {}
        dx = np.zeros(shape, self.dtype)
        self.led(dx)[:, leaf, row] = self.led(dleaves)
        return ((dx, None) if paired else dx), {}


def balanced(leaves, steps=None):
    """Return the children of balanced trees over so many leaves in each row.

    Parameters
    ----------
    leaves : (B,) integers
    steps : int, optional
        T, the steps of x; the largest of `leaves` unless given. Node n < T is leaf n of a row; T, T + 1 ... are its
        inner nodes.

    Returns
    -------
    children : (T - 1, B, 2) int64 array
        ``children[k, b]`` are the left and right child of node T + k of row b, both made before it; -1 beyond the nodes
        of a row. The last node of a row is its root, one leaf is its own.
    """
    leaves = np.asarray(leaves)
    most = int(leaves.max(initial=0))
    steps = most if steps is None else steps
    if most > steps:
        raise ValueError(f"leaves: got {most} in a row, expected at most {steps}, as there are steps")
    children = np.full((max(steps - 1, 0), len(leaves), 2), -1)
    for count in np.unique(leaves):
        level, made = list(range(count)), []
        while len(level) > 1:
            pairs = list(zip(level[::2], level[1::2], strict=False))
            level = [steps + len(made) + i for i in range(len(pairs))] + level[2 * len(pairs) :]
            made += pairs
        children[: len(made), leaves == count] = np.array(made, np.int64).reshape(len(made), 1, 2)
    return children


def heights(children, steps):
    """Return the height of every inner node, (T - 1, B); 0 where there is none."""
    nodes, rows = children.shape[:2]
    found = np.zeros((steps + nodes, rows), np.int64)
    row = np.arange(rows)
    for k in range(nodes):
        below = np.maximum(found[children[k, :, 0], row], found[children[k, :, 1], row])
        found[steps + k] = np.where(children[k, :, 0] >= 0, below + 1, 0)
    return found[steps:]


def _levels(children, steps):
    """Rows and numbers of the nodes of height 1, of height 2 ..."""
    found = heights(children, steps)
    for height in range(1, found.max(initial=0) + 1):
        node, row = np.nonzero(found == height)
        yield row, node + steps


def _roots(children, leaves, steps):
    """The number of each row's last node; that of its leaf where it has one only."""
    inner = (children[..., 0] >= 0).sum(axis=0)
    return np.where(inner > 0, steps + inner - 1, 0)


def _checked(children, leaves, steps):
    """Refuse what is no tree over each row's leaves."""
    arguments.array("children", children, (max(steps - 1, 0), len(leaves), 2), getattr(children, "dtype", "int64"))
    if children.dtype.kind not in "iu":
        raise TypeError(f"children: got dtype {children.dtype}, expected integers")
    children = children.astype(np.int64)
    for b, count in enumerate(leaves):
        inner = max(count - 1, 0)
        own = children[:inner, b]
        used = np.sort(own.ravel())
        nodes = np.concatenate([np.arange(count), steps + np.arange(inner)])
        early = own < steps + np.arange(inner)[:, None]
        if (children[inner:, b] != -1).any() or not np.array_equal(used, nodes[: 2 * inner]) or not early.all():
            raise ValueError(
                f"children of row {b}: got {own.tolist()}, expected a tree of {count} leaves: {inner} nodes, every leaf"
                f" (0 to {count - 1}) and every node (from {steps}) but the last a child once, of a later node; then -1"
            )
    return children
