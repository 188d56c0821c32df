"""PyTorch: eager with oneDNN (its best for the LSTM), eager without it, compiled where it unrolls in time, and
eager with packed sequences."""

from __future__ import annotations

from rnnbench.peers.tasks import Job, NotSupported, Task, check_common

MODULES = {"elman": "RNN", "gru_reset_after": "GRU", "lstm": "LSTM"}
LONGEST_COMPILED = 25  # steps: the compiler unrolls them all, minutes for a hundred


def load() -> None:
    """Import torch."""
    import torch  # noqa: F401


def prepare(task: Task, arrays: dict) -> Job:
    """A ``torch.nn`` module with these weights, and the call of its direction."""
    import torch

    check_common(task, "PyTorch")
    torch.set_num_threads(task.threads)
    options = {"nonlinearity": task.activation or "tanh"} if task.cell == "elman" else {}
    module = getattr(torch.nn, MODULES[task.cell])(task.shape.I, task.shape.H, **options)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(module, f"{name}_l0").copy_(torch.from_numpy(arrays[name]))
    run = module
    if task.variant == "compile":
        run = _compiled(torch, module, task)
    elif task.variant == "packed":
        run = _packed(torch, module, task, arrays)
    onednn = task.variant != "plain"
    x = torch.from_numpy(arrays["x"])
    dy = torch.from_numpy(arrays["dy"])
    x.requires_grad_(task.training)

    def infer():
        torch.backends.mkldnn.set_flags(onednn)
        with torch.inference_mode():
            return run(x)

    def train():
        torch.backends.mkldnn.set_flags(onednn)
        x.grad = None
        module.zero_grad()
        result = run(x)
        result[0].backward(dy)
        return result

    def arrays_of(result):
        y, last = result
        made = {"y": y} | dict(zip("hc", last if task.cell == "lstm" else (last,), strict=False))
        made = {name: value.detach().numpy() for name, value in made.items()}
        made |= {name: made[name][0] for name in "hc" if name in made}
        if task.training:
            made["dx"] = x.grad.numpy()
            made |= {name.removesuffix("_l0"): p.grad.numpy() for name, p in module.named_parameters()}
        return made

    return Job(train if task.training else infer, arrays_of)


def _packed(torch, module, task, arrays):
    """The module on rows of these lengths, longest first: packed, run, and padded again, as y is."""
    if "lengths" not in arrays:
        raise NotSupported("packing needs lengths")
    lengths, rnn = torch.from_numpy(arrays["lengths"]), torch.nn.utils.rnn

    def run(x):
        y, last = module(rnn.pack_padded_sequence(x, lengths))
        return rnn.pad_packed_sequence(y, total_length=task.shape.T)[0], last

    return run


def _compiled(torch, module, task):
    if task.shape.T > LONGEST_COMPILED:
        raise NotSupported(f"torch.compile unrolls all steps: tried up to T = {LONGEST_COMPILED} only")
    import torch._dynamo

    torch._dynamo.config.allow_rnn = True  # else it leaves RNN modules to eager mode
    torch._dynamo.config.suppress_errors = False
    return torch.compile(module)
