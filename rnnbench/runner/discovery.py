"""Finding experiments: a file in the folder is an experiment; its title is read without importing it."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from rnnbench.runner.errors import UserError, closest, first_line
from rnnbench.runner.settings import DEVICES, SEARCH, Scalar, check_setting
from rnnbench.sources import module_of

REQUIRED = ("sweep", "run", "claims", "figures", "tables")
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Experiment:
    """An experiment's file; nothing of it is imported until `load`.

    Attributes
    ----------
    name : str
        The file's name without ``.py``.
    path : Path
    packaged : bool
        It belongs to rnnbench, rather than to the user's ``--experiments`` folder.
    """

    name: str
    path: Path
    packaged: bool

    @property
    def docstring(self) -> str:
        """The module's docstring, read from the syntax tree; empty where there is none to be read."""
        try:
            return ast.get_docstring(ast.parse(self.path.read_bytes())) or ""
        except (SyntaxError, ValueError, OSError):
            return ""

    @property
    def title(self) -> str:
        """The docstring's first line."""
        return self.docstring.partition("\n")[0].strip()

    def load(self) -> ModuleType:
        """The imported module.

        Raises
        ------
        UserError
            It doesn't import, or lacks one of the five functions.
        """
        name = f"rnnbench.experiments.{self.name}" if self.packaged else f"rnnbench_user_experiments.{self.name}"
        loaded = sys.modules.get(name)
        if loaded is not None and getattr(loaded, "__file__", None) == str(self.path):
            return loaded
        module = module_of(name, self.path)
        sys.modules[name] = module  # dataclasses and pickling inside the file look it up there
        try:
            module.__spec__.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise UserError(f"experiment {self.name!r} ({self.path}) can't be imported: {first_line(error)}") from error
        missing = [function for function in REQUIRED if not callable(getattr(module, function, None))]
        if missing:
            del sys.modules[name]
            raise UserError(f"experiment {self.name!r} ({self.path}) lacks {', '.join(f'{m}()' for m in missing)}")
        return module

    @property
    def timed(self) -> bool:
        """Its rows are times, ``TIMED = True``: its trials run alone, and no second run gives the same rows."""
        return bool(getattr(self.load(), "TIMED", False))

    @property
    def checks(self) -> bool:
        """Its claims are about what is run, ``CHECKS = True``: one that fails makes the run fail."""
        return bool(getattr(self.load(), "CHECKS", False))

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that it runs on, ``DEVICES``; the processor alone unless it names others.

        Raises
        ------
        UserError
            It names something else.
        """
        named = getattr(self.load(), "DEVICES", ("cpu",))
        if not isinstance(named, tuple | list) or not all(one in DEVICES for one in named):
            raise UserError(f"experiment {self.name!r}: DEVICES is {named!r}, expected a tuple of {', '.join(DEVICES)}")
        return tuple(named)

    def files(self, setting: dict[str, Scalar]) -> tuple[Path, ...]:
        """The user's files that a trial reads, as ``files(setting)`` has them; none where there is no such function.

        Raises
        ------
        UserError
            It raised, or gave no paths.
        """
        named = getattr(self.load(), "files", None)
        try:
            return tuple(map(Path, named(setting))) if named else ()
        except (Exception, SystemExit) as error:
            raise UserError(f"experiment {self.name!r}: files({setting!r}) raised {first_line(error)}") from error

    def sweep(self, preset: str, device: str) -> list[dict[str, Scalar]]:
        """The checked settings of a preset on a device; none on a device that it does not run on, and none of a search
        where nothing is to be chosen.

        Raises
        ------
        UserError
            The module's ``sweep`` raised, or gave something that is no sequence of flat settings.
        """
        module = self.load()
        if device not in self.devices or (preset == SEARCH and not hasattr(module, "choose")):
            return []
        try:
            settings = list(module.sweep(preset, device))
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            call = f"sweep({preset!r}, {device!r})"
            raise UserError(f"experiment {self.name!r}: {call} raised {first_line(error)}") from error
        return [check_setting(setting, self.name) for setting in settings]


def packaged_folder() -> Path | None:
    """The folder of the experiments that come with rnnbench: the installed package, or the checkout's."""
    spec = importlib.util.find_spec("rnnbench.experiments")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    folders.append(str(CHECKOUT / "experiments"))
    return next((Path(folder) for folder in folders if Path(folder).is_dir()), None)


def find_experiments(extra: Path | None = None) -> dict[str, Experiment]:
    """Every experiment by name, sorted; the user's file wins over a packaged one of the same name.

    Parameters
    ----------
    extra : Path, optional
        The user's folder, ``--experiments``.

    Raises
    ------
    UserError
        ``extra`` is no folder.
    """
    if extra is not None and not extra.is_dir():
        raise UserError(f"--experiments got {str(extra)!r}, expected an existing folder of experiment files")
    found: dict[str, Experiment] = {}
    for folder, packaged in ((packaged_folder(), True), (extra, False)):
        for path in sorted(folder.glob("*.py")) if folder else ():
            if not path.name.startswith(("_", ".")):  # an editor's lock begins with a dot
                found[path.stem] = Experiment(path.stem, path.resolve(), packaged)
    return dict(sorted(found.items()))


def choose(found: dict[str, Experiment], names: Sequence[str]) -> list[Experiment]:
    """The experiments of these names, without doubles; ``all`` is every one.

    Raises
    ------
    UserError
        A name is unknown.
    """
    for name in names:
        if name not in found and name != "all":
            raise UserError(f"EXPERIMENT got {name!r}, {closest(name, [*found, 'all'])}")
    return list(found.values()) if "all" in names else [found[name] for name in dict.fromkeys(names)]
