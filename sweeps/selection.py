"""What the verbs share: which trials, to which budget, kept where."""

import dataclasses
import shlex
from dataclasses import dataclass
from typing import Annotated

import tyro

from rnnlab import Trial
from sweeps.errors import SweepError
from sweeps.estimate import Estimate
from sweeps.experiment import Experiment, load_experiment
from sweeps.places import Place, place
from sweeps.plan import Plan, plan
from sweeps.where import select


@dataclass(frozen=True, kw_only=True)
class Selection:
    """An experiment and the part of it that is meant."""

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """Name of an experiment (see `sweep list`), or the path of a file of your own."""

    where: Annotated[str | None, tyro.conf.arg(metavar="EXPR")] = None
    """Only these trials, as in "length <= 100 and seed < 2"."""

    budget: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Updates at most; without it, the experiment's own."""

    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The experiment's quick preset, kept apart in DIR/quick."""

    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder that holds a folder for each sweep, or s3://BUCKET/PREFIX."""

    def argv(self) -> list[str]:
        """Write the selection as the command-line words that give it again."""
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
    trials: list[Trial]
    """Those that `--where` and `--quick` leave, never none."""
    budget: int
    place: Place
    """The sweep's results folder."""


def resolve(selection: Selection) -> Chosen:
    """Look up a selection; changes nothing.

    Raises:
        SweepError: If it names no experiment, no trials or a budget that cannot be.
    """
    experiment = load_experiment(selection.experiment)
    sweep = experiment.sweep
    preset = sweep.quick_budget if selection.quick else sweep.budget
    budget = preset if selection.budget is None else selection.budget
    trials = select(sweep.trials, sweep.quick_where if selection.quick else None)
    trials = select(trials, selection.where)
    if not trials:
        raise SweepError(
            f"No trial of {sweep.name!r} fits --where {selection.where!r}. "
            f"`sweep plan {selection.experiment}` without it counts them all."
        )
    try:
        dataclasses.replace(sweep, trials=trials).require_budget(budget)
    except ValueError as error:
        raise SweepError(str(error)) from None
    results = place(selection.results)
    root = results / "quick" if selection.quick else results
    return Chosen(selection, experiment, trials, budget, root / sweep.name)


def plan_of(chosen: Chosen) -> Plan:
    """Subtract what the sweep's store holds from what was chosen; changes nothing.

    pyarrow is imported only where there is a store to read.
    """
    if not (chosen.place / "parts").names():
        return plan(chosen.trials, {}, chosen.budget)
    from sweeps.store import Store

    return plan(chosen.trials, Store(chosen.place).standings(), chosen.budget)


def plan_line(chosen: Chosen, work: Plan, found: Estimate | None) -> str:
    """Say a plan in one line, with what it will cost where that is known."""
    will_take = f"; {found.told()}" if found else ""
    return (
        f"{chosen.experiment.sweep.name}: {len(work.trials)} trials, {work.done} done, "
        f"{len(work.to_run)} to run to {work.budget:,} updates{will_take}; "
        f"results in {chosen.place.address}"
    )


def option(flag: str, value: str) -> list[str]:
    """Write an option so that a value that begins with a dash is read as one."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def sweep_command(*words: str) -> str:
    """Write a `sweep` command as the user would type it here."""
    return " ".join(quoted(word) for word in ("sweep", *words))


def quoted(word: str) -> str:
    """Quote a word for the shell, an expression with '…' in it in double quotes.

    Example:
        >>> print(quoted("init == 'sigmoid'"))
        "init == 'sigmoid'"
    """
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
