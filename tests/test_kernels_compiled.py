"""What is compiled is what was written: no doubles in float32 code, and never an old answer from a cache."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from helpers import ENGINE_CASES, as_params
from numba import cfunc, config, njit
from numba.core import types
from numba.core.codegen import CPUCodeLibrary

import rnnbench
from rnnbench import Recurrent
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.kernels import flat, gradients, pointwise, tile, walk
from rnnbench.kernels.build import function_hash
from rnnbench.kernels.emit import compile_task
from rnnbench.ops import tanh

ROOT = Path(rnnbench.__file__).parent


def inspected(compiled):
    """The LLVM of a compiled function; compiled anew, because code from a cache cannot be looked into.

    Not optimised: that takes half the time, and could take a double away but bring none.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "OPT", 0)
        return cfunc(compiled._sig, error_model="numpy")(compiled._pyfunc).inspect_llvm()


def llvm_of(stage, dtype, direction):
    return inspected(pointwise.compiled(stage, dtype, direction))


# Without a tape (INFER), the forward function is the same one; what it saves is thrown away.
@pytest.mark.engine
@pytest.mark.parametrize("direction", [pointwise.FORWARD, pointwise.BACKWARD])
@pytest.mark.parametrize("case", as_params(ENGINE_CASES))
def test_float32_code_has_no_doubles(case, direction):
    for stage in case.build().stages:
        assert "double" not in llvm_of(stage, types.float32, direction)


def test_a_double_would_be_seen():
    def forward(a, reads, p):
        return (tanh(a[0]) * 1.5,), ()

    def backward(dmakes, reads, makes, saved, p):
        return (dmakes[0],), (), ()

    stage = Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x", "h")),))
    Cell(vectors=(Vector("h"),), stages=(stage,), output="h")
    assert "double" in llvm_of(stage, types.float64, pointwise.FORWARD)


@pytest.mark.parametrize("rows", [1, 3, tile.max_rows()])
@pytest.mark.parametrize("a_contiguous", [True, False])
def test_float32_tiles_have_no_doubles(a_contiguous, rows):
    assert "double" not in inspected(tile.compiled(types.float32, a_contiguous, rows))


@pytest.mark.parametrize(
    "function", [walk.forward, walk.backward, gradients.weights, flat.products], ids=lambda f: f.__name__
)
def test_float32_walks_have_no_doubles(function):
    text = inspected(compile_task(function, types.float32))
    assert "define" in text and "float" in text
    assert "double" not in text


CELL = """
from rnnbench.contract import Cell, Gate, Stage, Vector
from rnnbench.ops import one, tanh

def squash(x):
    return {body}

def build():
    def forward(a, reads, p):
        return (squash(a[0]),), ()

    def backward(dmakes, reads, makes, saved, p):
        return (dmakes[0],), (), ()

    stage = Stage(forward, backward, makes=("h",), gates=(Gate("h", ("x",)),))
    return Cell(vectors=(Vector("h"),), stages=(stage,), output="h")
"""

RUN = """
import sys
import threading
import numpy as np
from rnnbench import Recurrent, cells
layer = Recurrent(cells.load_file(sys.argv[1]), 1, 1, bias=False)
layer.params["weight_ih"][...] = 1
print(float(layer.forward(np.ones((1, 1, 1), np.float32))[0][0, 0, 0]))
"""


def run(code, *arguments, cwd=None, **environment):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, cwd=cwd, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_edited_cell_gives_the_new_answer(tmp_path):
    cell, cache = tmp_path / "edited.py", str(tmp_path / "cache")
    answers = []
    for body in ("tanh(x + x)", "tanh(x + x)", "tanh(x * x)", "tanh(x - x)"):  # of equal length, within one second
        cell.write_text(CELL.format(body=body))
        os.utime(cell, (1_000_000_000, 1_000_000_000))
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)  # Python's own cache goes by time and size
        answers.append(float(run(RUN, cell, NUMBA_CACHE_DIR=cache)))
    assert answers == pytest.approx([np.tanh(2), np.tanh(2), np.tanh(1), 0], rel=1e-6)


def test_the_same_cell_in_a_file_of_another_name(tmp_path):
    cache = str(tmp_path / "cache")
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(CELL.format(body="tanh(x)"))
    answers = [float(run(RUN, tmp_path / name, NUMBA_CACHE_DIR=cache)) for name in ("one.py", "two.py", "one.py")]
    assert answers == pytest.approx([np.tanh(1)] * 3, rel=1e-6)


def test_edited_ops_give_the_new_answer(tmp_path):
    shutil.copytree(ROOT, tmp_path / "rnnbench", ignore=shutil.ignore_patterns("__pycache__"))
    cell, cache = tmp_path / "edited.py", str(tmp_path / "cache")
    cell.write_text(CELL.format(body="tanh(x)"))
    environment = {"NUMBA_CACHE_DIR": cache, "PYTHONPATH": str(tmp_path)}
    before = float(run(RUN, cell, cwd=tmp_path, **environment))
    source = tmp_path / "rnnbench" / "ops" / "jit.py"
    text = source.read_text()
    assert "less_one + two" in text
    source.write_text(text.replace("less_one + two", "less_one + const(3, x)"))
    after = float(run(RUN, cell, cwd=tmp_path, **environment))
    e = np.expm1(2.0)
    assert [before, after] == pytest.approx([e / (e + 2), e / (e + 3)], rel=1e-6)


def test_the_second_process_compiles_nothing(tmp_path):
    code = """
import numpy as np
from numba.core import event
from rnnbench import Recurrent
with event.install_recorder("numba:compile") as recorder:
    layer = Recurrent("gru", 3, 5)
    layer.forward(np.zeros((2, 3, 3), np.float32))
    layer.backward(np.zeros((2, 3, 5), np.float32))
print(len(recorder.buffer))
"""
    first, second = (int(run(code, NUMBA_CACHE_DIR=str(tmp_path))) for _ in range(2))
    assert first > 0
    assert second == 0


def test_a_function_that_cannot_be_compiled_is_one_sentence():
    def forward(a, reads, p):
        return (np.sin(a[0]),), ()

    def backward(dmakes, reads, makes, saved, p):
        return (dmakes[0],), (), ()

    stage = Stage(forward, backward, makes=("h",), gates=(Gate("g", ("x", "h")),))
    layer = rnnbench.Recurrent(Cell(vectors=(Vector("h"),), stages=(stage,), output="h"), 2, 3)
    with pytest.raises(
        TypeError, match=r"test_kernels_compiled.py, line \d+: forward cannot be compiled: .*sin"
    ) as caught:
        layer.forward(np.zeros((1, 1, 2), np.float32))
    assert len(str(caught.value).splitlines()) == 1


def test_function_hash_follows_what_a_function_calls():
    def make(inner, constant):
        def outer(x):
            return inner(x) + constant

        return outer

    def one(x):
        return x + 1

    def two(x):
        return x + 2

    def same_as_one(x):
        return x + 1

    assert function_hash(make(one, 1)) == function_hash(make(same_as_one, 1))
    hashes = {function_hash(f) for f in (make(one, 1), make(two, 1), make(one, 2), make(one, 1.0))}
    assert len(hashes) == 4


def test_function_hash_follows_numbers_of_any_kind_wherever_they_are():
    def of(value):
        return function_hash(lambda x: x * value)

    kinds = [1.0, 2.0, np.float32(1), np.float32(2), np.int64(1), np.int64(2), np.ones(1), np.ones(2), 2 * np.ones(1)]
    assert len({of(value) for value in kinds}) == len(kinds)
    assert of(np.ones(1)) == of(np.ones(1))

    module, inner = ModuleType("module"), ModuleType("inner")
    module.inner = inner
    scope = {"module": module, "inner": inner}
    exec("def near(x): return x * NUMBER\ndef within(x): return (lambda y: y * NUMBER)(x)", scope)
    exec("def far(x): return x * module.inner.NUMBER\ndef compiled(x): return helper(x)", scope)
    exec("def closed():\n    m = inner\n    return lambda x: x * m.NUMBER", scope)
    hashes = []
    for number in (1.0, 3.0):
        scope["NUMBER"] = inner.NUMBER = number
        scope["helper"] = njit(lambda x, number=number: x * number)
        functions = [scope[name] for name in ("near", "within", "far", "compiled")] + [scope["closed"]()]
        hashes.append([function_hash(function) for function in functions])
    assert all(one != other for one, other in zip(*hashes, strict=True))


def test_a_number_that_is_edited_in_a_notebook_counts():
    scope = {"__name__": "__main__"}
    exec("from rnnbench.contract import *; from rnnbench.ops import const, d_tanh, tanh", scope)
    text = """
def forward(a, reads, p):
    return (tanh(a[0] * const(NUMBER, a[0])),), ()
def backward(dmakes, reads, makes, saved, p):
    return (dmakes[0] * d_tanh(makes[0]) * const(NUMBER, makes[0]),), (), ()
"""
    x = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    for number in (1.0, 3.0):
        scope["NUMBER"] = number
        exec(text, scope)
        stage = Stage(scope["forward"], scope["backward"], makes=("h",), gates=(Gate("h", ("x", "h")),))
        results = []
        for device in ("reference", "cpu"):
            layer = Recurrent(Cell((Vector("h"),), (stage,), "h"), 4, 6, device=device)
            y, _ = layer.forward(x)
            layer.backward(y)
            results.append({"y": y} | layer.grads)
        for name, value in results[0].items():
            np.testing.assert_allclose(results[1][name], value, atol=1e-4, err_msg=f"{name}, {number}")


def test_a_cell_of_a_module_that_cannot_be_imported_runs_twice(tmp_path):
    """What Numba has in its cache imports the module."""
    (tmp_path / "far.py").write_text(CELL.format(body="tanh(x)"))
    code = f"""
import importlib.util
import numpy as np
from rnnbench import Recurrent
spec = importlib.util.spec_from_file_location("far", {str(tmp_path / "far.py")!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
Recurrent(module.build(), 1, 1).forward(np.ones((1, 1, 1), np.float32))
"""
    for _ in range(2):
        run(code, cwd="/", NUMBA_CACHE_DIR=str(tmp_path / "cache"))


WIDTHS = {
    "no AVX": "+sse2,+sse4.1,+sse4.2",
    "AVX without FMA": "+sse4.2,+avx",
    "AVX2": "+sse4.2,+avx,+avx2,+fma",
}


SLOW = {"AVX without FMA"}  # each compiles everything anew


@pytest.mark.parametrize(
    "features", [pytest.param(f, id=n, marks=[pytest.mark.slow] * (n in SLOW)) for n, f in WIDTHS.items()]
)
def test_other_machines(features, tmp_path):
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("builds for other x86-64 processors run on x86-64 only")
    code = """
import numpy as np
from rnnbench.kernels import cpu, host, reference
from helpers import assert_close, problem, Case
for name in ("lstm", "skip"):
    for dtype, tolerance in ((np.float32, 2e-5), (np.float64, 1e-12)):
        for T, B, I, H in ((3, 13, 5, 37), (2, 1, 1, 4), (4, 30, 17, 16)):
            p = problem(Case(name).build(), T=T, B=B, I=I, H=H, dtype=dtype, lengths=np.arange(B) % (T + 1))
            expected = p.both(reference)
            for key, value in p.both(cpu).items():
                assert_close(value, expected[key], tolerance, key)
print(host.vector_bits())
"""
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    here = str(Path(__file__).parent)
    bits = int(run(code, PYTHONPATH=os.pathsep.join([here, str(ROOT.parent)]), **environment))
    assert bits == (256 if "+avx" in features else 128)


@pytest.mark.parametrize("problem", ["nowhere", "full disk"])
def test_without_a_writable_folder_it_compiles_all_the_same(problem, monkeypatch):
    from numba.core import caching

    from rnnbench.kernels import build

    def fail(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    if problem == "nowhere":
        base = getattr(caching, "CacheImpl", None) or caching._CacheImpl  # the name differs between versions of Numba
        monkeypatch.setattr(base, "_locator_classes", [])
    else:
        monkeypatch.setattr(caching.IndexDataCacheFile, "save", fail)

    def double(x):
        return x + x

    signature = types.int64(types.int64)
    assert build.compile_pointer(double, signature).ctypes(21) == 42


def test_two_threads_that_compile_leave_numba_as_it_was():
    """What is left out for our kernels must come back for everybody's code, whoever is done first."""
    from rnnbench.kernels import build

    def methods():
        return [CPUCodeLibrary.__dict__[name] for name in ("_optimize_functions", "_optimize_final_module")]

    before, entered, left = methods(), threading.Event(), threading.Event()

    def other():
        with build._optimised_once(False):
            entered.set()
            left.wait(5)

    thread = threading.Thread(target=other)
    with build._optimised_once(False):
        assert all(now is not was for now, was in zip(methods(), before, strict=True))
        thread.start()
        entered.wait(0.2)
    left.set()
    thread.join()
    assert methods() == before
