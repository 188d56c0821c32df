"""Without CUDA: one sentence for who asks for it, and nothing of it for who does not."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from helpers import assert_same_bits
from numba import njit

from rnnbench import Recurrent
from rnnbench.kernels import cuda_host
from rnnbench.ops import primitives

ROOT = Path(__file__).resolve().parents[1]


def test_without_the_package_one_sentence_says_how_to_get_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(cuda_host, "simulated", lambda: False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "numba_cuda" else find(name))
    with pytest.raises(RuntimeError) as raised:
        Recurrent("lstm", 2, 3, device="cuda")
    assert str(raised.value) == (
        "device 'cuda': the package numba-cuda is not installed; pip install 'rnnbench[cuda]' brings it"
    )


def test_the_cpu_is_not_touched_by_it():
    code = """
import sys
import numpy as np
from rnnbench import Recurrent
layer = Recurrent("lstm", 2, 3)
layer.forward(np.zeros((2, 2, 2), "float32"))
layer.backward(np.zeros((2, 2, 3), "float32"))
ours = {"cuda_host"}
found = [m for m in sys.modules if m.startswith("rnnbench.kernels.cuda") and m.rpartition(".")[2] not in ours]
found += [m for m in sys.modules if m.split(".")[0] in ("numba_cuda", "cuda") or m.startswith("numba.cuda.cudadrv")]
sys.exit(" ".join(found) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class OnTheGpu:
    """What CuPy and PyTorch hand out."""

    __cuda_array_interface__: ClassVar = {"shape": (2, 2, 2), "typestr": "<f4", "data": (1, False), "version": 3}


class Picky:
    """A PyTorch tensor that wants a gradient."""

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("use var.detach()")


def test_arrays_on_the_gpu_are_no_arrays_here():
    layer = Recurrent("lstm", 2, 3)
    with pytest.raises(TypeError) as raised:
        layer.forward(OnTheGpu())
    assert str(raised.value) == "x: got OnTheGpu on the GPU, expected a NumPy array of float32 with device 'cpu'"
    with pytest.raises(TypeError) as raised:
        layer.forward(Picky())
    assert str(raised.value) == "x: got Picky, which cannot be read (use var.detach()), expected an array of float32"
    with pytest.raises(ValueError, match="stream: got 7, expected None with device 'cpu'"):
        layer.forward(np.zeros((2, 2, 2), "float32"), stream=7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_gpus_are_given_has_the_same_bits_on_the_cpu(dtype, monkeypatch):
    """NVVM lacks some of LLVM's intrinsics; what stands in for them is compiled for the CPU here."""
    x = np.array([0.0, -0.0, 1e-30, -3e-5, 0.3, -0.7, 5.0, -80.0, 1e30, np.inf, -np.inf, np.nan], dtype)
    asked = []

    def run():
        absolute = njit(lambda a, b: primitives.absolute(a))
        copysign = njit(lambda a, b: primitives.copysign(a, b))
        return np.array([[f(a, b) for a in x for b in x] for f in (absolute, copysign)], dtype)

    expected = run()
    monkeypatch.setattr(primitives, "_on_cpu", lambda context: asked.append(context))
    got = run()
    assert len(asked) == 2
    assert_same_bits(got, expected)
    assert_same_bits(got[0], np.abs(np.repeat(x, len(x))))
