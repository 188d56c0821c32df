"""Are the stored results what they say they are? Files read, choices made again, and some trials run again.

Numbers of the same code on the same kind of processor come out the same to the bit. On another one sums may round
differently, and training makes small differences large: so a difference is told together with what differs in the
circumstances, and the reader judges.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnbench.runner.campaign import cells_of
from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError, first_line
from rnnbench.runner.frames import frame
from rnnbench.runner.provenance import provenance
from rnnbench.runner.record import decode_column, key_of
from rnnbench.runner.settings import SEARCH
from rnnbench.runner.store import Store
from rnnbench.runner.trial import Trial, code_hash, execute

CLOSE = 1e-6  # relative difference that still counts as the same number
CIRCUMSTANCES = ("commit", "cpu", "simd_float32", "numpy", "numba", "llvmlite", "scipy")
GOOD, TOLD, BAD = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding:
    """One line: how bad it is ("ok", "note" or "problem"), of which experiment, and what."""

    level: str
    experiment: str
    words: str


def verify(
    store: Store, experiments: Mapping[str, Experiment], trials: int = 5, seed: int = 0, seconds: float = 60.0,
    cells: tuple[Path, ...] = (),
) -> Iterator[Finding]:  # fmt: skip
    """Look at every experiment's results (the committed ones, else this machine's), then run some trials again.

    Parameters
    ----------
    store : Store
    experiments : dict of Experiment
    trials : int
        How many are run again, drawn from those that ended well, of different experiments as far as possible; times
        are not measured again.
    seed : int
        For the draw.
    seconds : float
        Trials that took longer are not drawn.
    cells : tuple of Path
        The user's cell files.
    """
    drawn = []
    for experiment in experiments.values():
        found = store.read_committed(experiment.name)
        if not found.by_key and not found.damage:
            found = store.read_local(experiment.name)
        for damage in found.damage:
            yield Finding(BAD, experiment.name, f"damaged: {damage}")
        records = list(found.by_key.values())
        if not records:
            continue
        try:
            module = experiment.load()
        except UserError as error:
            yield Finding(BAD, experiment.name, str(error))
            continue
        yield from _origin(experiment, records, cells)
        yield from _choices(experiment.name, module, records)
        if not experiment.timed:
            drawn.append([(experiment, r) for r in records if _can_run_again(r, seconds, cells)])
    for experiment, record in _draw([some for some in drawn if some], trials, random.Random(seed)):
        yield _again(experiment, record)


def _origin(experiment: Experiment, records: Sequence[Mapping], cells: Sequence[Path]) -> Iterator[Finding]:
    """Whether one can tell which code made the results."""
    total = len(records)
    yield Finding(GOOD, experiment.name, f"{total} trials, their checksums and schema are right")
    told = Counter(
        {
            "were made by code outside of a checkout": sum(r["provenance"].get("commit") is None for r in records),
            "were made with uncommitted changes": sum(bool(r["provenance"].get("dirty")) for r in records),
        }
    )
    made = Counter((r["code"], _cells(r), experiment.files(r["setting"])) for r in records)
    for (code, used, files), count in made.items():
        told[_other_code(experiment, code, used, cells, files)] += count
    for words, count in told.items():
        if words and count:
            yield Finding(TOLD, experiment.name, f"{count} of {total} trials {words}")


def _cells(record: Mapping) -> tuple[str, ...]:
    """The names of the user's cell files that a trial was made with."""
    return cells_of(record["provenance"].get("options", ""))


def _other_code(
    experiment: Experiment, code: str, used: Sequence[str], cells: Sequence[Path], files: Sequence[Path]
) -> str | None:
    """How the code that made results differs from what is here; None where it is the same."""
    given = {path.name: path for path in cells}
    if missing := [name for name in used if name not in given]:
        return f"were made with files of cells that were not given: --cells {' --cells '.join(missing)}"
    if code == code_hash(experiment, (*(given[name] for name in used), *files)):
        return None
    return "were made by another version of the experiment's file" + (" or of one of yours" if used or files else "")


def _choices(name: str, module: object, records: Sequence[Mapping]) -> Iterator[Finding]:
    """Whether what the experiment uses is what its search has chosen."""
    used = getattr(module, "CHOSEN", None)
    searched = [r for r in records if SEARCH in r["presets"] and not _cells(r)]  # a user's chooses for the user's cells
    if used is None:
        return
    if not searched:
        yield Finding(TOLD, name, "the results of the search that chose its settings are not here")
        return
    try:
        chosen = module.choose(frame(searched, source="committed", preset=SEARCH))
    except Exception as error:  # an experiment may raise anything
        yield Finding(BAD, name, f"choose() raised {first_line(error)}")
        return
    wrong = [f"{what}: {value}, used is {used.get(what)}" for what, value in chosen.items() if used.get(what) != value]
    wrong += [f"{what}: nothing, used is {used[what]}" for what in used if what not in chosen]
    if wrong:
        yield Finding(BAD, name, f"its search has chosen other settings than it uses ({'; '.join(wrong)})")
    else:
        yield Finding(GOOD, name, f"{len(chosen)} settings are those that its search of {len(searched)} trials chose")


def _can_run_again(record: Mapping, seconds: float, cells: Sequence[Path]) -> bool:
    """It ended well and soon, its cells are given, and it is no search's: those choose, nothing is claimed of them."""
    given = {path.name for path in cells}.issuperset(_cells(record))
    return given and record["status"] == "ok" and record["seconds"] <= seconds and SEARCH not in record["presets"]


def _draw(groups: list[list], count: int, rng: random.Random) -> list:
    """So many, one of each group in turn."""
    rng.shuffle(groups)
    for group in groups:
        rng.shuffle(group)
    drawn = []
    while len(drawn) < count and any(groups):
        for group in [group for group in groups if group][: count - len(drawn)]:
            drawn.append(group.pop())
    return drawn


def _again(experiment: Experiment, record: Mapping) -> Finding:
    """Run a trial again, and compare."""
    preset = record["presets"][0]
    trial = Trial(experiment, record["setting"], record["seed"], record["device"], preset, record["code"], "")
    new = execute(trial)
    what = f"{key_of(record)} run again ({', '.join(f'{n}={v}' for n, v in record['setting'].items())})"
    if new["status"] != record["status"]:
        why = f" ({new['error']['type']}: {new['error']['message']})" if new["error"] else ""
        return Finding(BAD, experiment.name, f"{what}: {new['status']}{why}, was {record['status']}{_others(record)}")
    if new["rows"] == record["rows"]:
        return Finding(GOOD, experiment.name, f"{what}: the same to the bit")
    difference, where = _difference(record["rows"], new["rows"])
    if difference <= CLOSE:
        return Finding(GOOD, experiment.name, f"{what}: the same to {difference:.0e}")
    return Finding(BAD, experiment.name, f"{what}: {where} differs by {difference:.2g} of its size{_others(record)}")


def _difference(old: Sequence[Mapping], new: Sequence[Mapping]) -> tuple[float, str]:
    """The largest relative difference of two numbers, and its column; infinite where not even the columns agree."""
    if [list(block) for block in old] != [list(block) for block in new]:
        return math.inf, "what was measured"
    worst = 0.0, ""
    for before, after in zip(old, new, strict=True):
        for name in before:
            pair = decode_column(before[name]), decode_column(after[name])
            if len(pair[0]) != len(pair[1]):
                return math.inf, f"the number of values of {name}"
            scale = max((abs(v) for v in pair[0] if isinstance(v, float) and math.isfinite(v)), default=0.0)
            for a, b in zip(*pair, strict=True):
                worst = max(worst, (_distance(a, b, scale), name))
    return worst


def _distance(a: object, b: object, scale: float) -> float:
    if a == b or (a != a and b != b):
        return 0.0
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    if not numbers or not math.isfinite(a) or not math.isfinite(b):
        return math.inf
    return abs(a - b) / (scale or 1.0)


def _others(record: Mapping) -> str:
    """What is not as it was when the record was made."""
    now, then = provenance(), record["provenance"]
    other = [name for name in CIRCUMSTANCES if now.get(name) != then.get(name)]
    return f" (made with another {', '.join(other)})" if other else " (made in the same circumstances)"
