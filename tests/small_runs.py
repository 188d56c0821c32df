"""Small runs of experiments: trials as the runner has them, and what the report shows of them."""

import numpy as np
import pandas as pd

from rnnbench.report import style
from rnnbench.runner import frames
from rnnbench.runner.record import encode_rows
from rnnbench.runner.settings import RESERVED


def lines(experiment, setting, number=0, device="reference"):
    """The rows of a finished trial, each with its setting."""
    given = setting | {"device": device}
    rows = list(experiment.run(given, np.random.default_rng(number)))
    encode_rows(rows)  # JSON scalars only
    for row in rows:
        assert not {*row} & {*RESERVED} - {*given}
        assert all(row[name] == given[name] for name in {*row} & {*given})
    return [setting | row | {"status": "ok", "trial": str(number)} for row in rows]


def frame(experiment, settings, device="reference"):
    """The finished trials of these settings."""
    found = [line for number, setting in enumerate(settings) for line in lines(experiment, setting, number, device)]
    return pd.DataFrame(found)


def claims(experiment, df):
    """{name: claim} of a frame or a list of lines."""
    found = list(experiment.claims(df if isinstance(df, pd.DataFrame) else pd.DataFrame(df)))
    assert len({claim.name for claim in found}) == len(found)
    return {claim.name: claim for claim in found}


def verdicts(experiment, df):
    """{name of the claim: verdict}."""
    return {name: claim.verdict for name, claim in claims(experiment, df).items()}


def shown(experiment, df):
    """Claims, axes of the figures, which are drawn, and tables, each by name."""
    nothing = frames.frame([], source="local", preset="smoke", columns=[c for c in df if c not in RESERVED])
    found = claims(experiment, df)
    assert [*found] == [*claims(experiment, nothing)]
    with style.context():
        axes = {}
        for name, (figure, caption) in experiment.figures(df).items():
            figure.canvas.draw()
            assert caption.rstrip(")").endswith("."), caption
            assert any(ax.has_data() for ax in figure.axes), name
            axes[name] = figure.axes
    tables = experiment.tables(df)
    assert all(len(table) and caption for table, caption in tables.values())
    return found, axes, {name: table for name, (table, _) in tables.items()}
