"""Checkpoints: all of a training run in one file, from which it goes on bit for bit.

The file is an .npz of plain arrays (never pickled objects): parameters, what the optimiser remembers, the state that
windows carry, the history, and one text (JSON) with the settings, the step, the generators, and a checksum of
everything. It is written to a temporary name, synced and renamed, so that there is always a whole file.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from rnnbench.contract import Cell
from rnnbench.kernels.build import function_hash

FACTS = "facts"


def save(trainer, path) -> None:
    """Write a checkpoint of a trainer.

    Raises
    ------
    OSError
        Where the file cannot be written; one that was there before stays as it was.
    """
    arrays = {f"parameter {key}": value for key, value in trainer.network.parameters().items()}
    arrays |= {f"optimiser {key}": value for key, value in trainer.optimiser.state.items()}
    arrays |= {f"history {key}": value for key, value in trainer.history.arrays().items()}
    arrays |= {f"state {key}": value for key, value in _leaves(trainer._state if trainer._windows else {}).items()}
    facts = {
        "settings": settings(trainer),
        "steps": trainer.optimiser.steps,
        "outcomes": trainer.history.outcomes,
        "level": trainer.level.tolist(),
        "feed": trainer.feed.state(again=bool(trainer._windows)),
        "windows": len(trainer._windows),
        "generators": {key: rng.bit_generator.state for key, rng in trainer.network.generators().items()},
    }
    facts = _plain(facts)
    facts["checksum"] = checksum(arrays, facts)
    arrays[FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(trainer, path) -> None:
    """Take over a checkpoint; the trainer is left as it was if that is refused.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is no checkpoint, truncated or altered, and for one of another architecture or of other
        settings, with the first that differs.
    """
    arrays, facts = read(path)
    for key, value in settings(trainer).items():
        if facts["settings"].get(key) != value:
            raise ValueError(f"checkpoint {path}: {key} is {facts['settings'].get(key)}, expected {value}")
    for key, value in trainer.network.parameters().items():
        value[...] = arrays[f"parameter {key}"]
    for key, value in trainer.optimiser.state.items():
        value[...] = arrays[f"optimiser {key}"]
    trainer.optimiser.steps = facts["steps"]
    trainer.history.restore(_part(arrays, "history"), facts["outcomes"])
    trainer.active = trainer.history.active
    trainer.level = np.array(facts["level"], np.int64)
    for key, rng in trainer.network.generators().items():
        rng.bit_generator.state = _generator(facts["generators"][key])
    feed = facts["feed"] | {"generators": [_generator(state) for state in facts["feed"]["generators"]]}
    trainer.feed.restore(feed)
    trainer._windows = []
    if facts["windows"]:
        trainer._next()
        trainer._windows = trainer._windows[-facts["windows"] :]
    trainer._state = _nested(_part(arrays, "state")) or None


def read(path) -> tuple[dict[str, np.ndarray], dict]:
    """Return arrays and facts of a checkpoint.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is no checkpoint, truncated or altered.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        facts = json.loads(arrays.pop(FACTS).tobytes())
        found = facts.pop("checksum")
        whole = found == checksum(arrays, facts)
    except FileNotFoundError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
        NotImplementedError,
    ):
        whole = False
    if not whole:
        raise ValueError(
            f"checkpoint {path}: it is truncated, altered or none, expected a file that Trainer.save wrote"
        )
    return arrays, facts


def checksum(arrays: dict[str, np.ndarray], facts: dict) -> str:
    """Return the SHA-256 of all names, shapes, dtypes and numbers, and of the facts."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for key in sorted(arrays):
        value = np.ascontiguousarray(arrays[key])
        digest.update(f"{key} {value.dtype.str} {value.shape}".encode() + value.tobytes())
    return digest.hexdigest()


def settings(trainer) -> dict:
    """Return everything that must be the same for a run to go on, as JSON types."""
    network, task = trainer.network, trainer.task
    told = {name: repr(getattr(trainer, name)) for name in ("optimiser", "clip", "schedule", "stopping")}
    told |= {name: getattr(trainer, name) for name in ("batch_size", "length", "mean", "truncate", "window")}
    return _plain(
        {
            "network": repr(network),
            "dtype": network.dtype.name,
            "parameters": {key: list(value.shape) for key, value in network.parameters().items()},
            "cells": [cell_hash(layer.cell) for _, layer in network._tree() if hasattr(layer, "cell")],
            "task": _told(task),
            "curriculum": _levels(trainer.curriculum),
            **told,
        }
    )


def cell_hash(cell: Cell) -> str:
    """Return a hash of what a cell computes: options that leave all shapes alike make another network too."""
    functions = [function_hash(f) for stage in cell.stages for f in (stage.forward, stage.backward) if f is not None]
    return hashlib.sha256(f"{cell.name} {functions}".encode()).hexdigest()[:16]


def _told(task):
    return [task.name, task.variant, task.loss, task.inputs, task.outputs, task.length]


def _levels(curriculum):
    if curriculum is None:
        return None
    levels = [(_told(one[0]), one[1]) if isinstance(one, tuple) else one for one in curriculum.levels]
    return [curriculum.kind, levels, curriculum.raise_at, curriculum.every, curriculum.size]


def _plain(value):
    """JSON types: what is written and read again compares equal to it; arrays of integers become lists."""
    return json.loads(json.dumps(value, default=lambda other: {"integers": [int(n) for n in np.ravel(other)]}))


def _generator(state):
    """A generator's state from its JSON form: some kinds keep an array of 32-bit words."""
    if not isinstance(state, dict):
        return state
    if state.keys() == {"integers"}:
        words = state["integers"]
        return np.array(words, np.uint32 if len(words) > 4 and max(words) < 2**32 else np.uint64)
    return {key: _generator(value) for key, value in state.items()}


def _leaves(tree, path=""):
    found = {}
    for key, value in tree.items():
        found |= _leaves(value, f"{path}{key}/") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


def _nested(leaves):
    tree = {}
    for path, value in leaves.items():
        *parents, key = path.split("/")
        here = tree
        for parent in parents:
            here = here.setdefault(parent, {})
        here[key] = value
    return tree


def _part(arrays, prefix):
    return {key.removeprefix(f"{prefix} "): value for key, value in arrays.items() if key.startswith(f"{prefix} ")}
