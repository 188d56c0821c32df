"""Records as one tidy DataFrame."""

import math

from test_runner_record import CONTENT

from rnnbench.runner.frames import frame
from rnnbench.runner.record import encode_rows, seal
from rnnbench.runner.settings import RESERVED


def record(setting, rows, **changes):
    return seal({**CONTENT, "setting": setting, "rows": encode_rows(rows), **changes})


def test_one_line_per_row_with_setting_row_and_reserved_columns():
    records = [
        record({"a": 2}, [{"lag": 0, "x": math.nan}, {"lag": 1, "x": math.inf}]),
        record({"a": 1}, [{"lag": 0, "x": 1.5}, {"summary": "s"}]),
        record({"a": 3}, [], status="failed", error={"type": "E", "message": "m", "traceback": ""}),
    ]
    df = frame(records, source="local", preset="quick")
    assert list(df.columns) == ["a", "lag", "x", "summary", *RESERVED]
    assert df["a"].tolist() == [1, 1, 2, 2, 3]
    assert df["status"].tolist() == ["ok"] * 4 + ["failed"]
    assert set(df["preset"]) == {"quick"} and set(df["source"]) == {"local"}
    assert df["x"].iloc[3] == math.inf and df["x"].dtype == float
    assert df["x"].isna().tolist() == [False, True, True, False, True]
    assert df["trial"].nunique() == 3
    assert frame(reversed(records), source="local", preset="quick").equals(df)


def test_an_empty_frame_has_its_columns():
    df = frame([], source="local", preset="smoke", columns=["a"])
    assert df.empty and list(df.columns) == ["a", *RESERVED]
