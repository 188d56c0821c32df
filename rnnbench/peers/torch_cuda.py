"""PyTorch on a GPU: ``torch.nn`` layers, which cuDNN runs, and one large product, which cuBLAS does.

The variant is ``"layer fp16"`` or ``"products ieee"`` and so on. "ieee" and "tf32" are float32 without and with
PyTorch's leave to round factors to TF32; with "bf16" and "fp16" weights, states, input and output have 16 bits, as
a user has them who calls ``module.half()``. A call ends when the GPU has ended.
"""

from __future__ import annotations

from rnnbench.peers.tasks import Job, NotSupported, Task, check_common
from rnnbench.peers.torch_peer import MODULES

GET = "pytorch.org/get-started has builds with it"


def load() -> None:
    """Import torch."""
    import torch  # noqa: F401


def prepare(task: Task, arrays: dict, device: str = "cuda") -> Job:
    """The module with these weights and the call of its direction, or the product.

    Raises
    ------
    NotSupported
        Without a GPU, without cuDNN, or for a cell that PyTorch has not.
    """
    import torch

    what, precision = task.variant.split()
    if device == "cuda":
        require(torch)
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
        backend.allow_tf32 = precision == "tf32"
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    make = {"layer": _layer, "products": _products}[what]
    return make(torch, task, arrays, device, dtype, wait)


def require(torch) -> None:
    """Refuse a PyTorch that cannot use a GPU, with what is missing."""
    if not torch.backends.cuda.is_built():
        raise NotSupported(f"this PyTorch ({torch.__version__}) is built without CUDA: {GET}")
    if not torch.cuda.is_available():
        raise NotSupported("PyTorch finds no GPU that it can use; nvidia-smi shows which there are")
    if not torch.backends.cudnn.is_available():
        raise NotSupported(f"this PyTorch ({torch.__version__}) has no cuDNN: {GET}")


def _layer(torch, task, arrays, device, dtype, wait):
    check_common(task, "PyTorch")
    options = {"nonlinearity": task.activation or "tanh"} if task.cell == "elman" else {}
    module = getattr(torch.nn, MODULES[task.cell])(task.shape.I, task.shape.H, **options)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(module, f"{name}_l0").copy_(torch.from_numpy(arrays[name]))
    module = module.to(device=device, dtype=dtype)
    x, dy = (torch.from_numpy(arrays[name]).to(device=device, dtype=dtype) for name in ("x", "dy"))
    x.requires_grad_(task.training)

    def infer():
        with torch.inference_mode():
            result = module(x)
        wait()
        return result

    def train():
        x.grad = None
        module.zero_grad()
        result = module(x)
        result[0].backward(dy)
        wait()
        return result

    def arrays_of(result):
        y, last = result
        made = {"y": y} | {n: v[0] for n, v in zip("hc", last if task.cell == "lstm" else (last,), strict=False)}
        if task.training:
            made["dx"] = x.grad
            made |= {name.removesuffix("_l0"): p.grad for name, p in module.named_parameters()}
        return {name: value.detach().float().cpu().numpy() for name, value in made.items()}

    return Job(train if task.training else infer, arrays_of)


def _products(torch, task, arrays, device, dtype, wait):
    """Of all steps at once, (T B, H) by (H, units of all gates)."""
    from rnnbench.peers.cuda_parts import product_sizes

    rows, inner, columns = product_sizes(task)
    a, b = (torch.randn(*size, device=device, dtype=dtype) for size in ((rows, inner), (inner, columns)))

    def call():
        result = a @ b
        wait()
        return result

    return Job(call, lambda _: {"flops": 2 * rows * inner * columns})
