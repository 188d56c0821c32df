"""The schema of a trial's record (pydantic: import it only where records are validated)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rnnbench.runner.settings import DEVICES, PRESETS, SEARCH, SEARCH_SEEDS

Scalar = str | int | float | bool | None
Name = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """No unknown fields, no conversions: what is read is what was written."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NonFinite(Strict):
    """NaN or an infinity inside a row."""

    float: Literal["nan", "inf", "-inf"]


class Error(Strict):
    """Why a trial failed or diverged."""

    type: str
    message: str
    traceback: str


class TrialRecord(Strict):
    """One trial.

    ``rows`` holds blocks of columns (`rnnbench.runner.record.encode_rows`), ``code`` the hash of the
    experiment's file and of the user's cell files, ``presets`` every preset that asked for the trial, from
    the smallest.
    """

    schema_version: Literal[1] = Field(alias="schema")
    experiment: Name
    setting: dict[Name, Scalar]
    seed: Annotated[int, Field(ge=0)]
    device: Literal[DEVICES]
    presets: Annotated[list[Literal[PRESETS]], Field(min_length=1)]
    status: Literal["ok", "failed", "diverged"]
    rows: list[Annotated[dict[Name, list[Scalar | NonFinite]], Field(min_length=1)]]
    error: Error | None
    seconds: Annotated[float, Field(ge=0)]
    date: Name
    code: Name
    provenance: dict[Name, Scalar]
    checksum: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @field_validator("rows")
    @classmethod
    def columns_are_even(cls, rows: list[dict]) -> list[dict]:
        """Every column of a block has the same length, of at least 1."""
        for block in rows:
            lengths = {len(column) for column in block.values()}
            if len(lengths) != 1 or 0 in lengths:
                raise ValueError("the columns of a block differ in length or are empty")
        return rows

    @model_validator(mode="after")
    def searches_are_apart(self) -> TrialRecord:
        """A search's trial has a seed of searches and no other preset; every other trial has not."""
        if (self.presets == [SEARCH]) != (self.seed >= SEARCH_SEEDS) or (SEARCH in self.presets[1:]):
            raise ValueError("a trial of a search shares its seed or its preset with a trial that is reported")
        return self
