"""Networks in files: parameters and the states of generators, with a description of what they belong to.

A file is a NumPy archive (.npz) without pickled objects. It is written under another name first and renamed, so there
is a whole file or none, and it holds a checksum over everything else in it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np

from rnnbench.files import whole
from rnnbench.layers.describe import describe, differences
from rnnbench.layers.layer import Layer

FORMAT = 2
TEXT, CHECKSUM = "about", "checksum"  # entries of the archive beside the arrays


def save(network: Layer, path) -> None:
    """Write a network's parameters, and the states of the generators that it draws from, to a file.

    Parameters
    ----------
    network : Layer
    path : str or Path
        Of an .npz file; its folder is made if it is missing.
    """
    write(path, *pack(network))


def load(network: Layer, path) -> None:
    """Put what :func:`save` wrote back into a network of the same architecture, in place, to the bit.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is truncated or altered, or of another architecture, with what differs. The network is left as
        it was then.
    """
    arrays, about = read(path)
    try:
        unpack(network, arrays, about)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def pack(network: Layer):
    """Return all arrays of a network by name, and about them what JSON can hold."""
    random = {path: generator.bit_generator.state for path, generator in network.generators().items()}
    return dict(network.parameters()), {"network": _described(network), "random": random}


def unpack(network: Layer, arrays, about) -> None:
    """Put what :func:`pack` returned into a network of the same architecture, in place."""
    own, expected = network.parameters(), _described(network)
    if found := differences(about.get("network"), expected):
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        raise ValueError(f"another architecture: {found[0]}{more}")
    for path, value in own.items():
        given = arrays.get(path)
        if given is None or given.shape != value.shape or given.dtype != value.dtype:
            came = "nothing" if given is None else f"{given.dtype} of shape {given.shape}"
            raise ValueError(f"parameter {path!r}: got {came}, expected {value.dtype} of shape {value.shape}")
        if not value.flags.writeable:
            raise ValueError(f"parameter {path!r} is read-only, expected a network that is not frozen")
    generators, random = network.generators(), about.get("random", {})
    kinds = {path: one.bit_generator.state["bit_generator"] for path, one in generators.items()}
    if kinds != (came := {path: state["bit_generator"] for path, state in random.items()}):
        raise ValueError(f"generators: got {came}, expected {kinds}")
    for path, value in own.items():
        value[...] = arrays[path]
    for path, generator in generators.items():
        generator.bit_generator.state = random[path]


def write(path, arrays, about) -> None:
    """Write arrays by name, and `about` them what JSON can hold, to a file: all or nothing.

    Raises
    ------
    ValueError
        For a name that the file uses itself, or an array of Python objects.
    """
    path = Path(path)
    for name, value in arrays.items():
        if name in (TEXT, CHECKSUM) or np.asarray(value).dtype.hasobject:
            raise ValueError(f"array {name!r}: got {np.asarray(value).dtype}, expected numbers under another name")
    text = json.dumps({"format": FORMAT, "about": about}, default=_plain)
    members = {name: np.asarray(value) for name, value in arrays.items()}
    members[TEXT] = np.frombuffer(text.encode(), np.uint8)
    members |= {CHECKSUM: np.array(_checksum(members))}
    with whole(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, value in members.items():  # not by np.savez, which takes some names for arguments of its own
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, value, allow_pickle=False)


def read(path):
    """Return (arrays, about) of a file that :func:`write` wrote.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is truncated, altered, or something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file, expected one that was saved")
    try:
        with np.load(path, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        checksum = str(members.pop(CHECKSUM))
        right = checksum == _checksum(members)
        header = json.loads(members.pop(TEXT).tobytes()) if right else None
    except Exception as error:  # whatever a damaged archive leads NumPy and zipfile into
        raise ValueError(f"{path}: truncated, or no file that was saved here ({error})") from None
    if not right:
        raise ValueError(f"{path}: altered since it was saved, expected the checksum {checksum}")
    if header["format"] != FORMAT:
        raise ValueError(f"{path}: got format {header['format']}, expected {FORMAT}")
    return members, header["about"]


def _described(network):
    """What it is, and which parameters there are: those of a part that is used twice are there once."""
    return describe(network) | {"parameters": list(network.parameters())}


def _checksum(members):
    digest = hashlib.sha256()
    for name, value in sorted(members.items()):
        digest.update(f"{name} {value.dtype.str} {value.shape} ".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _plain(value):
    """What the states of some generators hold beside Python's numbers."""
    return value.tolist()
