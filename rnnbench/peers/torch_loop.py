"""Any cell in eager PyTorch, written as its users write a cell that ``torch.nn`` has not: a loop over time.

What a careful user does, this does too: the products with the input are made for all steps at once, the gates of a
stage that share a source are one product (``addmm`` onto what is there), biases ride on the first product, steps are
taken apart by ``unbind`` and put together by ``stack``, gradients come from autograd. The pointwise part is the cell's
own pure function, see :mod:`rnnbench.peers.torch_ops`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from rnnbench.contract import INPUT, LEARNED, parse
from rnnbench.layout import Layout
from rnnbench.peers.tasks import Job, NotSupported, Task, is_common


def load() -> None:
    """Import torch."""
    import torch  # noqa: F401


@dataclass(frozen=True)
class Product:
    """One matrix product of a stage: rows `start` to `stop` of the stacked matrix `key`.

    Attributes
    ----------
    source, where : str, (str, int)
        Also as its vector and lag.
    gates : tuple of str
        To which it adds, in order.
    biased : tuple of bool
        Whether it brings the gate's bias.
    """

    source: str
    where: tuple[str, int]
    gates: tuple[str, ...]
    biased: tuple[bool, ...]
    key: str
    start: int
    stop: int


def products(layout: Layout, stage) -> list[Product]:
    """The products of a stage, the input's first; each gate's first product brings its bias."""
    by_source: dict[str, list[str]] = {}
    for gate in stage.gates:
        for source in gate.sources:
            by_source.setdefault(source, []).append(gate.name)
    made, served = [], set()
    for source in sorted(by_source, key=lambda source: source != INPUT):
        gates = tuple(by_source[source])
        first, last = layout.blocks[gates[0], source], layout.blocks[gates[-1], source]
        biased = tuple(gate not in served and gate in layout.bias_rows for gate in gates)
        made.append(Product(source, parse(source), gates, biased, first.key, first.start, last.stop))
        served |= set(gates)
    return made


class Loop:
    """A cell over all steps: ``loop(parameters, x) -> (y, states)``, tensors as of a layer with one bias per gate."""

    def __init__(self, layout: Layout):
        from rnnbench.peers.torch_ops import on_tensors

        self.layout, self.cell = layout, layout.cell
        self.bodies = [on_tensors(stage.forward) for stage in self.cell.stages]
        self.products = [products(layout, stage) for stage in self.cell.stages]
        self.reads = [[parse(source) for source in stage.reads] for stage in self.cell.stages]
        self.constant = {v.name for v in self.cell.vectors if not v.differentiable}

    def __call__(self, parameters, x):
        import torch

        layout, rows = self.layout, x.shape[1]
        weights = self._mapped(parameters)
        ready = [[self._ready(product, weights, x) for product in of_stage] for of_stage in self.products]
        alone = [self._without_source(stage, weights, rows) for stage in self.cell.stages]
        past = {name: self._start(name, parameters, rows) for name in layout.states}
        units = [tuple(parameters[name] for name in stage.parameters) for stage in self.cell.stages]
        outputs = []
        for t, x_t in enumerate(x.unbind(0)):
            now = {INPUT: x_t}
            for number, stage in enumerate(self.cell.stages):
                a = self._gates(number, ready[number], now, past, t)
                a = a | alone[number] if alone[number] else a
                makes, _ = self.bodies[number](
                    tuple([a[gate.name] for gate in stage.gates]),
                    tuple([past[name][-lag] if lag else now[name] for name, lag in self.reads[number]]),
                    units[number],
                )
                for name, made in zip(stage.makes, makes, strict=True):
                    now[name] = self._made(name, made, rows)
            for name, before in past.items():
                before.append(now[name])
            outputs.append(now[self.cell.output])
        states = {name: before[0] if len(before) == 1 else torch.stack(list(before)) for name, before in past.items()}
        return torch.stack(outputs), states

    def _mapped(self, parameters):
        if self.cell.weights is None:
            return parameters
        keys = tuple(self.layout.weight_shapes)
        mapped = _weight_map()(self.cell.weights, keys, *(parameters[key] for key in keys))
        return parameters | dict(zip(keys, mapped, strict=True))

    def _ready(self, product, weights, x):
        """The products of all steps with the input; for another source its matrix, transposed, and bias."""
        import torch

        matrix, bias = weights[product.key][product.start : product.stop], self._bias(product, weights)
        if product.source == INPUT:
            return torch.nn.functional.linear(x, matrix, bias).unbind(0)
        return matrix.t(), bias

    def _bias(self, product, weights):
        import torch

        if not any(product.biased):
            return None
        parts = []
        for gate, has in zip(product.gates, product.biased, strict=True):
            first, last = self.layout.bias_rows.get(gate, (0, 0))
            width = self.layout.gate_widths[gate]
            parts.append(weights["bias"][first:last] if has else weights["bias"].new_zeros(width))
        return torch.cat(parts)

    def _without_source(self, stage, weights, rows):
        """Gates that are a bias and nothing else."""
        made = {}
        for gate in stage.gates:
            if not gate.sources:
                first, last = self.layout.bias_rows.get(gate.name, (0, 0))
                width = self.layout.gate_widths[gate.name]
                bias = weights["bias"][first:last] if gate.bias else weights["bias"].new_zeros(width)
                made[gate.name] = bias.expand(rows, width)
        return made

    def _gates(self, number, ready, now, past, t):
        import torch

        sums = {}
        for product, given in zip(self.products[number], ready, strict=True):
            if product.source == INPUT:
                sums[product.gates] = given[t]
                continue
            matrix, bias = given
            base = sums.get(product.gates, bias)
            name, lag = product.where
            source = past[name][-lag] if lag else now[name]
            sums[product.gates] = source @ matrix if base is None else torch.addmm(base, source, matrix)
        found = {}
        for gates, total in sums.items():
            for gate, part in zip(gates, total.chunk(len(gates), 1), strict=True):
                found[gate] = found[gate] + part if gate in found else part
        return found

    def _start(self, name, parameters, rows):
        """The past of a state before the first step, as long as the longest look back."""
        import torch

        vector, width, lag = self.cell.vector(name), self.layout.widths[name], self.layout.lags[name]
        if vector.initial == LEARNED:
            start = parameters[f"initial_{name}"].expand(rows, width)
        else:
            start = torch.full((rows, width), float(vector.initial))
        return deque([start.detach() if name in self.constant else start] * lag, maxlen=lag)

    def _made(self, name, made, rows):
        """A vector as the next reader sees it: a tensor of full shape, without a gradient where it has none."""
        import torch

        shape = rows, self.layout.widths[name]
        if not isinstance(made, torch.Tensor):
            return torch.full(shape, float(made))
        made = made if made.shape == shape else made.expand(shape)
        return made.detach() if name in self.constant else made


def _weight_map():
    """The autograd function of a cell's weight map: NumPy once per call, outside the loop over time."""
    import torch

    class Mapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, weight_map, keys, *raw):
            ctx.map, ctx.raw = weight_map, {k: r.detach().numpy() for k, r in zip(keys, raw, strict=True)}
            used = ctx.raw | dict(weight_map.forward(ctx.raw))
            return tuple(torch.from_numpy(used[key].copy()) for key in keys)

        @staticmethod
        def backward(ctx, *given):
            dused = {k: d.contiguous().numpy() for k, d in zip(ctx.raw, given, strict=True)}
            draw = dused | dict(ctx.map.backward(ctx.raw, dused))
            return None, None, *(torch.from_numpy(draw[key].copy()) for key in ctx.raw)

    return Mapped.apply


def prepare(task: Task, arrays: dict) -> Job:
    """A loop with these weights, and the call of its direction."""
    if is_common(task.cell, task.activation):
        raise NotSupported("PyTorch has this cell as a layer: it is the peer torch")
    import torch

    from rnnbench.peers import own

    torch.set_num_threads(task.threads)
    layer = own.make_layer(replace(task, variant="reference"))
    return make_job(
        layer.layout, {name: arrays[name] for name in layer.params}, arrays["x"], arrays["dy"], task.training
    )


def make_job(layout: Layout, parameters: dict, x, dy, training: bool) -> Job:
    """The call of a direction, for a layout and its arrays."""
    import torch

    loop = Loop(layout)
    parameters = {name: torch.from_numpy(value.copy()) for name, value in parameters.items()}
    x, dy = torch.from_numpy(x), torch.from_numpy(dy)
    fixed = {p.name for p in layout.cell.parameters if not p.trained}
    trained = {name: value for name, value in parameters.items() if name not in fixed}

    def infer():
        with torch.inference_mode():
            return loop(parameters, x)

    def train():
        for value in (x, *trained.values()):
            value.grad = None
        y, states = loop(parameters, x)
        y.backward(dy)
        return y, states

    def arrays_of(result):
        y, states = result
        made = {"y": y} | {name: value for name, value in states.items() if name not in parameters}
        made = {name: value.detach().numpy() for name, value in made.items()}
        if training:
            leaves = {"dx": x} | trained
            grads = {k: torch.zeros_like(v) if v.grad is None else v.grad for k, v in leaves.items()}
            made |= {name: value.numpy() for name, value in grads.items()}
        return made

    if training:
        for value in (x, *trained.values()):
            value.requires_grad_()
        if not loop(parameters, x[:1])[0].requires_grad:
            raise NotSupported("the cell's output has no gradient that autograd could follow")
    return Job(train if training else infer, arrays_of)
