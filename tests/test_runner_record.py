"""Rows into JSON and back, the checksum, the schema."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbench.runner.record import (
    DamagedRecord,
    check,
    count_rows,
    decode_column,
    dump_lines,
    encode_rows,
    seal,
    validate,
)

CONTENT = {
    "experiment": "e",
    "setting": {"a": 1, "b": None},
    "seed": 0,
    "device": "cpu",
    "presets": ["smoke"],
    "status": "ok",
    "rows": [{"x": [1, {"float": "nan"}]}],
    "error": None,
    "seconds": 0.5,
    "date": "2020-01-01T00:00:00+00:00",
    "code": "abc",
    "provenance": {"commit": None},
}
cells = st.one_of(st.floats(), st.integers(), st.text(), st.booleans(), st.none())
rows_of_cells = st.lists(st.dictionaries(st.sampled_from("abc"), cells, min_size=1), max_size=6)


def decode(blocks):
    """Blocks back into rows."""
    for block in blocks:
        columns = [decode_column(values) for values in block.values()]
        yield from (dict(zip(block, values, strict=True)) for values in zip(*columns, strict=True))


@given(rows_of_cells)
def test_rows_come_back_as_they_were(rows):
    blocks = json.loads(json.dumps(encode_rows(rows), allow_nan=False))
    assert repr(list(decode(blocks))) == repr(rows)  # repr tells NaN, -0.0, 1 and 1.0 apart
    assert count_rows(blocks) == len(rows)


def test_numpy_scalars_become_plain_ones():
    row = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": np.bool_(True),
        "d": np.float64("inf"),
        "e": np.array(2.0),
    }
    (back,) = decode(encode_rows([row]))
    assert back == {"a": 0.5, "b": 3, "c": True, "d": math.inf, "e": 2.0}
    assert [type(value) for value in back.values()] == [float, int, bool, float, float]


@pytest.mark.parametrize("row", [{}, [1], {"a": [1]}, {"a": np.zeros(1)}, {1: 1}, {"": 1}, {"a": 1j}])
def test_a_row_that_is_not_flat_is_refused(row):
    with pytest.raises(TypeError):
        encode_rows([row])


def test_an_integer_that_no_json_holds_is_refused():
    with pytest.raises(ValueError, match="digits"):
        encode_rows([{"a": 10**5000}])


def test_a_sealed_record_is_whole_and_a_changed_one_is_not():
    record = seal(CONTENT)
    assert check(json.loads(dump_lines(record))) == record
    for name, value in [("seed", 1), ("rows", []), ("status", "failed"), ("checksum", "0" * 64)]:
        with pytest.raises(DamagedRecord, match="checksum"):
            check({**record, name: value})
    with pytest.raises(DamagedRecord, match="schema"):
        check({**record, "schema": 99})
    with pytest.raises(DamagedRecord, match="no record"):
        check([])
    with pytest.raises(DamagedRecord, match="JSON"):
        check({**record, "seconds": math.nan})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", "0"),
        ("device", "tpu"),
        ("presets", []),
        ("status", "fine"),
        ("rows", [{"x": [1], "y": [1, 2]}]),
        ("rows", [{}]),
        ("rows", [{"x": []}]),
        ("rows", [{"x": [{"float": "1"}]}]),
        ("setting", {"a": [1]}),
        ("seconds", -1.0),
        ("unknown", 1),
        ("error", {"type": "E"}),
    ],
)
def test_the_schema_refuses(name, value):
    with pytest.raises(DamagedRecord, match=f"field {name}"):
        seal({**CONTENT, name: value})


def test_the_schema_misses_a_field():
    record = seal(CONTENT)
    del record["code"]
    with pytest.raises(DamagedRecord, match="code"):
        validate(record)
