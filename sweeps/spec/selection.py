"""Options of most verbs: which trials, to which budget, stored where."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sweeps.errors import SweepError
from sweeps.spec.experiment_file import Experiment, load_experiment
from sweeps.spec.trial_type import TrialType
from sweeps.spec.where import select
from sweeps.storage.address import place
from sweeps.storage.place import Place
from sweeps.terminal import option

if TYPE_CHECKING:
    from sweeps.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Selection:
    """An experiment, and which of its trials."""

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """Name of an experiment (see `sweep list`), or the path of your own file."""

    where: Annotated[str | None, tyro.conf.arg(metavar="EXPR")] = None
    """Only these trials, as in "length <= 100 and seed < 2"."""

    budget: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Maximum number of updates per trial; if omitted, the experiment's own."""

    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Use the experiment's quick preset, stored in DIR/quick."""

    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder with one subfolder per sweep, or s3://BUCKET/PREFIX."""

    def argv(self) -> list[str]:
        """Return the selection as command-line arguments."""
        words = [self.experiment]
        for each in dataclasses.fields(self)[1:]:
            value = getattr(self, each.name)
            if value is True:
                words.append(f"--{each.name}")
            elif value != each.default:
                words += option(f"--{each.name}", str(value))
        return words


@dataclass(frozen=True)
class Chosen:
    """A selection, looked up."""

    selection: Selection
    experiment: Experiment
    trials: list[Any]
    """Those that `--where` and `--quick` select, at least one."""
    budget: int
    place: Place
    """The sweep's results folder."""

    @property
    def type(self) -> TrialType:
        """The type of the trials."""
        return self.experiment.sweep.type

    @property
    def store(self) -> "Store":
        """The sweep's results."""
        from sweeps.store.store import open_store  # pyarrow is loaded only where it is used

        return open_store(self.place, self.type.columns)


def resolve(selection: Selection) -> Chosen:
    """Look up a selection; changes nothing.

    Raises:
        SweepError: If the experiment is unknown, no trial matches, or the budget is invalid.
    """
    experiment = load_experiment(selection.experiment)
    sweep = experiment.sweep
    preset = sweep.budget
    if selection.quick:
        if sweep.quick_budget is None:
            raise SweepError(
                f"{sweep.name!r} has no quick preset. Omit --quick, or set quick_budget in "
                "its Sweep."
            )
        preset = sweep.quick_budget
    budget = preset if selection.budget is None else selection.budget
    trials = select(sweep.trials, sweep.quick_where if selection.quick else None)
    trials = select(trials, selection.where)
    if not trials:
        raise SweepError(
            f"No trial of {sweep.name!r} matches --where {selection.where!r}. "
            f"`sweep plan {selection.experiment}` without it counts them all."
        )
    try:
        dataclasses.replace(sweep, trials=trials).require_budget(budget)
    except ValueError as error:
        raise SweepError(str(error)) from None
    results = place(selection.results)
    root = results / "quick" if selection.quick else results
    return Chosen(selection, experiment, trials, budget, root / sweep.name)
