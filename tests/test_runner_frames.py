"""Records as one tidy DataFrame."""

import math

from test_runner_record import CONTENT

from rnnbench.runner.frames import frame, measured
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


def test_measured_keeps_finished_lines_that_hold_it():
    records = [
        record({"cell": "a"}, [{"lag": 0, "x": 1.5}, {"lag": 1, "x": math.nan}, {"other": 1}]),
        record({"cell": "b"}, [{"lag": 0, "x": 2.5}], status="diverged"),
        record({"cell": "c"}, [], status="failed", error={"type": "E", "message": "m", "traceback": ""}),
    ]
    found = measured(frame(records, source="local", preset="quick"), ["cell"], ["lag", "x", "absent"], has="x")
    assert found.drop(columns="trial").values.tolist()[0][:3] == ["a", 0.0, 1.5] and len(found) == 1
    assert found["x"].dtype == float and found["absent"].isna().all()
    empty = measured(frame([], source="local", preset="smoke"), ["cell"], ["x"], has="x")
    assert empty.empty and list(empty.columns) == ["trial", "cell", "x"]
