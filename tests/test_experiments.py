"""Every experiment: its settings, its search, its claims without data, and the smallest run of those that train."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import small_runs

from rnnbench.report import style
from rnnbench.runner import settings
from rnnbench.runner.claims import NOT_YET_RUN, REPRODUCED
from rnnbench.runner.discovery import CHECKOUT, Experiment
from rnnbench.runner.frames import frame
from rnnbench.runner.store import Store

NAMES = sorted(path.stem for path in (CHECKOUT / "experiments").glob("[!_]*.py"))
FOUND = {name: Experiment(name, CHECKOUT / "experiments" / f"{name}.py", False) for name in NAMES}
SEARCHED = [name for name in NAMES if hasattr(FOUND[name].load(), "choose")]
TRAINED = [*SEARCHED, "clipping"]
TAKES_CELLS = [name for name in SEARCHED if hasattr(FOUND[name].load(), "cells")]
every = pytest.mark.parametrize("name", NAMES)


@every
@pytest.mark.parametrize("preset", settings.PRESETS)
@pytest.mark.parametrize("device", settings.DEVICES)
def test_settings_are_flat_and_distinct(name, preset, device):
    sweep = FOUND[name].sweep(preset, device)  # the runner's, which refuses what is no flat mapping
    assert len({settings.canonical(setting) for setting in sweep}) == len(sweep)
    assert sweep == FOUND[name].sweep(preset, device)
    if device == "cpu" or device in FOUND[name].devices:
        runs = device in FOUND[name].devices and (preset != settings.SEARCH or name in SEARCHED)
        assert bool(sweep) == runs
    seeds = [setting["seeds"] for setting in sweep if "seeds" in setting]
    assert all(count >= 5 for count in seeds) if preset in ("quick", "paper") else max(seeds, default=0) <= 3


@pytest.mark.parametrize("name", SEARCHED)
def test_what_is_used_was_searched_for(name):
    """Of a made-up search, in which a rate is the better the nearer it is to 0.01, this rate is chosen everywhere."""
    module, searched = FOUND[name].load(), FOUND[name].sweep("search", "cpu")
    assert {setting["rate"] for setting in searched} == {*module.RATES}
    made_up = {"kind": "end", "status": "ok", "outcome": "training", "pair": "svo_sov"}
    rows = [made_up | one | {"loss": abs(one["rate"] - 0.01), "test_length": longest(one)} for one in searched]
    best = min(module.RATES, key=lambda rate: abs(rate - 0.01))
    assert module.choose(pd.DataFrame(rows)) == dict.fromkeys(module.CHOSEN, best)
    assert {*module.CHOSEN.values()} <= {*module.RATES}
    used = {setting["rate"] for setting in FOUND[name].sweep("quick", "cpu") if "rate" in setting}
    assert used <= {*module.CHOSEN.values()}


def longest(setting):
    """The length that decides, in an experiment that tests several."""
    return next((setting[name] for name in ("digits", "vectors", "trained") if name in setting), None)


@every
def test_without_data_nothing_is_claimed(name):
    sweep = FOUND[name].sweep("smoke", "cpu")
    columns = dict.fromkeys(column for setting in sweep for column in setting)
    empty = frame([], source="local", preset="smoke", columns=[*columns])
    assert {*small_runs.verdicts(FOUND[name].load(), empty).values()} == {NOT_YET_RUN}


@every
@pytest.mark.parametrize(
    "presets", [("quick",), pytest.param(settings.PRESETS, marks=pytest.mark.slow)], ids=["quick", "all"]
)
def test_each_preset_of_the_committed_results_is_told_on_its_own(name, presets):
    """Whatever columns other presets would add; and where trials have measured nothing."""
    module, records = FOUND[name].load(), Store(CHECKOUT / "results").read_committed(name).by_key.values()
    found = {preset: [record for record in records if preset in record["presets"]] for preset in presets}
    found["none"], found["failed"] = [], [record | {"status": "failed", "rows": []} for record in found["quick"]]
    columns = dict.fromkeys(column for setting in FOUND[name].sweep("smoke", "cpu") for column in setting)
    names = []
    for preset, some in found.items():
        df = frame(some, source="committed", preset=preset, columns=[*columns])
        names.append([claim.name for claim in module.claims(df)])
        assert all(caption for _, caption in module.tables(df).values())
        with style.context():
            assert all(caption for _, caption in module.figures(df).values())
            plt.close("all")
    assert all(one == names[0] for one in names)


@pytest.mark.parametrize("name", TAKES_CELLS)
def test_a_cell_of_the_users_is_not_laid_on_the_lstm(name):
    """With the LSTM's trials once more, as another cell's with half the loss, no line of a table says anything else."""
    module, records = FOUND[name].load(), Store(CHECKOUT / "results").read_committed(name).by_key.values()
    df = frame([record for record in records if "quick" in record["presets"]], source="committed", preset="quick")
    own = df[df["cell"].isin(("lstm", "lstm_peephole"))].assign(loss=lambda rows: rows["loss"] / 2)
    own[["cell", *({"model", "network"} & {*df})]] = "own"
    alone, beside = (module.tables(rows) for rows in (df, pd.concat([df, own], ignore_index=True)))
    assert len(own)
    for table in alone:
        before, after = ({*map(tuple, found[table][0].astype(str).values)} for found in (alone, beside))
        assert before <= after, table


@pytest.mark.parametrize("name", TRAINED)
def test_a_small_run_is_told_and_drawn(name):
    module, sweep = FOUND[name].load(), FOUND[name].sweep("smoke", "cpu")
    claims, figures, _ = small_runs.shown(module, small_runs.frame(module, sweep, "cpu"))
    assert figures
    assert {claim.verdict for claim in claims.values()} <= {NOT_YET_RUN, REPRODUCED}, (
        "a small run decides what is exact"
    )
