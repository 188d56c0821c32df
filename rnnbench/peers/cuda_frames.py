"""The rows measured on a GPU as frames for reading, and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnbench.peers import frames
from rnnbench.peers.cuda_engines import DRIVERS, PRECISIONS, TORCH
from rnnbench.peers.cuda_floor import Floor, Rates
from rnnbench.peers.tasks import OK

if TYPE_CHECKING:
    import pandas as pd

KEY = ["cell", "shape", "precision", "direction"]
_OVER = [f"over_floor{end}" for end in ("", "_low", "_high")]
_RATES = [*Rates._fields, "own_products", "cublas_products"]
_FLOOR = [f"{name}_us" for name in Floor._fields] + [f"{name}_rate" for name in _RATES] + ["waits"]


def times(df: pd.DataFrame) -> pd.DataFrame:
    """A line per engine, cell, shape, precision and direction."""
    return _last(frames.rows(df, "time", ["precision", "ours"], _OVER), [*KEY, "peer"])


def floors(df: pd.DataFrame) -> pd.DataFrame:
    """A line per cell, shape, precision and direction: the floor, its terms, and what the GPU was measured to do."""
    return _last(frames.rows(df, "floor", ["precision"], _FLOOR), KEY)


def _last(rows, key):
    rows = rows.drop_duplicates(key, keep="last")
    order = rows["precision"].map({name: number for number, name in enumerate(PRECISIONS)})
    return rows.assign(_order=order).sort_values([*KEY[:2], "_order", KEY[3]], kind="stable").drop(columns="_order")


def best(df: pd.DataFrame) -> pd.DataFrame:
    """Of our drivers the one that "auto" takes: the persistent one where it ran, else the portable one."""
    ran = times(df)
    ran = ran[ran["peer"].isin(DRIVERS) & (ran["outcome"] == OK)]
    first = ran["peer"].map(DRIVERS.index)
    return ran.assign(_first=first).sort_values("_first", kind="stable").drop_duplicates(KEY).drop(columns="_first")


def tables(df: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, str]]:
    """Every win and every loss, the floor's terms, and who could not take part; those that have a line."""
    import pandas as pd

    rows, made = times(df), {}
    floor_of = floors(df).set_index(KEY)["floor_us"]
    for direction, part in rows[rows["peer"].isin((*DRIVERS, TORCH))].groupby("direction"):
        lines = []
        for place, group in part.groupby(KEY, sort=False):
            if (group["outcome"] == OK).any():
                by_peer = {row["peer"]: row for _, row in group.iterrows()}
                lines.append(dict(zip(KEY[:3], place[:3], strict=True)) | _line(by_peer, floor_of.get(place)))
        caption = (
            f"{str(direction).capitalize()}, microseconds per step (T x B x I x H), and how many times its floor the "
            'driver takes that "auto" chooses; our speed over PyTorch\'s with its 95 % interval: every win and every '
            "loss. Errors are against float64, of an array's largest magnitude."
        )
        made[str(direction)] = pd.DataFrame(lines), caption
    terms = floors(df)
    terms = terms[terms["outcome"] == OK][[*KEY, *_FLOOR]]
    words = (
        "The floor of a step and its terms in microseconds; operations per second of a large product (the faster of "
        "our own tiles and cuBLAS), bytes per second read, seconds of a barrier, as measured."
    )
    made["floor"] = terms, words
    told = pd.concat([rows, floors(df)])
    told = told[told["outcome"] != OK].groupby(["peer", "outcome", "detail"], dropna=False)
    made["left_out"] = told.size().reset_index(name="rows"), "Who could not take part, and why."
    return {name: (table, caption) for name, (table, caption) in made.items() if len(table)}


def _line(by_peer, floor):
    """Columns of a line: times, floor, ratio, errors."""
    line = {f"{name} (µs)": by_peer[name]["us_per_step"] for name in DRIVERS if name in by_peer}
    ours = next((by_peer[name] for name in DRIVERS if name in by_peer and by_peer[name]["outcome"] == OK), None)
    line["floor (µs)"] = floor
    if ours is not None:
        line["over floor"] = frames.span_words(ours, "over_floor") if ours["over_floor"] > 0 else None
        line["error"] = ours["error"]
    if TORCH in by_peer:
        torch = by_peer[TORCH]
        line |= {"torch (µs)": torch["us_per_step"], "torch's error": torch["error"]}
        compared = torch["outcome"] != OK or torch["ratio"] > 0
        line["over torch"] = frames.ratio_words(torch) if compared else None
    return line
