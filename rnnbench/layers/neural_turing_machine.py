"""The neural Turing machine: a controller that reads from and writes to a memory, all of it differentiable."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import numpy as np

from rnnbench.layers import addressing, arguments, sequences
from rnnbench.layers import parts as of
from rnnbench.layers.attention import softmax, softmax_backward
from rnnbench.layers.dense import Dense
from rnnbench.layers.layer import Layer
from rnnbench.layers.recurrent import Recurrent

CARRIED = ("memory", "read", "weights")


class NeuralTuringMachine(Layer):
    r"""Inputs (T, B, I) to outputs (T, B, O) through a memory of N slots of M numbers.

    At step t the controller sees x_t and what the heads read before, and tells all heads where to go. They find their
    places in the memory as it was (:mod:`~rnnbench.layers.addressing`); the write heads erase and add, then the read
    heads read :math:`r_t = w_t M_t`, and y_t is linear in the controller's output and r_t.

    Parameters
    ----------
    input_size, output_size : int
        I and O >= 1.
    slots, width : int
        N and M >= 1.
    hidden_size : int
        Units of the controller.
    controller : "feed-forward" or a cell
        A tanh layer, or a recurrent layer of this cell.
    read_heads, write_heads : int
        >= 1.
    shift : int
        r >= 0: a head moves by at most r slots at a step; 2r + 1 <= N.
    dtype, device, seed, **options
        As for :class:`~rnnbench.layers.recurrent.Recurrent`.

    Attributes
    ----------
    params : dict of arrays
        What everything starts from: ``memory`` (N, M), ``read`` (read heads, M), and ``weights`` (heads, N), of which
        the softmax is taken.
    parts : dict
        ``controller``, ``heads`` (the numbers of all heads, those of the read heads first; a write head has 2 M more,
        erase and add) and ``readout``.

    Notes
    -----
    The state is {"controller": ..., "memory": (B, N M), "read": (B, read heads M), "weights": (B, heads N)}.

    Source: A. Graves, G. Wayne and I. Danihelka, Neural Turing Machines, arXiv:1410.5401, 2014. Its equations address
    M_t, which is only made by writing; here, as is usual, all heads address M_(t-1).
    """

    def __init__(
        self, input_size, output_size, *, slots=128, width=20, hidden_size=100, controller="lstm", read_heads=1,
        write_heads=1, shift=1, dtype="float32", device="cpu", seed=0, **options,
    ):  # fmt: skip
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.output_size = arguments.integer("output_size", output_size, 1)
        self.slots, self.width = arguments.integer("slots", slots, 1), arguments.integer("width", width, 1)
        self.read_heads = arguments.integer("read_heads", read_heads, 1)
        self.write_heads = arguments.integer("write_heads", write_heads, 1)
        self.shift = arguments.integer("shift", shift, 0)
        if 2 * self.shift + 1 > self.slots:
            raise ValueError(f"shift: got {shift} with {slots} slots, expected at most {(self.slots - 1) // 2}")
        rngs, replicas = arguments.generators(seed)
        super().__init__(dtype=dtype, replicas=replicas)
        shared = {"dtype": dtype, "seed": of.seed(rngs, replicas)}
        seen = self.input_size + self.read_heads * self.width
        if controller == "feed-forward":
            if options:
                raise ValueError(f"options {sorted(options)}: expected none with a feed-forward controller")
            part = Dense(seen, hidden_size, activation="tanh", **shared)
        else:
            part = Recurrent(controller, seen, hidden_size, device=device, **shared, **options)
        heads = self.read_heads + self.write_heads
        numbers = heads * addressing.size(self.width, self.shift) + 2 * self.width * self.write_heads
        self.parts = {
            "controller": part,
            "heads": Dense(part.output_size, numbers, **shared),
            "readout": Dense(part.output_size + self.read_heads * self.width, self.output_size, **shared),
        }
        self._own([self._start(rng) for rng in rngs])

    def __repr__(self) -> str:
        return f"NeuralTuringMachine({self.input_size}, {self.output_size}, {self.parts['controller']!r})"

    def _start(self, rng):
        bound = 1 / np.sqrt(self.width)
        return {
            "memory": rng.uniform(-bound, bound, (self.slots, self.width)),
            "read": rng.uniform(-bound, bound, (self.read_heads, self.width)),
            "weights": rng.normal(size=(self.read_heads + self.write_heads, self.slots)),
        }

    def _forward(self, x, state, lengths, keep):
        x = arguments.array("x", x, (*self.lead, None, None, self.input_size), self.dtype)
        steps, rows = x.shape[-3:-1]
        there = sequences.running(lengths, steps, rows)
        carried, given = self._initial(state, rows)
        if not steps:
            carried = self._started(carried)
        x = np.where(there[..., None], self.led(x), self.dtype.type(0))
        y = np.zeros((self.copies, steps, rows, self.output_size), self.dtype)
        tapes = []
        controller = self.parts["controller"]
        with controller.frozen() if isinstance(controller, Recurrent) else nullcontext():
            for t in range(steps):
                out, after, tape = self._step(x[:, t], carried, keep)
                if not there[t].all():
                    after = _choose(there[t], after, carried if t else self._started(carried))
                carried = after
                y[:, t] = np.where(there[t][:, None], out, self.dtype.type(0))
                tapes.append(tape)
        final = {"controller": carried["controller"]} if carried["controller"] else {}
        final |= {key: self.bare(carried[key]).copy() for key in CARRIED}  # the tape keeps what was carried
        return self.bare(y), final, (tapes, there, given, of.shapes(final))

    def _initial(self, state, rows):
        """What the first step starts from, and which of it was given: the rest is made of parameters."""
        state = of.states(state, ["controller", *CARRIED])
        carried = {"controller": state.get("controller") or {}}
        given = [("controller", name) for name in carried["controller"]]
        for key in CARRIED:
            shape = self.params[key].shape[-2:]
            if key in state:
                given.append(key)
                flat = (*self.lead, rows, shape[0] * shape[1])
                carried[key] = self.led(arguments.array(f"state[{key!r}]", state[key], flat, self.dtype))
            else:
                value = self.led(self.params[key])
                value = softmax(value) if key == "weights" else value
                carried[key] = np.repeat(_flat(value)[:, None], rows, axis=1)
        return carried, given

    def _apart(self, key, flat):
        """What is carried (R, B, ·) as (R, B, slots or heads, ·)."""
        return flat.reshape(*flat.shape[:2], *self.params[key].shape[-2:])

    def _started(self, carried):
        """The same with all that the controller starts from: rows of length 0 end with it."""
        controller, rows = self.parts["controller"], carried["read"].shape[1]
        if isinstance(controller, Dense):
            return carried
        nothing = np.zeros((*self.lead, 0, rows, controller.input_size), self.dtype)
        return carried | {"controller": controller.forward(nothing, carried["controller"], tape=False)[1]}

    def _step(self, x, carried, keep):
        before, places = self._apart("memory", carried["memory"]), self._apart("weights", carried["weights"])
        seen = np.concatenate([x, carried["read"]], axis=-1)
        h, controlled, *of_controller = self._control(self.bare(seen), carried["controller"], keep)
        p, _, *of_heads = self.parts["heads"].forward(h, tape=keep)
        address, erase, add = self._split(self.led(p))
        erase = addressing.sigmoid(erase)
        weights, placed = addressing.address(address, before, places)
        memory, written = addressing.write(before, weights[..., self.read_heads :, :], erase, add)
        read = _flat(np.matmul(weights[..., : self.read_heads, :], memory))
        y, _, *of_readout = self.parts["readout"].forward(np.concatenate([h, self.bare(read)], axis=-1), tape=keep)
        after = {"controller": controlled, "memory": _flat(memory), "read": read, "weights": _flat(weights)}
        if not keep:
            return self.led(y), after, None
        return (
            self.led(y),
            after,
            (of_controller[0], of_heads[0], of_readout[0], placed, written, erase, memory, weights),
        )

    def _control(self, seen, state, keep):
        controller = self.parts["controller"]
        if isinstance(controller, Dense):
            return controller.forward(seen, tape=keep)
        h, state, *tape = controller.forward(np.ascontiguousarray(seen[..., None, :, :]), state, tape=keep)
        return h[..., 0, :, :], state, *tape

    def _split(self, p):
        """A step's numbers (R, B, ·) as those for addressing (R, B, heads, ·), and erase and add (R, B, heads, M)."""
        heads, rows = self.read_heads + self.write_heads, p.shape[1]
        count = heads * addressing.size(self.width, self.shift)
        address = p[..., :count].reshape(self.copies, rows, heads, count // heads)
        writing = p[..., count:].reshape(self.copies, rows, self.write_heads, 2 * self.width)
        return address, writing[..., : self.width], writing[..., self.width :]

    def _backward(self, tape, dy, dstate, truncate, need_dx):
        tapes, there, given, shapes = tape.saved
        dstate = copy.deepcopy(of.dstates(dstate, shapes, self.dtype))  # without steps it is what is returned
        self._use(tape)
        steps, rows = there.shape
        dy = np.zeros((self.copies, *tape.shape[-3:]), self.dtype) if dy is None else self.led(dy)
        d = {"controller": dict(dstate.get("controller", {}))}
        for key in CARRIED:
            d[key] = self.led(dstate[key]) if key in dstate else np.zeros((self.copies, *shapes[key][-2:]), self.dtype)
        dx = np.zeros((self.copies, steps, rows, self.input_size), self.dtype)
        for t in reversed(range(steps)):
            ran = there[t].all()
            through = d if ran else _only(there[t], d)
            dout = np.where(there[t][:, None], dy[:, t], self.dtype.type(0))
            dx[:, t], before = self._step_backward(tapes[t], dout, through)
            if truncate is not None and t and t % truncate == 0:
                before = _only(np.zeros(rows, bool), before)
            d = before if ran else _sum(before, _only(~there[t], d))
        if own := {name: value for name, value in d["controller"].items() if ("controller", name) not in given}:
            self._pass_by(~there.any(axis=0), own)
        dinitial = {"controller": d["controller"]} if d["controller"] else {}
        for key in CARRIED:
            dinitial[key] = self.bare(d[key])
            if key not in given:
                self._initial_gradient(key, d[key].sum(axis=1))
        return self.bare(dx) if need_dx else None, dinitial

    def _pass_by(self, never, d):
        """The gradient by the controller's own initial state of rows that never ran: their final state is that one."""
        controller, rows = self.parts["controller"], len(never)
        nothing = np.zeros((*self.lead, 0, rows, controller.input_size), self.dtype)
        _, _, tape = controller.forward(nothing, tape=True)
        controller.backward(None, _only(never, d), tape=tape)

    def _initial_gradient(self, key, d):
        d = d.reshape(self.led(self.params[key]).shape)
        if key == "weights":
            d = softmax_backward(softmax(self.led(self.params[key])), d)
        self.grads[key] += self.bare(d)

    def _step_backward(self, tape, dy, d):
        of_controller, of_heads, of_readout, placed, written, erase, memory, weights = tape
        joined = self.parts["controller"].output_size
        dout, _ = self.parts["readout"].backward(self.bare(dy), tape=of_readout)
        dout = self.led(dout)
        dread = self._apart("read", d["read"] + dout[..., joined:])
        reading = weights[..., : self.read_heads, :]
        dmemory = self._apart("memory", d["memory"]) + np.matmul(reading.swapaxes(-1, -2), dread)
        dweights = self._apart("weights", d["weights"]).copy()
        dweights[..., : self.read_heads, :] += np.matmul(dread, memory.swapaxes(-1, -2))
        dbefore, of_writing, derase, dadd = addressing.write_backward(written, dmemory)
        dweights[..., self.read_heads :, :] += of_writing
        daddress, of_place, dweights = addressing.address_backward(placed, dweights)
        dwriting = np.concatenate([derase * erase * (1 - erase), dadd], axis=-1)
        dp = np.concatenate([_flat(daddress), _flat(dwriting)], axis=-1)
        dh, _ = self.parts["heads"].backward(self.bare(dp), tape=of_heads)
        dh = dh + self.bare(dout[..., :joined])
        dseen, controlled = self._control_backward(dh, d["controller"], of_controller)
        dx, dread = np.split(self.led(dseen), [self.input_size], axis=-1)
        before = {"memory": _flat(dbefore + of_place), "read": dread, "weights": _flat(dweights)}
        return dx, {"controller": controlled} | before

    def _control_backward(self, dh, dstate, tape):
        controller = self.parts["controller"]
        if isinstance(controller, Dense):
            return controller.backward(dh, tape=tape)
        dseen, dstate = controller.backward(np.ascontiguousarray(dh[..., None, :, :]), dstate, tape=tape)
        return dseen[..., 0, :, :], dstate


def _flat(value):
    """The last two axes as one."""
    return value.reshape(*value.shape[:-2], value.shape[-2] * value.shape[-1])


def _choose(there, after, before):
    """`after` for the rows that are there, `before` for those that have ended."""
    if isinstance(after, dict):
        return {key: _choose(there, value, before[key]) for key, value in after.items()}
    return np.where(there[:, None], after, before)


def _only(there, d):
    """A gradient by the carried state, 0 but for these rows."""
    if isinstance(d, dict):
        return {key: _only(there, value) for key, value in d.items()}
    return np.where(there[:, None], d, d.dtype.type(0))


def _sum(first, second):
    if isinstance(first, dict):
        return {key: _sum(value, second[key]) if key in second else value for key, value in first.items()}
    return first + second
