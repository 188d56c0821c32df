"""One recurrent layer: parameters, forward, back-propagation through time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rnnbench import cells
from rnnbench.contract import Cell
from rnnbench.kernels import checkpoint as stretches
from rnnbench.kernels import cuda_host
from rnnbench.layers import arguments, freezing, initialise, weights
from rnnbench.layers.embedding import one_hot
from rnnbench.layers.layer import Layer
from rnnbench.layers.order import Order, order_of
from rnnbench.layout import Layout

DEVICES = {
    "cpu": "rnnbench.kernels.cpu",
    "cuda": "rnnbench.kernels.cuda",
    "reference": "rnnbench.kernels.reference",
}


@dataclass
class Saved:
    """What a forward pass keeps."""

    kernel: Any
    raw: dict[str, np.ndarray]
    order: Order
    outputs: str
    learned: tuple[str, ...]
    symbols: bool
    stream: Any = None


class Recurrent(Layer):
    """A layer of one recurrent cell over time-major sequences.

    Parameters
    ----------
    cell : str or Cell
        A name of :func:`rnnbench.cells.names` or a cell of your own.
    input_size, hidden_size : int
        I >= 0 and H >= 1.
    dtype : "float32" or "float64"
    device : "cpu", "cuda" or "reference"
        ``"cpu"`` is the Numba engine, ``"cuda"`` the one for NVIDIA GPUs (extra ``rnnbench[cuda]``), ``"reference"``
        the NumPy one. Parameters and their gradients are NumPy arrays on any.
    seed : int or numpy.random.Generator, or a list of these
        For the initial parameters. A list makes replicas: everything then has a leading replica axis.
    bias : True, False or "torch"
        One bias per gate, none, or PyTorch's two (``bias_ih`` and ``bias_hh``, which add up).
    init : str or dict, optional
        The cell's own recipe (``"uniform"`` for most) unless given; see :func:`rnnbench.layers.initialise.initialise`.
        With replicas, a list gives each its own.
    driver : "auto", "portable" or "persistent"
        With ``device="cuda"``: the persistent driver keeps the recurrent weights on the chip; ``"auto"`` takes it where
        it fits the GPU (the log of ``rnnbench.kernels.cuda_walk`` says why not), else the portable one.
    precision : "ieee", "tf32", "bf16" or "fp16"
        With ``device="cuda"`` and float32: what the factors of matrix products are rounded to on tensor cores (sums
        and all else stay float32). The recurrent products of the portable driver are ``"ieee"`` always.
    **options
        The cell's own options, such as ``activation="relu"``.

    Attributes
    ----------
    params, grads : dict of arrays
        ``weight_ih`` (rows, I), ``weight_hh`` (rows, H), ``weight_<source>`` for other sources, ``bias`` (rows,), unit
        parameters (width,), ``initial_<state>`` (width,) where learned. May be edited in place. `grads` has the same
        keys; fixed parameters stay 0 there.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what came and what was expected.
    RuntimeError
        For ``device="cuda"`` where no GPU can be used, with what is missing.
    """

    def __init__(
        self, cell, input_size, hidden_size, *, dtype="float32", device="cpu", seed=0, bias=True,
        init=None, driver="auto", precision="ieee", **options,
    ):  # fmt: skip
        if isinstance(cell, Cell) and options:
            raise ValueError(f"options {sorted(options)}: a built Cell takes none, expected them in its build()")
        self.cell = cell if isinstance(cell, Cell) else cells.get(cell, **options)
        self.input_size = arguments.integer("input_size", input_size, 0)
        self.hidden_size = arguments.integer("hidden_size", hidden_size, 1)
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        self.device = arguments.one_of("device", device, DEVICES)
        if device == "cuda":
            cuda_host.require()
        self.driver, self.precision = arguments.cuda_options(driver, precision, self.device, self.dtype)
        self.bias = arguments.one_of("bias", bias, (True, False, "torch"))
        self.layout = Layout(self.cell, self.input_size, self.hidden_size)
        if bias == "torch":
            arguments.torch_bias(self.layout)
        inits = initialise.recipes(init, replicas)
        self._own([initialise.initialise(self.layout, bias, *pair) for pair in zip(inits, rngs, strict=True)])
        self._frozen: Any = None
        self._known: dict[str, weights.Known] = {}

    def __repr__(self) -> str:
        replicas = "" if self.replicas is None else f", replicas={self.replicas}"
        return (
            f"Recurrent({self.cell.name!r}, {self.input_size}, {self.hidden_size}, dtype={self.dtype.name!r}, "
            f"device={self.device!r}{replicas})"
        )

    @property
    def output_size(self) -> int:
        """Width of y."""
        return self.layout.widths[self.cell.output]

    @property
    def blocks(self) -> dict[tuple[str, str], np.ndarray]:
        """Views of the weights by (gate, source): ``layer.blocks["f", "h"]`` is (H, H)."""
        return {pair: self.params[b.key][..., b.start : b.stop, :] for pair, b in self.layout.blocks.items()}

    def gate_bias(self, gate: str, key: str = "bias") -> np.ndarray:
        """Return the view of one gate's bias, shape (width,); `key` names the set when there are two.

        Raises
        ------
        ValueError
            For a gate or a set that the layer has not.
        """
        if key not in (there := [one for one in self.params if one in ("bias", "bias_ih", "bias_hh")]):
            raise ValueError(f"key: got {key!r}, but the biases of {self!r} are {there}")
        rows = {
            "bias": self.layout.bias_rows,
            "bias_ih": self.layout.torch_bias_rows("x"),
            "bias_hh": self.layout.torch_bias_rows("h"),
        }[key]
        start, stop = rows[arguments.one_of("gate", gate, tuple(rows))]
        return self.params[key][..., start:stop]

    def forward(
        self, x, state=None, *, lengths=None, reverse=False, feed=None, tape=None, outputs="all", checkpoint=None,
        stream=None,
    ):  # fmt: skip
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : (T, B, I) array of the layer's dtype
            NaN passes through to y. T = 0 and B = 0 give empty results. Integers (T, B) from 0 to I - 1 are symbols:
            the same as one-hot vectors, without the product, and without a gradient (dx is None). With
            ``device="cuda"`` this, the states, fed values and the gradients given to ``backward`` may lie on the GPU
            (anything C-contiguous with ``__cuda_array_interface__``: CuPy, PyTorch). They are not copied: leave `x` as
            it is until ``backward``. If `x` lies there, so do y, the states and what ``backward`` returns.
        state : dict of (B, width) arrays, optional
            Initial state, ``(lag, B, width)`` oldest first for a state carried several steps. Missing states start at
            the cell's initial value.
        lengths : (B,) ints in [0, T], optional
            Rows end early; what lies beyond is never read, y is 0 there, and the final state is each row's own.
        reverse : bool
            Run every row from its own end to its start; y stays aligned with x.
        feed : dict of (values (T, B, width), mask (T,) or (T, B)), optional
            At step t the previous value of a state is read as ``values[t]`` where the mask is true.
        tape : None, True or False
            None keeps the tape for ``backward`` of the last forward; True returns it as a third result instead; False
            keeps none (inference).
        outputs : "all" or "last"
            y of every step, (T, B, H), or of each row's last step, (B, H) (0 for a row of length 0).
        checkpoint : int >= 1, optional
            Keep the state of about every so many steps only, and run the steps between again in ``backward``: much less
            memory for one more forward pass, the same bits. For NumPy arrays only.
        stream : CUDA stream, optional
            Of Numba, CuPy or PyTorch, or a handle: everything on the GPU happens in its order, ``backward`` included.

        Returns
        -------
        y : array
        state : dict of arrays
        tape : Tape
            With ``tape=True`` only.
        """
        arguments.tape_choice(tape)
        arguments.one_of("outputs", outputs, ("all", "last"))
        arguments.one_of("reverse", reverse, (True, False))
        stream = arguments.stream(stream, self.device)
        if self.device != "cuda":
            return self._run(x, state, lengths, reverse, feed, tape, outputs, checkpoint, stream)
        with cuda_host.on(stream):
            return self._run(x, state, lengths, reverse, feed, tape, outputs, checkpoint, stream)

    def _run(self, x, state, lengths, reverse, feed, tape, outputs, checkpoint, stream):
        symbols = isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.ndim == len(self.lead) + 2
        if symbols:
            x = self._symbols(x)
        else:
            x = self.led(arguments.array("x", x, (*self.lead, None, None, self.input_size), self.dtype, self.device))
        every = None if checkpoint is None else arguments.integer("checkpoint", checkpoint, 1)
        if checkpoint is not None and cuda_host.on_device(x):
            raise ValueError("checkpoint: got an x on the GPU, expected a NumPy array with it")
        order = order_of(*x.shape[1:3], lengths, reverse)
        start, learned = arguments.initial_states(self, order, state)
        fed = arguments.feeds(self, order, feed)
        if checkpoint is not None and any(cuda_host.on_device(values) for values, _ in fed.values()):
            raise ValueError("checkpoint: got a feed on the GPU, expected NumPy arrays with it")
        frozen = self._frozen
        used, raw = frozen.weights if frozen else weights.used(self)
        stretched = checkpoint is not None and tape is not False
        if (self.device == "cuda" or symbols or stretched) and not frozen:
            used = self._prepared(used)
        x, last = order.put(x), outputs == "last"
        if not stretched:
            y, final, kernel = self._driver.forward(self.layout, used, x, start, order.active, fed, tape is not False)
            y = order.last(y) if last else order.back(y)
        else:
            y, final, kernel = stretches.forward(
                self._driver, self.layout, used, x, start, order.active, fed, every, last
            )
            y = order.back_rows(y) if last else order.back(y)
        final = arguments.states_back(self, order, final)
        saved = None if kernel is None else Saved(kernel, raw, order, outputs, learned, symbols, stream)
        return self._kept(tape, self.bare(y), final, saved)

    def _symbols(self, x):
        """Symbols as they are where the engine takes them, else as one-hot vectors."""
        x = np.ascontiguousarray(self.led(arguments.symbols("x", x, self.input_size, self.lead)))
        return x if self.device == "cpu" else one_hot(x, self.input_size, self.dtype)

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        if self.device != "cuda":
            return self._run_back(tape, dy, dstate, truncate, need_dx)
        with cuda_host.on(tape.saved.stream):
            return self._run_back(tape, dy, dstate, truncate, need_dx)

    def _run_back(self, tape, dy, dstate, truncate, need_dx):
        saved, need_dx = tape.saved, need_dx and not tape.saved.symbols
        checkpointed = isinstance(saved.kernel, stretches.Tape)
        order, last = saved.order, saved.outputs == "last"
        shape = (self.copies, len(order.active), len(order.rows), self.output_size)
        if dy is None:
            dy = np.zeros((shape[0], *shape[2:]) if checkpointed and last else shape, self.dtype)
        elif last:
            dy = order.put_rows(self.led(dy)) if checkpointed else order.put_last(self.led(dy))
        else:
            dy = order.put(self.led(dy))
        dfinal = arguments.states(self, order, dstate, "dstate")
        if checkpointed and any(map(cuda_host.on_device, (dy, *dfinal.values()))):
            raise ValueError("backward: got arrays on the GPU after checkpoint=, expected NumPy arrays")
        self._use(tape)
        back = stretches.backward if checkpointed else self._driver.backward
        added = weights.added_to(self)
        dx, dinitial, grads = back(saved.kernel, dy, dfinal, truncate, need_dx=need_dx, grads=added.arrays)
        weights.accumulate(self, grads, added, saved.raw)
        for name in saved.learned:
            self.grads[f"initial_{name}"] += self.bare(cuda_host.on_host(dinitial[name]).sum(axis=(1, 2)))
        return self.bare(order.back(dx)) if need_dx else None, arguments.states_back(self, order, dinitial)

    @contextmanager
    def frozen(self) -> Iterator[Recurrent]:
        """Prepare the weights once and make the parameters read-only inside the block (decoding).

        What other arrays take the parameters' place, or what is written through views that there were before, shows
        after the block.
        """
        holder = object()
        try:
            freezing.hold(self, holder)
            yield self
        finally:
            freezing.let_go(self, holder)

    @classmethod
    def from_torch(cls, module, *, device="cpu") -> Recurrent:
        """Take over the weights of a one-layer, one-direction ``torch.nn.RNN``, ``GRU`` or ``LSTM``.

        x is time-major here, (T, B, I), also if that module has ``batch_first=True``.
        """
        from rnnbench.layers import torch_bridge

        return torch_bridge.from_torch(cls, module, device)

    def to_torch(self):
        """Return a ``torch.nn`` module with this layer's weights."""
        from rnnbench.layers import torch_bridge

        return torch_bridge.to_torch(self)

    def __getstate__(self):
        return super().__getstate__() | {"_frozen": None, "_known": {}}

    def _fixed(self) -> set[str]:
        return {p.name for p in self.cell.parameters if not p.trained}

    def _prepared(self, used):
        """The weights as the driver wants them for several calls."""
        options = {"driver": self.driver, "precision": self.precision} if self.device == "cuda" else {}
        return self._driver.prepare(self.layout, used, self.dtype, self.copies, **options)

    @property
    def _driver(self):
        return _driver(DEVICES[self.device])


@cache
def _driver(name):
    return importlib.import_module(name)
