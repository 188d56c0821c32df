"""Checkpoints: all of a training run in one file, from which it goes on bit for bit.

A file as :mod:`rnnbench.layers.saving` writes it, all or nothing and with a checksum: the network, what the optimiser
remembers, the state that windows carry, the history, and about them the settings, the step and the generators.
"""

from __future__ import annotations

import hashlib
import json
import re
from types import FunctionType

import numpy as np

from rnnbench.layers import saving

SAMPLED = 20  # sequences that tell one task from another


def save(trainer, path) -> None:
    """Write a checkpoint of a trainer.

    Raises
    ------
    OSError
        Where the file cannot be written; one that was there before stays as it was.
    """
    arrays, about = saving.pack(trainer.network)
    arrays |= {f"optimiser {key}": value for key, value in trainer.optimiser.state.items()}
    if trainer.loss_scale is not None:
        arrays |= {"scale scales": trainer.loss_scale.scales, "scale good": trainer.loss_scale.good}
    arrays |= {f"history {key}": value for key, value in trainer.history.arrays().items()}
    arrays |= {f"state {key}": value for key, value in _leaves(trainer._state if trainer._windows else {}).items()}
    about |= {
        "settings": settings(trainer),
        "steps": trainer.optimiser.steps,
        "outcomes": trainer.history.outcomes,
        "level": trainer.level,
        "feed": trainer.feed.state(again=bool(trainer._windows)),
        "windows": len(trainer._windows),
        "looks": [{"entropy": s.entropy, "spawn_key": s.spawn_key} for s in trainer._looks],
    }
    saving.write(path, arrays, about)


def load(trainer, path) -> None:
    """Take over a checkpoint; the trainer is left as it was if that is refused.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is no checkpoint, truncated or altered, and for one of another architecture or of other
        settings, with the first that differs.
    """
    arrays, about = saving.read(path)
    if "settings" not in about:
        raise ValueError(f"{path}: a network without its training, expected a file that Trainer.save wrote")
    try:
        _refuse_others(about["settings"], settings(trainer))
        saving.unpack(trainer.network, arrays, about)
    except ValueError as error:
        raise ValueError(f"checkpoint {path}: {error}") from None
    for key, value in trainer.optimiser.state.items():
        value[...] = arrays[f"optimiser {key}"]
    trainer.optimiser.steps = about["steps"]
    for key, value in _part(arrays, "scale").items():
        setattr(trainer.loss_scale, key, value.copy())
    trainer.history.restore(_part(arrays, "history"), about["outcomes"])
    trainer.active = trainer.history.active
    trainer.level = np.array(about["level"], np.int64)
    trainer.feed.restore(about["feed"])
    trainer._looks = [np.random.SeedSequence(s["entropy"], spawn_key=s["spawn_key"]) for s in about["looks"]]
    trainer._windows = []
    if about["windows"]:
        trainer._next()
        trainer._windows = trainer._windows[-about["windows"] :]
    trainer._state = _nested(_part(arrays, "state")) or None


def settings(trainer) -> dict:
    """Return everything beside the architecture that must be the same for a run to go on, as JSON types."""
    told = {name: _named(getattr(trainer, name)) for name in ("network", "optimiser", "clip", "schedule", "stopping")}
    told |= {name: getattr(trainer, name) for name in ("batch_size", "length", "mean", "truncate", "window")}
    told["loss_scale"] = None if trainer.loss_scale is None else repr(trainer.loss_scale)
    told |= {"task": _told(trainer.task), "curriculum": _levels(trainer.curriculum)}
    return json.loads(json.dumps(told, default=int))  # what is written and read again compares equal to it


def _named(value):
    """A function by its name, anything else as it prints, without where it lies in this process."""
    told = f"{value.__module__}.{value.__qualname__}" if isinstance(value, FunctionType) else repr(value)
    return re.sub(" at 0x[0-9A-Fa-f]+", "", told)


def _refuse_others(given, expected):
    for key, value in expected.items():
        if given.get(key) != value:
            raise ValueError(f"{key} is {given.get(key)}, expected {value}")


def _told(task):
    """What a task is: its options, and the text that it may be of, are told by what it draws."""
    digest = hashlib.sha256()
    for value in vars(task.batch(np.random.default_rng(0), SAMPLED)).values():
        if value is not None:  # last digits may differ on another processor, and so may the sign of 0
            digest.update((np.round(value.astype(float), 6) + 0).tobytes())
    sample = f"draws {digest.hexdigest()[:12]}"
    return [task.name, task.variant, task.loss, task.inputs, task.outputs, int(task.length), sample]


def _levels(curriculum):
    if curriculum is None:
        return None
    levels = [[_told(one[0]), int(one[1])] if isinstance(one, tuple) else int(one) for one in curriculum.levels]
    return [curriculum.kind, levels, curriculum.raise_at, curriculum.every, curriculum.size]


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
