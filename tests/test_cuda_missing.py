"""Without CUDA: one sentence for who asks for it, and nothing of it for who does not."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from rnnbench import Recurrent
from rnnbench.kernels import cuda_host

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
