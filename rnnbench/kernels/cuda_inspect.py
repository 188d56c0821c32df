"""What becomes of a kernel on a GPU that is not there: its PTX, and the registers and memory that it takes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from numba import cuda

GRID_BARRIER = "cudaCGSynchronize"
ENTRY = re.compile(r"\.entry (\w+)")
DOUBLE = re.compile(r"^.*\.f64\b.*$", re.MULTILINE)
LINKED = re.compile(r"used (\d+) registers, .*?(\d+) stack, (\d+) bytes smem")
SPILLED = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True)
class Resources:
    """What a thread (registers; bytes of stack and spills) and a block (bytes of shared memory) take."""

    registers: int
    shared: int
    stack: int
    spills: int


@contextmanager
def pretend(capability):
    """Let Numba compile for a GPU of this compute capability, whichever is or is not here."""
    from numba.cuda import dispatcher

    before = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = before


def ptx(kernel, signature, *capabilities) -> list[str]:
    """Compile a kernel for compute capabilities such as (9, 0); Numba's own part, the slow one, is done once."""
    from numba.cuda import codegen

    libraries, assemble = [], codegen.CUDACodeLibrary.get_asm_strs

    def noted(library, cc=None):
        libraries.append(library)
        return assemble(library, cc=cc)

    with pretend(capabilities[0]), mock.patch.object(codegen.CUDACodeLibrary, "get_asm_strs", noted):
        text, _ = cuda.compile_ptx(kernel.py_func, signature, cc=capabilities[0])
    return [text, *("\n".join(assemble(libraries[-1], cc=capability)) for capability in capabilities[1:])]


def doubles(text: str) -> list[str]:
    """The lines of PTX that compute in double precision."""
    return [line.strip() for line in DOUBLE.findall(text)]


def resources(text: str, capability) -> Resources:
    """Assemble PTX for a compute capability and return what the kernel takes; by nvJitLink, as at a launch."""
    from cuda.bindings import nvjitlink
    from numba.cuda.cudadrv.libs import get_cudalib

    options = [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose"]
    handle = nvjitlink.create(len(options), options)
    try:
        code = text.encode()
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, code, len(code), "kernel")
        if GRID_BARRIER in text:
            library = Path(get_cudalib("cudadevrt", static=True)).read_bytes()
            nvjitlink.add_data(handle, nvjitlink.InputType.LIBRARY, library, len(library), "cudadevrt")
        nvjitlink.complete(handle)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    finally:
        nvjitlink.destroy(handle)
    said = log.decode()
    own = said[said.rindex(f"'{ENTRY.search(text).group(1)}'") :]  # what is linked with the kernel is listed, too
    registers, stack, shared = map(int, LINKED.search(own).groups())
    return Resources(registers, shared, stack, sum(map(int, SPILLED.search(said).groups())))
