"""How far the trials of each experiment are; reads checksums and statuses, imports no numerics."""

from __future__ import annotations

from rnnbench.runner.discovery import Experiment
from rnnbench.runner.errors import UserError
from rnnbench.runner.running import in_hand
from rnnbench.runner.settings import PRESETS, root_seed, trial_key
from rnnbench.runner.store import Store


def count(
    store: Store, experiments: list[Experiment], seed: int = 0, device: str = "cpu"
) -> tuple[list[dict[str, object]], list[str]]:
    """One row per experiment and preset that has results here (the smallest preset if there are none).

    Parameters
    ----------
    store : Store
    experiments : list of Experiment
    seed, device
        The root seed and the device whose missing trials count as "to do".

    Returns
    -------
    rows : list of dict
        experiment, preset, to_do, running, done, diverged, failed, damaged, committed. A damaged file
        counts once, in the first row of its experiment, and its trial is also to do.
    problems : list of str
        What couldn't be counted, and every damaged file.
    """
    rows, problems = [], []
    live = {key for workers, keys in in_hand(store) for key in _next(store, workers, keys)}
    for experiment in experiments:
        local = store.read_local(experiment.name, validated=False)
        committed = store.read_committed(experiment.name, validated=False)
        problems += [str(damage) for damage in (*local.damage, *committed.damage)]
        records = [*local.by_key.values(), *committed.by_key.values()]
        presets = {preset for record in records for preset in record["presets"]}
        for number, preset in enumerate(sorted(presets, key=PRESETS.index) or PRESETS[:1]):
            try:
                sweep = experiment.sweep(preset, device)
            except UserError as error:
                problems.append(str(error))
                sweep = []
            root = root_seed(preset, seed)
            keys = {trial_key(experiment.name, setting, root, device) for setting in sweep}
            mine = {key: r["status"] for key, r in local.by_key.items() if preset in r["presets"] or key in keys}
            statuses, running = list(mine.values()), (keys & live).difference(mine)  # some may have ended meanwhile
            rows.append(
                {
                    "experiment": experiment.name,
                    "preset": preset,
                    "to_do": len(keys.difference(mine, running)),
                    "running": len(running),
                    "done": statuses.count("ok"),
                    "diverged": statuses.count("diverged"),
                    "failed": statuses.count("failed"),
                    "damaged": len(local.damage) + len(committed.damage) if number == 0 else 0,
                    "committed": sum(preset in record["presets"] for record in committed.by_key.values()),
                }
            )
    return rows, problems


def _next(store: Store, workers: int, keys: list[str]) -> list[str]:
    """The trials that a live run works on now: the first ones, in its order, that have no file yet."""
    ended = {path.stem for path in store.local.glob("*/*.json")}
    return [key for key in keys if key not in ended][:workers]
