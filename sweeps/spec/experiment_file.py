"""Find and load experiments: built-in ones by name, a user's own by path."""

import importlib.util
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sweeps.errors import ExperimentError, UnknownNameError
from sweeps.spec.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from sweeps.claims.claim import Claim

    Draw = Callable[..., Figure]
    Compare = Callable[[pd.DataFrame], str]

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
"""Folder of the package's own experiments."""


@dataclass(frozen=True)
class Experiment:
    """A question, the trials that answer it, and their figure."""

    reference: str
    """Its name, or the path of its file."""
    path: Path
    """Its file."""
    question: str
    sweep: Sweep
    draw: "Draw | None"
    """Maps the table, and optionally the history, to a figure; None if the file has no
    `draw`."""
    compare: "Compare | None" = None
    """Maps the table to a Markdown table; None if the file has no `compare`."""
    claims: "tuple[Claim, ...]" = ()
    """The paper's claims that its trials test; empty if the file has no `claims`."""

    @property
    def built_in(self) -> bool:
        """Whether it is part of the package."""
        return self.path.parent == EXPERIMENTS


def names() -> list[str]:
    """Return the names of the built-in experiments."""
    return sorted(each.stem for each in EXPERIMENTS.glob("[!_]*.py"))


def load_experiment(reference: str) -> Experiment:
    """Load an experiment by its name, or by the path of a `.py` file.

    Raises:
        UnknownNameError: If there is no experiment of that name.
        ExperimentError: If the file is missing or cannot be loaded.
    """
    if reference.endswith(".py") or "/" in reference:
        return _loaded(Path(reference).resolve())
    if reference not in names():
        raise UnknownNameError("experiment", reference, names())
    return _loaded(EXPERIMENTS / f"{reference}.py", reference)


def _loaded(path: Path, name: str | None = None) -> Experiment:
    module = _module(path, name)
    sweep = getattr(module, "sweep", None)
    if not isinstance(sweep, Sweep):
        raise ExperimentError(
            f"{path} defines no `sweep`. Write sweep = Sweep(name=..., trials=[...], ...)."
        )
    question = (module.__doc__ or "").strip().partition("\n")[0]
    return Experiment(
        name or str(path),
        path,
        question or sweep.name,
        sweep,
        getattr(module, "draw", None),
        getattr(module, "compare", None),
        tuple(getattr(module, "claims", ())),
    )


def _module(path: Path, name: str | None) -> ModuleType:
    if not path.is_file():
        raise ExperimentError(
            f"There is no experiment file {path}. Known by name: {', '.join(names())}."
        )
    full_name = f"sweeps.experiments.{name}" if name else f"experiment_{path.stem}"
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise ExperimentError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    if name is None:
        _make_importable(path.parent)
    try:
        with redirect_stdout(sys.stderr):  # what it prints must not reach stdout
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ExperimentError(summary_of(path, error)) from error
    return module


def _make_importable(folder: Path) -> None:
    """Make the modules beside a file importable, after libraries."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def summary_of(path: Path, error: BaseException) -> str:
    """Return one line on an error in an experiment file, with its location."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{error.filename}:{error.lineno}: {error.msg}."
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    return " ".join(f"{where}: {kind}{error}".split())
