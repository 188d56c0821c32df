"""Records as one tidy pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rnnbench.runner.record import decode_column, key_of
from rnnbench.runner.settings import RESERVED

if TYPE_CHECKING:
    import pandas as pd


def frame(records: Iterable[Mapping], *, source: str, preset: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """One line per row of every record, in an order that depends on the settings alone.

    Parameters
    ----------
    records : iterable of dict
        Valid records of one experiment.
    source : str
        "committed" or "local".
    preset : str
        The preset as which they are looked at (a trial may belong to several).
    columns : sequence of str
        The columns of an empty frame besides the reserved ones.

    Returns
    -------
    DataFrame
        Setting and row columns, then experiment, trial, status, seed, preset, device, source, seconds.
    """
    import pandas as pd

    blocks = []
    for record in sorted(records, key=lambda r: (str(sorted(r["setting"].items())), r["device"], r["seed"])):
        reserved = {
            "experiment": record["experiment"],
            "trial": key_of(record),
            "status": record["status"],
            "seed": record["seed"],
            "preset": preset,
            "device": record["device"],
            "source": source,
            "seconds": record["seconds"],
        }
        for block in record["rows"] or [{}]:
            measured = {name: decode_column(values) for name, values in block.items()}
            length = len(next(iter(measured.values()))) if measured else 1
            constant = {name: [value] * length for name, value in (record["setting"] | reserved).items()}
            blocks.append(constant | measured)
    if not blocks:
        return pd.DataFrame(columns=[*columns, *RESERVED])
    names = dict.fromkeys(name for block in blocks for name in block if name not in RESERVED)
    data: dict[str, list] = {name: [] for name in (*names, *RESERVED)}
    for block in blocks:
        length = len(block["status"])
        for name, values in data.items():
            values.extend(block.get(name, [None] * length))
    return pd.DataFrame(data)


def measured(df: pd.DataFrame, texts: Sequence[str], numbers: Sequence[str], has: str) -> pd.DataFrame:
    """The lines of finished trials that hold a measurement.

    Parameters
    ----------
    df : DataFrame
        As `frame` makes it; empty and without these columns too.
    texts, numbers : sequence of str
        The columns of the result besides `trial`. All exist in any case; numbers are numeric.
    has : str
        The measurement, one of `texts` or `numbers`.
    """
    import pandas as pd

    numbers = list(numbers)
    found = df.reindex(columns=["status", "trial", *texts, *numbers])
    found[numbers] = found[numbers].apply(pd.to_numeric)
    return found[(found["status"] == "ok") & found[has].notna()].drop(columns="status")
