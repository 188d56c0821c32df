"""The record of one trial: its JSON form, its checksum and its schema.

A record is a plain dict, so that thousands of them can be counted without importing anything; `validate`
holds it against the schema wherever it is written or used.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence

from rnnbench.runner.settings import Scalar, canonical, trial_key

SCHEMA = 1
STATUSES = ("ok", "failed", "diverged")
DONE = ("ok", "diverged")  # what `run` doesn't run again


class DamagedRecord(ValueError):
    """A stored record that isn't what was written: half of it, altered, or of another schema or name."""


def seal(content: Mapping) -> dict:
    """The record with its schema version and its checksum, validated."""
    record = {"schema": SCHEMA, **{name: value for name, value in content.items() if name != "checksum"}}
    record["checksum"] = checksum(record)
    validate(record)
    return record


def checksum(record: Mapping) -> str:
    """SHA-256 over the canonical JSON of everything but the checksum itself."""
    content = {name: value for name, value in record.items() if name != "checksum"}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def check(record: object) -> dict:
    """The record, if its schema version and its checksum are right.

    Raises
    ------
    DamagedRecord
    """
    if not isinstance(record, dict):
        raise DamagedRecord("it holds no record")
    if record.get("schema") != SCHEMA:
        raise DamagedRecord(f"its schema is {record.get('schema')!r}, expected {SCHEMA}")
    try:
        actual = checksum(record)
    except ValueError as error:  # a bare NaN, which we never write
        raise DamagedRecord(f"it is no valid JSON: {error}") from error
    if record.get("checksum") != actual:
        raise DamagedRecord("its checksum doesn't fit its content")
    return record


def key_of(record: Mapping) -> str:
    """The hash that names the record's trial."""
    return trial_key(record["experiment"], record["setting"], record["seed"], record["device"])


def validate(record: Mapping) -> None:
    """Hold a record against the schema.

    Raises
    ------
    DamagedRecord
        With the first field that is wrong.
    """
    from pydantic import ValidationError

    from rnnbench.runner.schema import TrialRecord

    try:
        TrialRecord.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedRecord(f"its field {where} is wrong: {first['msg']}") from error


def is_done(record: Mapping | None) -> bool:
    """Whether this is the result of a trial, which `run` leaves alone; None stands for no record."""
    return record is not None and record["status"] in DONE


def dump_lines(content: Mapping) -> str:
    """JSON with one line per top-level field: compact, yet readable and fit for a diff."""
    lines = (f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in content.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def encode_rows(rows: Sequence[Mapping[str, Scalar]]) -> list[dict[str, list]]:
    """Rows as blocks of columns, ``[{"lag": [1, 2], "norm": [0.5, 0.25]}]``, a block per run of equal names.

    NumPy scalars become Python's. NaN and the infinities, which JSON lacks, become ``{"float": "nan"}`` and
    so on.

    Raises
    ------
    TypeError
        A row is no mapping, has no columns or one without a name, or holds something that is no scalar.
    ValueError
        An integer has more digits than Python writes and reads.
    """
    plain = [_plain_row(row) for row in rows]
    blocks = []
    for names, block in itertools.groupby(plain, key=tuple):
        columns = zip(*(row.values() for row in block), strict=True)
        blocks.append(dict(zip(names, (list(column) for column in columns), strict=True)))
    return blocks


def _plain_row(row: Mapping[str, Scalar]) -> dict:
    if not isinstance(row, Mapping) or not row or not all(isinstance(name, str) and name for name in row):
        raise TypeError(f"run() gave the row {row!r}, expected a mapping of names to scalars")
    return {name: _encode(name, value) for name, value in row.items()}


def _encode(name: str, value: object) -> object:
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    if type(value) not in (str, int, float, bool, type(None)):
        raise TypeError(f"run() gave a row with {name}={value!r}, expected a str, int, float, bool or None")
    if isinstance(value, int):
        str(value)  # raises where it has too many digits
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def short(row: Mapping[str, Scalar], digits: int) -> dict[str, Scalar]:
    """A row whose floats have so many digits, to be stored by the thousand; rounding errors around 0 become 0."""
    return {name: _short(value, digits) if isinstance(value, float) else value for name, value in row.items()}


def _short(value: float, digits: int) -> float:
    return 0.0 if abs(value) < 1e-14 else float(f"{value:.{digits}g}")


def decode_column(values: Sequence) -> list[Scalar]:
    """A block's column with its NaN and infinities back in place."""
    return [float(value["float"]) if isinstance(value, dict) else value for value in values]


def count_rows(blocks: Sequence[Mapping[str, list]]) -> int:
    """The number of rows in encoded blocks."""
    return sum(len(next(iter(block.values()))) for block in blocks)
