"""One recurrent layer: parameters, forward, back-propagation through time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnbench import cells
from rnnbench.contract import Cell
from rnnbench.kernels import checkpoint as stretches
from rnnbench.kernels import cuda_host
from rnnbench.layers import arguments, initialise
from rnnbench.layers.on_gpu import first_replica, without_replicas
from rnnbench.layout import Layout

DEVICES = {
    "cpu": "rnnbench.kernels.cpu",
    "cuda": "rnnbench.kernels.cuda",
    "reference": "rnnbench.kernels.reference",
}
DTYPES = {"float32": np.float32, "float64": np.float64}


@dataclass
class Tape:
    """What one forward pass keeps for its backward pass; good for one backward."""

    layer: Recurrent
    kernel: Any
    raw: dict[str, np.ndarray]
    order: arguments.Order
    outputs: str
    learned: tuple[str, ...]
    stream: Any = None
    used: bool = False


class Recurrent:
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
    seed : int or numpy.random.Generator
        For the initial parameters.
    bias : True, False or "torch"
        One bias per gate, none, or PyTorch's two (``bias_ih`` and ``bias_hh``, which add up).
    init : str or dict, optional
        The cell's own recipe (``"uniform"`` for most) unless given; see :func:`rnnbench.layers.initialise.initialise`.
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
        self.dtype = np.dtype(DTYPES[arguments.one_of("dtype", arguments.dtype_name(dtype), DTYPES)])
        self.device = arguments.one_of("device", device, DEVICES)
        if device == "cuda":
            cuda_host.require()
        self.driver, self.precision = arguments.cuda_options(driver, precision, self.device, self.dtype)
        self.bias = arguments.one_of("bias", bias, (True, False, "torch"))
        self.layout = Layout(self.cell, self.input_size, self.hidden_size)
        if bias == "torch":
            arguments.torch_bias(self.layout)
        rng = np.random.default_rng(arguments.seed(seed))
        self.params = initialise.initialise(self.layout, self.bias, init, rng, self.dtype)
        self.grads = {key: np.zeros_like(value) for key, value in self.params.items()}
        self._tape: Tape | None = None
        self._frozen: Any = None

    def __repr__(self) -> str:
        return (
            f"Recurrent({self.cell.name!r}, {self.input_size}, {self.hidden_size}, dtype={self.dtype.name!r}, "
            f"device={self.device!r})"
        )

    @property
    def output_size(self) -> int:
        """Width of y."""
        return self.layout.widths[self.cell.output]

    @property
    def blocks(self) -> dict[tuple[str, str], np.ndarray]:
        """Views of the weights by (gate, source): ``layer.blocks["f", "h"]`` is (H, H)."""
        return {pair: self.params[b.key][b.start : b.stop] for pair, b in self.layout.blocks.items()}

    def gate_bias(self, gate: str, key: str = "bias") -> np.ndarray:
        """Return the view of one gate's bias, shape (width,); `key` names the set when there are two."""
        rows = {
            "bias": self.layout.bias_rows,
            "bias_ih": self.layout.torch_bias_rows("x"),
            "bias_hh": self.layout.torch_bias_rows("h"),
        }[key]
        start, stop = rows[gate]
        return self.params[key][start:stop]

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        for grad in self.grads.values():
            grad[...] = 0

    def forward(
        self, x, state=None, *, lengths=None, reverse=False, feed=None, tape=None, outputs="all", checkpoint=None,
        stream=None,
    ):  # fmt: skip
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : (T, B, I) array of the layer's dtype
            NaN passes through to y. T = 0 and B = 0 give empty results. With ``device="cuda"`` this, the states and
            the gradients given to ``backward`` may lie on the GPU (anything C-contiguous with
            ``__cuda_array_interface__``: CuPy, PyTorch). They are not copied: leave `x` as it is until ``backward``. If
            `x` lies there, so do y, the states and what ``backward`` returns.
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
        if not (tape is None or isinstance(tape, bool)):
            raise ValueError(f"tape: got {tape!r}, expected None, True or False")
        arguments.one_of("outputs", outputs, ("all", "last"))
        arguments.one_of("reverse", reverse, (True, False))
        stream = arguments.stream(stream, self.device)
        with cuda_host.on(stream):
            return self._forward(x, state, lengths, reverse, feed, tape, outputs, checkpoint, stream)

    def _forward(self, x, state, lengths, reverse, feed, tape, outputs, checkpoint, stream):
        x = arguments.array("x", x, (None, None, self.input_size), self.dtype, self.device)
        if checkpoint is not None and cuda_host.on_device(x):
            raise ValueError("checkpoint: got an x on the GPU, expected a NumPy array with it")
        order = arguments.Order(*x.shape[:2], lengths, reverse)
        start, learned = arguments.initial_states(self, order, state)
        fed = arguments.feeds(self, order, feed)
        weights, raw = self._frozen or self._weights()
        if self.device == "cuda" and not self._frozen:
            weights = self._prepared(weights)
        x, last = first_replica(order.put(x)), outputs == "last"
        if checkpoint is None or tape is False:
            arguments_of = self.layout, weights, x, start, order.active, fed
            y, final, kernel = self._driver.forward(*arguments_of, tape is not False)
            y = without_replicas(y)
            y = order.last(y) if last else order.back(y)
        else:
            every = arguments.integer("checkpoint", checkpoint, 1)
            prepared = weights if self._frozen or self.device == "cuda" else self._prepared(weights)
            y, final, kernel = stretches.forward(
                self._driver, self.layout, prepared, x, start, order.active, fed, every, last
            )
            y = order.back_rows(y[0]) if last else order.back(y[0])
        final = arguments.states_back(self, order, final)
        kept = None if tape is False else Tape(self, kernel, raw, order, outputs, learned, stream)
        self._tape = None if tape else kept
        return (y, final, kept) if tape else (y, final)

    def backward(self, dy, dstate=None, *, tape=None, truncate=None, need_dx=True):
        """Back-propagate through time; gradients by the parameters accumulate in `grads`.

        Parameters
        ----------
        dy : array shaped like y, or None for 0
        dstate : dict of arrays shaped like the final state, optional
        tape : Tape, optional
            Of ``forward(..., tape=True)``; the last forward's otherwise.
        truncate : int >= 1, optional
            Cut every gradient path between chunks of so many steps (the values were carried).
        need_dx : bool
            False saves the gradient by the input; None is returned in its place.

        Returns
        -------
        dx : (T, B, I) array
        dstate : dict of arrays
            Gradient by the initial state.

        Raises
        ------
        RuntimeError
            Without a forward pass to go back through, or when its tape was used before.
        """
        if tape is None and self._tape is None:
            raise RuntimeError("backward: no tape, expected a forward pass first (and not with tape=False)")
        tape = self._tape if tape is None else tape
        if not isinstance(tape, Tape):
            raise TypeError(f"tape: got {type(tape).__name__}, expected the one that forward(..., tape=True) returned")
        if tape.layer is not self:
            raise ValueError(f"tape: it belongs to {tape.layer!r}, expected one of this layer")
        if tape.used:
            raise RuntimeError("backward: this tape was used before, expected a new forward pass")
        if truncate is not None:
            arguments.integer("truncate", truncate, 1)
        arguments.one_of("need_dx", need_dx, (True, False))
        with cuda_host.on(tape.stream):
            return self._backward(dy, dstate, tape, truncate, need_dx)

    def _backward(self, dy, dstate, tape, truncate, need_dx):
        checkpointed = isinstance(tape.kernel, stretches.Tape)
        order, shape = tape.order, (len(tape.order.active), len(tape.order.rows), self.output_size)
        if dy is None:
            dy = np.zeros(shape[1:] if checkpointed and tape.outputs == "last" else shape, self.dtype)
        elif tape.outputs == "last":
            dy = arguments.array("dy", dy, shape[1:], self.dtype, self.device)
            dy = order.put_rows(dy) if checkpointed else order.put_last(dy)
        else:
            dy = order.put(arguments.array("dy", dy, shape, self.dtype, self.device))
        dfinal = arguments.states(self, order, dstate, "dstate")
        if checkpointed and any(map(cuda_host.on_device, (dy, *dfinal.values()))):
            raise ValueError("backward: got arrays on the GPU after checkpoint=, expected NumPy arrays")
        for name in self.layout.states:
            if name not in dfinal:
                dfinal[name] = np.zeros((1, self.layout.lags[name], shape[1], self.layout.widths[name]), self.dtype)
        tape.used = True
        if tape is self._tape:
            self._tape = None
        back = stretches.backward if checkpointed else self._driver.backward
        dx, dinitial, grads = back(tape.kernel, first_replica(dy), dfinal, truncate, need_dx=need_dx)
        self._accumulate({key: value[0] for key, value in grads.items()}, tape.raw)
        for name in tape.learned:
            self.grads[f"initial_{name}"] += cuda_host.on_host(dinitial[name])[0].sum(axis=(0, 1))
        dinitial = arguments.states_back(self, order, dinitial)
        return order.back(without_replicas(dx)) if need_dx else None, dinitial

    @contextmanager
    def frozen(self) -> Iterator[Recurrent]:
        """Prepare the weights once and make the parameters read-only inside the block (decoding)."""
        weights, raw = self._weights()
        before = {key: value.flags.writeable for key, value in self.params.items()}
        outer = self._frozen
        self._frozen = self._prepared(weights), raw
        for value in self.params.values():
            value.flags.writeable = False
        try:
            yield self
        finally:
            self._frozen = outer
            for key, value in self.params.items():
                value.flags.writeable = before[key]

    @classmethod
    def from_torch(cls, module, *, device="cpu") -> Recurrent:
        """Take over the weights of a one-layer, one-direction ``torch.nn.RNN``, ``GRU`` or ``LSTM``."""
        from rnnbench.layers import torch_bridge

        return torch_bridge.from_torch(cls, module, device)

    def to_torch(self):
        """Return a ``torch.nn`` module with this layer's weights."""
        from rnnbench.layers import torch_bridge

        return torch_bridge.to_torch(self)

    def _weights(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The weights a driver takes (leading replica axis, one bias) and a copy of the raw ones if mapped."""
        arguments.check_params(self)
        raw = {}
        used = {key: self.params[key] for key in self.layout.weight_shapes}
        if self.cell.weights:
            raw = {key: value.copy() for key, value in used.items()}
            for key, value in self.cell.weights.forward(raw).items():
                used[key] = arguments.array(f"weight map's {key}", value, self.params[key].shape, self.dtype)
        if self.bias is True and self.layout.bias_size:
            used["bias"] = self.params["bias"]
        if self.bias == "torch":
            used["bias"] = np.zeros(self.layout.bias_size, self.dtype)
            for key, rows in self._torch_rows():
                for gate, (start, stop) in rows.items():
                    a, b = self.layout.bias_rows[gate]
                    used["bias"][a:b] += self.params[key][start:stop]
        used |= {name: self.params[name] for name in self.layout.parameter_widths}
        return {key: np.ascontiguousarray(value)[None] for key, value in used.items()}, raw

    def _prepared(self, weights):
        """The weights as the driver wants them for several calls."""
        options = {"driver": self.driver, "precision": self.precision} if self.device == "cuda" else {}
        return self._driver.prepare(self.layout, weights, self.dtype, **options)

    def _accumulate(self, grads: Mapping[str, np.ndarray], raw: Mapping[str, np.ndarray]) -> None:
        grads = dict(grads)
        if self.cell.weights:
            of_matrices = {key: grads[key] for key in self.layout.weight_shapes}
            grads |= dict(self.cell.weights.backward(raw, of_matrices))
        if self.bias == "torch":
            whole = grads.pop("bias")
            for key, rows in self._torch_rows():
                for gate, (start, stop) in rows.items():
                    a, b = self.layout.bias_rows[gate]
                    self.grads[key][start:stop] += whole[a:b]
        fixed = {p.name for p in self.cell.parameters if not p.trained}
        for key, grad in grads.items():
            if key not in fixed:
                self.grads[key] += grad

    def _torch_rows(self):
        return {"bias_ih": self.layout.torch_bias_rows("x"), "bias_hh": self.layout.torch_bias_rows("h")}.items()

    @property
    def _driver(self):
        return importlib.import_module(DEVICES[self.device])
