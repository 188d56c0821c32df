"""Numbers and tables as text."""

import math

import numpy as np
import pandas as pd
import pytest

from rnnbench.report.tables import LONGEST, column, layout, text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (-12345678, "−12345678"),
        (np.int64(7), "7"),
        (0.25, "0.25"),
        (1 / 3, "0.3333"),
        (-2 / 3, "−0.6667"),
        (123456.0, "1.235 × 10⁵"),
        (-1.23456e-7, "−1.235 × 10⁻⁷"),
        (np.float32(0.1), "0.1"),
        (math.nan, "–"),
        (None, "–"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (True, "yes"),
        (np.bool_(False), "no"),
        ("lstm", "lstm"),
        ("< 0.01", "< 0.01"),
    ],
)
def test_text(value, shown):
    assert text(value) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.5, 0.25, 1.0], ["0.500", "0.250", "1.000"]),
        ([0.05, 0.025], ["0.05000", "0.02500"]),
        ([150.0, 12.25], ["150.0", "12.2"]),
        ([1.0, 20.0], ["1", "20"]),
        ([1e-9, 1.0], ["1 × 10⁻⁹", "1"]),
        ([0.5, None, math.inf], ["0.5000", "–", "∞"]),
        ([1, 200], ["1", "200"]),
        ([0.0], ["0"]),
        ([], []),
        (["a", 0.5], ["a", "0.5000"]),
    ],
)
def test_a_column_has_one_format(values, shown):
    assert column(values) == shown


def test_numbers_stand_right_and_long_tables_are_cut():
    df = pd.DataFrame({"cell_name": ["a"] * 50, "x": np.arange(50), "on": [True] * 50, "gap": [None] * 49 + [1.0]})
    table = layout(df)
    assert table.headers == ["cell name", "x", "on", "gap"]
    assert table.numeric == [False, True, False, True]
    assert len(table.rows) == LONGEST and table.hidden == 50 - LONGEST
    assert table.rows[0] == ["a", "0", "yes", "–"]


def test_a_named_index_is_part_of_the_table():
    df = pd.DataFrame({"cell": ["a", "b", "a"], "x": [1.0, 2.0, 3.0]})
    assert layout(df.groupby("cell").mean()).rows == [["a", "2"], ["b", "2"]]
    assert layout(df.groupby("cell").agg({"x": ["min", "max"]})).headers == ["cell", "x min", "x max"]
    assert layout(df).headers == ["cell", "x"]


def test_an_empty_table():
    assert layout(pd.DataFrame({"a": []})).rows == []
    assert layout(pd.DataFrame()).headers == []
