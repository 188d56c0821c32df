"""The measured rows as frames for reading: the fastest peer per shape, and tables with every win and every loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnbench.peers.spread import BUSY
from rnnbench.peers.tasks import OK, PACKED, RNNBENCH, ROOF

if TYPE_CHECKING:
    import pandas as pd

ENGINES = ("torch", "torch-plain", "torch-compile", "onnxruntime", "jax")
# Only beside all of these is "the fastest peer" said in a claim.
NEEDED = {"inference": ("torch", "onnxruntime", "jax"), "training": ("torch", "jax")}
KEY = ["cell", "shape", "threads", "direction"]
OURS = ["us_per_step", "gflops", "roof_fraction", "roof_fraction_low", "roof_fraction_high"]
RATIO = ["ratio", "ratio_low", "ratio_high"]
NUMBERS = [
    "threads", "rounds_timed", "cores", "error", "size", *OURS, "us_per_step_low", "us_per_step_high", *RATIO,
    "gflops_low", "gflops_high", "exponent", "exponent_low", "exponent_high", "ms", "ms_low", "ms_high", "peak_mb",
    "tape_mb", "others_cores", "before_mb", "import_s", "first_call_s", "second_call_s", "products_us",
    "weight_map_us", "pointwise_us", "memory_us", "model_us", "over_model", "over_model_low", "over_model_high",
    "sum_fraction", "over_sum", "over_sum_low", "over_sum_high",
]  # fmt: skip
TEXTS = [
    "kind",
    "peer",
    "outcome",
    "detail",
    "verdict",
    "direction",
    "cell",
    "activation",
    "shape",
    "axis",
    "cache",
    "workload",
]


def rows(df: pd.DataFrame, kind: str, texts=(), numbers=()) -> pd.DataFrame:
    """The rows of one kind of finished trials, as numbers and texts (further ones, too); all columns exist always."""
    import pandas as pd

    numbers = list(dict.fromkeys((*NUMBERS, *numbers)))
    frame = df.reindex(columns=["trial", "status", *TEXTS, *texts, *numbers])
    frame[numbers] = frame[numbers].apply(pd.to_numeric)
    frame = frame[(frame["status"] == "ok") & (frame["kind"] == kind)]
    options = frame["activation"].map(lambda name: f" {name}" if isinstance(name, str) else "")
    shapes = frame["shape"].map(lambda text: str(text).replace(" ", "").replace(",", "x"))
    return frame.assign(cell=frame["cell"].astype(str) + options.astype(str), shape=shapes.astype(str))


def best(df: pd.DataFrame) -> pd.DataFrame:
    """A line per cell, shape, threads and direction: our numbers, the fastest peer, the ratio to it.

    ``complete`` says whether all the peers that `NEEDED` names took part, and others left the processors alone.
    """
    import pandas as pd

    lines = {}
    for (_, *key), group in rows(df, "time").groupby(["trial", *KEY]):
        engines = group[group["peer"].isin(ENGINES)]
        ran = engines[(engines["outcome"] == OK) & engines["ratio"].notna()]
        if ran.empty:
            continue
        ours = group[group["peer"] == RNNBENCH].iloc[0]
        there = set(ran["peer"])  # one that failed or gave other numbers might have been the fastest
        first = ran.loc[ran["ratio"].idxmin()]
        complete = set(NEEDED[key[3]]) <= there and first["verdict"] != BUSY
        if not complete and lines.get(tuple(key), {}).get("complete"):  # of another trial
            continue
        lines[tuple(key)] = (
            dict(zip(KEY, key, strict=True))
            | {name: ours[name] for name in OURS}
            | {name: first[name] for name in (*RATIO, "verdict")}
            | {"best": first["peer"], "best_roof": first["roof_fraction"], "best_gflops": first["gflops"]}
            | {"complete": complete}
        )
    columns = [*KEY, *OURS, *RATIO, "verdict", "best", "best_roof", "best_gflops", "complete"]
    return pd.DataFrame(list(lines.values()), columns=columns).astype({"complete": bool})


def tables(df: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, str]]:
    """All tables that have a line."""
    made = {}
    times = rows(df, "time")
    beside = times[times["trial"].isin(times.loc[times["peer"].isin(ENGINES), "trial"])]
    for (threads, direction), part in beside.groupby(["threads", "direction"]):
        words = f"{direction}, {threads} thread{'s' if threads > 1 else ''}".capitalize()
        caption = (
            f"{words}. Our time per step, rate and part of the roof, and our speed over each peer's with its 95 % "
            "interval: every win and every loss. Shapes are T x B x I x H."
        )
        made[f"{direction}_{threads}"] = _beside(part), caption
    alone = times[~times["trial"].isin(beside["trial"])]
    made["all_cells"] = _beside(alone, ["direction"]), "Every cell by itself, beside the NumPy reference driver."
    made |= _others(df)
    told = times[times["outcome"] != OK]
    told = told.groupby(["peer", "direction", "outcome", "detail"], dropna=False).size().reset_index(name="rows")
    made["left_out"] = told, "Who could not take part, and why."
    return {name: (table, caption) for name, (table, caption) in made.items() if len(table)}


def _beside(part, more=()):
    """A line per cell and shape: our numbers, then a column for each peer."""
    import pandas as pd

    lines = []
    for (_, *key), group in part.groupby(["trial", "cell", "shape", "direction"]):
        ours, roof = (group[group["peer"] == name] for name in (RNNBENCH, ROOF))
        line = dict(zip(("cell", "shape", "direction"), key, strict=True))
        if len(ours):
            ours = ours.iloc[0]
            line |= {"µs per step": ours["us_per_step"], "GF/s": ours["gflops"]}
            line |= {
                "roof GF/s": roof["gflops"].iloc[0] if len(roof) else None,
                "of roof": span_words(ours, "roof_fraction"),
            }
        for row in group[~group["peer"].isin((RNNBENCH, ROOF, PACKED))].itertuples():
            line[f"over {row.peer}"] = ratio_words(row)
        packed = group[group["peer"] == PACKED]
        if len(packed):
            line["packed once"] = ratio_words(next(packed.itertuples()))
        lines.append(line)
    table = pd.DataFrame(lines, columns=list(dict.fromkeys(name for line in lines for name in line)))
    if table.empty:
        return table
    table = table.sort_values(["cell", "direction", "shape"], ignore_index=True)
    return table if more else table.drop(columns="direction")


def ratio_words(row) -> str:
    """A ratio with its interval and its word, or why there is none."""
    if row.outcome != OK:
        return str(row.outcome)
    return f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f}) {row.verdict}"


def span_words(row, name: str) -> str:
    """A number of a row with its interval."""
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"


def _others(df):
    """Growth, memory and start-up."""
    growth = rows(df, "growth").dropna(subset="exponent")
    growth = growth.assign(base=growth["shape"])
    sort = ["axis", "cell", "direction"]
    growth = growth[[*sort, "base", "exponent", "exponent_low", "exponent_high", "rounds_timed"]].sort_values(sort)
    memory = rows(df, "memory")[["cell", "shape", "direction", "peer", "outcome", "peak_mb", "tape_mb"]]
    start = rows(df, "start")[["cell", "peer", "cache", "outcome", "import_s", "first_call_s", "second_call_s"]]
    return {
        "growth": (
            growth,
            "The power with which the time of a call grows, with its 95 % interval, fitted round by round.",
        ),
        "memory": (
            memory,
            "How far a call's peak lies above what its process held before (input and weights counted there).",
        ),
        "start": (start, "Seconds of the import, and of the first and second training call, in fresh processes."),
    }
