"""Who is timed on a GPU: our two drivers, PyTorch's layers (cuDNN), and the parts that the floor is made of.

All of them run on one GPU, the first one unless ``CUDA_VISIBLE_DEVICES`` says another.
"""

from __future__ import annotations

import os

from rnnbench.peers.tasks import Peer

DRIVERS = ("persistent", "portable")  # what "auto" tries, in its order
PRECISIONS = ("ieee", "tf32", "bf16", "fp16")
# How far from float64, of an array's magnitude: many times what the rounding of factors alone explains.
TOLERANCE = {"ieee": 1e-4, "tf32": 50 * 2.0**-11, "bf16": 50 * 2.0**-8, "fp16": 50 * 2.0**-11}
TORCH = "torch"
OWN_PRODUCTS, TORCH_PRODUCTS = "products, own tiles", "products, cuBLAS"
READ, BARRIER = "read", "barrier"
PARTS = (READ, BARRIER, OWN_PRODUCTS, TORCH_PRODUCTS)
_HERE = "rnnbench.peers"


def engines(precision: str, peers: str) -> dict[str, Peer]:
    """Return everyone by name, our drivers first.

    Parameters
    ----------
    precision : str
        One of `PRECISIONS`.
    peers : str
        "torch" or "none".

    Raises
    ------
    ValueError
        For another precision or peer.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: got {precision!r}, expected one of {', '.join(PRECISIONS)}")
    if peers not in (TORCH, "none"):
        raise ValueError(f"peers: got {peers!r}, expected torch or none")
    env = (("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", "0")),)
    made = {driver: Peer(f"{_HERE}.own_cuda", f"{driver} {precision}", (), env=env) for driver in DRIVERS}
    parts = {READ: "read", BARRIER: "barrier", OWN_PRODUCTS: "products"}
    made |= {name: Peer(f"{_HERE}.cuda_parts", f"{part} {precision}", (), env=env) for name, part in parts.items()}
    if peers == TORCH:
        for name, what in ((TORCH, "layer"), (TORCH_PRODUCTS, "products")):
            made[name] = Peer(f"{_HERE}.torch_cuda", f"{what} {precision}", ("torch",), env=env)
    return made
