"""What is to be run, in a form that crosses a pipe: shapes, tasks, and the peers that there are."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

EXTRA = "pip install 'rnnbench[peers]'"
DIRECTIONS = ("inference", "training")
OK, ABSENT, UNSUPPORTED, MISMATCH, FAILED = "ok", "not installed", "not supported", "mismatch", "failed"
RNNBENCH, PACKED, ROOF = "rnnbench", "rnnbench, weights packed once", "roof"  # who is timed besides the peers


class NotSupported(Exception):
    """A peer has no such thing; says what it lacks, in one sentence."""


class Shape(NamedTuple):
    """Steps, batch rows, inputs and hidden units."""

    T: int
    B: int
    I: int
    H: int

    def __str__(self) -> str:
        return "x".join(map(str, self))


def parse_shape(text: str) -> Shape:
    """A shape from its text, ``150x1x256x256`` or ``150,1,256,256``: T, B, I, H.

    Raises
    ------
    ValueError
        In one sentence: what came and what was expected.
    """
    parts = re.split(r"\s*[x,]\s*", str(text).strip())
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal()]
    if len(parts) != 4 or len(numbers) != 4 or min(numbers[0], numbers[1], numbers[3]) < 1:
        raise ValueError(
            f"shape: got {str(text)!r}, expected four integers TxBxIxH such as 150x1x256x256 (T, B, H >= 1, I >= 0)"
        )
    return Shape(*numbers)


@dataclass(frozen=True)
class Task:
    """One thing to time.

    Attributes
    ----------
    cell, activation : str, str or None
        None: the cell's own activation.
    shape : Shape
    direction : str
        "inference" keeps nothing; "training" is forward, backward, gradients by x and all weights, and zeroing these.
    threads : int
    variant : str
        Of the peer, such as "onednn".
    cell_file : str or None
        The file of a user's own cell.
    """

    cell: str
    activation: str | None
    shape: Shape
    direction: str
    threads: int
    variant: str = ""
    cell_file: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The task as JSON types."""
        return asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Task:
        """The task from what `as_json` gave."""
        return cls(**data | {"shape": Shape(*data["shape"])})

    @property
    def training(self) -> bool:
        """Whether gradients are wanted."""
        return self.direction == "training"


class Job(NamedTuple):
    """A prepared task: ``call()`` does the work once, ``arrays`` makes named NumPy arrays of what it returned.

    Names are y, the final states h and c, and for training dx and those of the weights.
    """

    call: Callable[[], Any]
    arrays: Callable[[Any], dict[str, Any]]


class Peer(NamedTuple):
    """Where a peer's code is, which variant of it, what it needs, whether it trains, and its best environment."""

    module: str
    variant: str
    needs: tuple[str, ...]
    trains: bool = True
    env: tuple[tuple[str, str], ...] = ()


HERE = "rnnbench.peers"
# glibc maps blocks beyond 32 MiB afresh each time, and packed sequences make one per step: five times as slow
KEEP = (("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", str(10**11)))
OWN = Peer(f"{HERE}.own", "cpu", ())
FROZEN = Peer(f"{HERE}.own", "frozen", (), trains=False)
PEERS = {
    "reference": Peer(f"{HERE}.own", "reference", ()),
    "torch": Peer(f"{HERE}.torch_peer", "onednn", ("torch",)),
    "torch-plain": Peer(f"{HERE}.torch_peer", "plain", ("torch",)),
    "torch-compile": Peer(f"{HERE}.torch_peer", "compile", ("torch",)),
    "torch-packed": Peer(f"{HERE}.torch_peer", "packed", ("torch",), env=KEEP),  # rows of several lengths
    "torch-loop": Peer(f"{HERE}.torch_loop", "", ("torch",)),  # any cell that torch.nn has not
    "onnxruntime": Peer(f"{HERE}.onnx_peer", "", ("onnxruntime", "onnx"), trains=False),
    "jax": Peer(f"{HERE}.jax_peer", "", ("jax",)),
}
# Cells that the peers have too, with the activations they know.
COMMON = {"elman": ("tanh", "relu"), "gru_reset_after": (None,), "lstm": (None,)}


def parse_peers(text: str) -> list[str]:
    """Names of peers from ``torch+jax``; "none" is none.

    Raises
    ------
    ValueError
        For an unknown one.
    """
    names = [] if text in ("", "none") else [name.strip() for name in text.split("+")]
    for name in names:
        if name not in PEERS:
            raise ValueError(f"peers: got {name!r}, expected none, or of {', '.join(PEERS)} those wanted joined by +")
    return list(dict.fromkeys(names))


def missing(needs: Iterable[str]) -> str | None:
    """A sentence about what is not installed, or None."""
    absent = [name for name in needs if importlib.util.find_spec(name) is None]
    return f"{' and '.join(absent)} not installed: {EXTRA}" if absent else None


def file_of(cell: str) -> str | None:
    """The file of a user's own cell, which a worker has to load; None for those that come with rnnbench."""
    from rnnbench import cells

    module = cells._user_cells.get(cell)
    return module.__file__ if module else None


def is_common(cell: str, activation: str | None) -> bool:
    """Whether other engines have this cell."""
    return (activation or ("tanh" if cell == "elman" else None)) in COMMON.get(cell, ())


def check_common(task: Task, engine: str) -> None:
    """Raise NotSupported if other engines don't have the task's cell."""
    if not is_common(task.cell, task.activation):
        words = f" with {task.activation}" if task.activation else ""
        raise NotSupported(f"{engine} has no {task.cell} layer{words}")
