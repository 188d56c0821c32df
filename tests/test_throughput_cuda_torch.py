"""PyTorch as throughput_cuda times it, as far as that goes without a GPU."""

from types import SimpleNamespace

import numpy as np
import pytest

from rnnbench.peers import cuda_engines, cuda_trial, tasks
from rnnbench.peers.tasks import NotSupported, Shape

pytestmark = pytest.mark.peers


def torch_task(cell="lstm", direction="training", variant="layer ieee"):
    return tasks.Task(cell, None, Shape(6, 3, 4, 5), direction, 1, variant)


@pytest.mark.parametrize("precision", cuda_engines.PRECISIONS)
@pytest.mark.parametrize("cell", tasks.COMMON)
@pytest.mark.parametrize("direction", tasks.DIRECTIONS)
def test_the_torch_layer_gives_the_reference_s_numbers(cell, direction, precision):
    from rnnbench.peers import agree, own, torch_cuda

    task = torch_task(cell, direction, f"layer {precision}")
    arrays = own.make_arrays(task, np.random.default_rng(0))
    job = torch_cuda.prepare(task, arrays, device="cpu")
    got = job.arrays(job.call())
    expected = cuda_trial.reference(task, arrays)
    needed = ("y", "dx", *own.trained(task)) if task.training else ("y",)
    assert set(got) >= {*needed, "h"}
    error, problem = agree.disagreement(expected, got, needed, cuda_engines.TOLERANCE[precision])
    assert problem is None
    assert error > (1e-4 if precision in ("bf16", "fp16") else 0)  # it has 16 bits indeed
    again = job.arrays(job.call())
    for name in needed:  # gradients do not add up over calls
        assert np.array_equal(again[name], got[name])


@pytest.mark.parametrize("precision", cuda_engines.PRECISIONS)
def test_torch_s_products_and_its_leave_for_tf32(precision):
    import torch

    from rnnbench.peers import torch_cuda

    job = torch_cuda.prepare(torch_task(variant=f"products {precision}"), {}, device="cpu")
    product = job.call()
    assert product.shape == (18, 20)
    assert product.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    assert job.arrays(product) == {"flops": 2 * 18 * 5 * 20}
    assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == (precision == "tf32")
    if hasattr(torch.backends.cudnn, "rnn"):
        assert (torch.backends.cudnn.rnn.fp32_precision == "tf32") == (precision == "tf32")


def test_torch_says_what_it_lacks():
    import torch

    from rnnbench.peers import torch_cuda

    with pytest.raises(NotSupported, match="PyTorch has no gru layer"):
        torch_cuda.prepare(torch_task("gru"), {}, device="cpu")

    def told(built, available, cudnn):
        backends = SimpleNamespace(
            cuda=SimpleNamespace(is_built=lambda: built), cudnn=SimpleNamespace(is_available=lambda: cudnn)
        )
        cuda = SimpleNamespace(is_available=lambda: available)
        with pytest.raises(NotSupported) as caught:
            torch_cuda.require(SimpleNamespace(backends=backends, cuda=cuda, __version__="2.0"))
        return str(caught.value)

    assert told(False, False, False).startswith("this PyTorch (2.0) is built without CUDA: ")
    assert told(True, False, False).startswith("PyTorch finds no GPU that it can use")
    assert told(True, True, False).startswith("this PyTorch (2.0) has no cuDNN: ")
    if not torch.cuda.is_available():
        with pytest.raises(NotSupported):
            torch_cuda.prepare(torch_task(), {})
