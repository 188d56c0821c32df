"""Products with weights that stay in shared memory: the pieces of text that the persistent kernels are made of.

Threads are (unit of the slice, part of the inner index, group of rows). The parts of a sum are added up in a fixed
order, and how many there are is fixed, so that bits depend on neither batch nor grid.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """What is fixed when persistent kernels are compiled, and what a plan may choose from.

    Parameters
    ----------
    rows : int
        Batch rows of a thread.
    parts : int
        Threads that share out the inner index of a product.
    lanes : tuple of int
        How many units a slice may have, the best first.
    threads : int
        The most threads of a block.
    depth : int
        The most of a product's inner index that is brought to shared memory at once.
    precision : str
        Of the products: ``"ieee"`` or one of :data:`rnnbench.kernels.cuda_tensor.PTX`.
    """

    rows: int = 4
    parts: int = 8
    lanes: tuple[int, ...] = (8, 16, 32)
    threads: int = 256
    depth: int = 256
    precision: str = "ieee"

    @property
    def step(self) -> int:
        """How much of the inner index all parts together take at once."""
        return self.parts * (1 if self.precision == "ieee" else 8)


def tensor(precision: str) -> Geometry:
    """Return the geometry for tensor cores: 8 warps, each of them one part, make fragments of 16 rows and 8 units."""
    return Geometry(lanes=(8,), precision=precision)


def own(kernel, width):
    """The thread's unit of a vector of this width."""
    kernel.add(
        f"width = {width}",
        "own = (width + slices - 1) // slices",
        "unit = piece * own + lane",
        "inside = lane < own and unit < width",
    )


def load_weights(kernel, blocks, size, width):
    """Bring ``shared[resident + k][lane] = W[k][unit]`` for the slice; the first tile of rows brings the barrier."""
    own(kernel, width)
    kernel.add(f"size = {size}")
    residents = [kernel.entry(f"resident {gate} {source}") for gate, source in blocks]  # side by side in the table
    for (gate, source), resident in zip(blocks, residents, strict=True):
        kernel.add(
            f"start = {kernel.entry(f'weight {gate} {source}')} + replica * size * width",
            f"into = {resident}",
        )
        with kernel.block("for k in range(turn, size, turns):"):
            kernel.add("value = zero")
            with kernel.block("if inside:"):
                kernel.add("value = weights[start + k * width + unit]")
            kernel.add("shared[into + k * lanes + lane] = value")


def product(kernel, geometry, array, stride, residents, sums):
    """Add rows of `array` (from `at` on, `size` numbers each) times resident weights to the named sums."""
    fill = "deep" if geometry.precision == "ieee" else "(deep + 7) // 8 * 8"  # whole fragments, with zeros beyond
    with kernel.block("for inner in range(0, size, depth):"):
        kernel.add("deep = min(depth, size - inner)")
        each_k = f"for k in range(lane + lanes * part, {fill}, lanes * {geometry.parts}):"
        with kernel.block("for row in range(group, height, groups):"), kernel.block(each_k):
            kernel.add("value = zero")
            with kernel.block("if row < running and inner + k < size:"):
                kernel.add(f"value = {array}[at + row * {stride} + inner + k]")
            kernel.add("shared[tile + row * pitch + k] = value")
        kernel.add("cuda.syncthreads()")
        inner_product = _inner_product if geometry.precision == "ieee" else _tensor_product
        inner_product(kernel, geometry, residents, sums)
        kernel.add("cuda.syncthreads()")


def _inner_product(kernel, geometry, residents, sums):
    """Row by row, each thread its part of the inner index."""
    with kernel.block(f"for k in range(part, deep, {geometry.parts}):"):
        rows = range(geometry.rows)
        kernel.add(*(f"v{r} = shared[tile + (group * {geometry.rows} + {r}) * pitch + k]" for r in rows))
        for resident, names in zip(residents, sums, strict=True):
            kernel.add(f"w = shared[{resident} + (inner + k) * lanes + lane]")
            kernel.add(*(f"{name} = {name} + v{r} * w" for r, name in enumerate(names)))


def _tensor_product(kernel, geometry, residents, sums):
    """Fragment by fragment, each warp its part of the inner index; see :mod:`rnnbench.kernels.cuda_tensor`."""
    with kernel.block(f"for k in range(8 * warp, deep, {geometry.step}):"):
        kernel.add(
            "low = k + spot",
            "v0, v1 = shared[tile + quad * pitch + low], shared[tile + (quad + 8) * pitch + low]",
            "v2, v3 = shared[tile + quad * pitch + low + 4], shared[tile + (quad + 8) * pitch + low + 4]",
        )
        for resident, names in zip(residents, sums, strict=True):
            for number, low in enumerate(("low", "low + 4")):  # no branch: the threads of a warp multiply together
                kernel.add(f"w{number} = shared[{resident} + min(inner + {low}, size - 1) * lanes + quad]")
                with kernel.block(f"if inner + {low} >= size:"):
                    kernel.add(f"w{number} = zero")
            results = ", ".join(names)
            kernel.add(f"{results} = multiply_add_{geometry.precision}(v0, v1, v2, v3, w0, w1, {results})")


def share_parts(kernel, geometry, sums):
    """Every thread's part of every sum, to where the thread that owns a unit and row finds it."""
    gates = len(sums)
    for g, names in enumerate(sums):
        for r, name in enumerate(names):
            place = f"((part * {gates} + {g}) * height + group * {geometry.rows} + {r}) * lanes + lane"
            if geometry.precision != "ieee":
                place = f"((warp * {gates} + {g}) * height + quad + {r // 2 * 8}) * lanes + spot * 2 + {r % 2}"
            kernel.add(f"shared[parts + {place}] = {name}")
    kernel.add("cuda.syncthreads()")


def add_parts(kernel, geometry, gates, g, total):
    """Add the parts of a sum to `total`, the first one first."""
    with kernel.block(f"for p in range({geometry.parts}):"):
        kernel.add(f"{total} = {total} + shared[parts + ((p * {gates} + {g}) * height + row) * lanes + lane]")
