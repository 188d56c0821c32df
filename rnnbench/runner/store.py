"""The results folder: a file per local trial, a committed table per experiment, one loader for both.

```
results/<experiment>.json                  committed: one line per trial, a deterministic text
results/local/<experiment>/<key>.json      this machine's: one file per trial, git-ignored
```

Files are written under a temporary name in the same folder, synced and renamed: there is the old file or
the whole new one, never half of one. What is damaged anyway is reported and skipped.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rnnbench.files import write_whole
from rnnbench.runner.discovery import CHECKOUT
from rnnbench.runner.errors import UserError
from rnnbench.runner.record import SCHEMA, DamagedRecord, check, dump_lines, key_of, validate
from rnnbench.runner.settings import PRESETS, canonical

# What reading a damaged file can raise; too many brackets, a RecursionError.
UNUSABLE = (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError)


@dataclass(frozen=True)
class Damage:
    """A file, or a line of a committed table, that can't be used."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass
class Records:
    """What a read found: valid records by trial key, and the damage beside them."""

    by_key: dict[str, dict] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)


def default_results() -> Path:
    """``results`` in the current folder if there is one, else the checkout's, else one to be made here."""
    try:
        here = Path.cwd() / "results"
    except FileNotFoundError as error:
        raise UserError("the current folder has been removed: go to another one, or give --results DIR") from error
    checkout = CHECKOUT / "results"
    return checkout if not here.is_dir() and (CHECKOUT / "pyproject.toml").is_file() else here


class Store:
    """The results folder.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.local = root / "local"

    def require_writable(self) -> None:
        """A UserError unless files can be written below the root."""
        with self.writing():
            self.local.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.local):
                pass

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, a file that cannot be written (a full disk, a folder of somebody else's) is a UserError."""
        try:
            yield
        except OSError as error:
            expected = f"expected a folder that can be written to ({error.strerror})"
            raise UserError(f"--results got {str(self.root)!r}, {expected}") from error

    def require_readable(self) -> None:
        """A UserError if the root exists and is no folder, or what is in it cannot be read."""
        for folder in (self.root, self.local):
            try:
                list(folder.iterdir())
            except FileNotFoundError:
                return
            except NotADirectoryError:
                raise UserError(f"--results got {str(folder)!r}, expected a folder, and it is a file") from None
            except OSError as error:
                expected = f"expected a folder that can be read ({error.strerror})"
                raise UserError(f"--results got {str(folder)!r}, {expected}") from error

    def local_path(self, experiment: str, key: str) -> Path:
        """The file of one trial of this machine."""
        return self.local / experiment / f"{key}.json"

    def committed_path(self, experiment: str) -> Path:
        """The file of an experiment's committed table."""
        return self.root / f"{experiment}.json"

    def write(self, record: dict) -> None:
        """Store a sealed record as this machine's result of its trial."""
        with self.writing():
            write_whole(self.local_path(record["experiment"], key_of(record)), dump_lines(record))

    def read_local(self, experiment: str, validated: bool = True) -> Records:
        """This machine's trials of an experiment.

        Parameters
        ----------
        experiment : str
        validated : bool
            Hold each record against the schema too; checksums are always verified.
        """
        found = Records()
        folder = self.local / experiment
        try:
            paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
        except (FileNotFoundError, NotADirectoryError):
            return found
        except OSError as error:
            found.damage.append(Damage(folder, _reason(error)))
            return found
        for path in paths:
            try:
                record = check(json.loads(path.read_bytes()))
                if validated:
                    validate(record)
                if record["experiment"] != experiment or key_of(record) != path.stem:
                    raise DamagedRecord("its name isn't that of the trial it holds")
            except UNUSABLE as error:
                found.damage.append(Damage(path, _reason(error)))
            else:
                found.by_key[path.stem] = record
        return found

    def read_committed(self, experiment: str, validated: bool = True) -> Records:
        """The committed trials of an experiment, in the same form as this machine's."""
        path = self.committed_path(experiment)
        found = Records()
        if not path.exists():
            return found
        try:
            table = json.loads(path.read_bytes())
            if table["schema"] != SCHEMA:
                raise DamagedRecord(f"its schema is {table['schema']!r}, expected {SCHEMA}")
            provenances, lines = list(table["provenance"]), list(table["trials"])
        except UNUSABLE as error:
            found.damage.append(Damage(path, _reason(error)))
            return found
        for number, line in enumerate(lines, start=1):
            try:
                record = {"schema": SCHEMA, "experiment": experiment, **line}
                record = check(record | {"provenance": provenances[line["provenance"]]})
                if validated:
                    validate(record)
                if key_of(record) in found.by_key:  # two branches were merged, and each had run it
                    raise DamagedRecord("its trial stands above already")
                found.by_key[key_of(record)] = record
            except UNUSABLE as error:
                found.damage.append(Damage(path, f"trial {number}: {_reason(error)}"))
        return found

    def commit(self, experiment: str, records: Iterable[dict]) -> Path:
        """Write an experiment's committed table; equal records give equal bytes.

        Returns
        -------
        Path
            The table's file.
        """
        ordered = sorted(records, key=lambda r: (canonical(r["setting"]), r["device"], r["seed"]))
        provenances = sorted({canonical(r["provenance"]): r["provenance"] for r in ordered}.items())
        number = {text: index for index, (text, _) in enumerate(provenances)}
        lines = []
        for record in ordered:
            line = {name: value for name, value in record.items() if name not in ("schema", "experiment")}
            line["provenance"] = number[canonical(record["provenance"])]
            lines.append(json.dumps(line, allow_nan=False))
        text = "\n".join(
            [
                "{",
                f'"schema": {SCHEMA},',
                f'"experiment": {json.dumps(experiment)},',
                '"provenance": [',
                ",\n".join(json.dumps(content) for _, content in provenances),
                "],",
                '"trials": [',
                ",\n".join(lines),
                "]",
                "}",
                "",
            ]
        )
        path = self.committed_path(experiment)
        with self.writing():
            write_whole(path, text)
        return path

    def experiments(self) -> list[str]:
        """The names of all experiments that have results here, whether or not their file still exists."""
        committed = {path.stem for path in self.root.glob("*.json")}
        local = {path.name for path in self.local.glob("[!.]*") if path.is_dir() and any(path.glob("*.json"))}
        return sorted(committed | local)


def with_preset(presets: Iterable[str], preset: str) -> list[str]:
    """The presets and one more, from the smallest."""
    return sorted({*presets, preset}, key=PRESETS.index)


def _reason(error: Exception) -> str:
    """Why a file can't be used, in words."""
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
        return "it is no valid JSON (half-written or altered)"
    if isinstance(error, KeyError):
        return f"its field {error.args[0]} is missing"
    if isinstance(error, OSError):
        return f"it can't be read ({error.strerror})"
    return str(error)
