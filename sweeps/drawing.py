"""From a sweep's table to its figure, and to a DataFrame for a notebook."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.errors import ExperimentError, SweepError
from sweeps.experiment import told
from sweeps.places import joined
from sweeps.selection import Chosen, Selection, resolve, sweep_command

if TYPE_CHECKING:
    import pandas as pd

    from sweeps.experiment import Draw


def draw(chosen: Chosen) -> list[str]:
    """Draw an experiment's figure beside its table, from what is stored alone.

    An experiment that compares itself with the paper writes that too, as Markdown.

    Returns:
        The addresses of the files.

    Raises:
        ExperimentError: If the experiment has no `draw`, or it fails.
        SweepError: If there is no result to draw.
    """
    experiment = chosen.experiment
    if experiment.draw is None:
        raise ExperimentError(
            f"{experiment.reference} defines no `draw`. Write one that takes the table "
            "as a DataFrame and returns a matplotlib Figure."
        )
    results = as_of(table(chosen), chosen.budget)
    if results.empty:
        raise SweepError(
            f"There is no result in {chosen.place.address}. "
            f"Train first: {sweep_command('run', experiment.reference)}"
        )
    from sweeps.figures import save

    name = experiment.sweep.name
    try:
        figure = experiment.draw(*_wanted(experiment.draw, chosen, results))
        text = experiment.compare(results) if experiment.compare else None
    except Exception as error:
        raise ExperimentError(told(experiment.path, error)) from error
    try:
        files = save(figure, chosen.place, name)
        if text is not None:
            chosen.place.replace(f"{name}.md", text.encode())
            files.append(joined(chosen.place, f"{name}.md"))
        return files
    except OSError as error:
        raise SweepError(
            f"The figure cannot be written to {chosen.place.address} ({error.strerror or error})."
        ) from None


def _wanted(
    draw: "Draw", chosen: Chosen, results: "pd.DataFrame"
) -> "tuple[pd.DataFrame, ...]":
    """Give what a `draw` takes: the table, and where it has a second parameter the history."""
    if len(inspect.signature(draw).parameters) < 2:
        return (results,)
    return results, history(chosen)


def history(chosen: Chosen) -> "pd.DataFrame":
    """Give the checks of the chosen trials up to the budget, one row each."""
    from sweeps.store import Store

    wanted = {trial.trial_id for trial in chosen.trials}
    checks = Store(chosen.place).history().to_pandas()
    here = checks["trial_id"].isin(wanted) & (checks["update"] <= chosen.budget)
    return checks[here].reset_index(drop=True)


def table(chosen: Chosen) -> "pd.DataFrame":
    """Give the results of the chosen trials, one row each, sorted by `trial_id`."""
    from sweeps.store import Store

    wanted = {trial.trial_id for trial in chosen.trials}
    results = Store(chosen.place).read().to_pandas()
    return results[results["trial_id"].isin(wanted)].reset_index(drop=True)


def as_of(results: "pd.DataFrame", budget: int) -> "pd.DataFrame":
    """Give a table as it stood at a smaller budget: later endings have not come yet.

    Args:
        results: The table.
        budget: Updates.

    Returns:
        A copy in which a trial that ended beyond the budget is unsolved at the budget.
    """
    results = results.copy()
    beyond = results["updates"] > budget
    results.loc[beyond, ["outcome", "updates"]] = ["unsolved", budget]
    results.loc[beyond, "test_errors"] = None
    for name in ("solved_at", "zero_errors_at"):
        results[name] = results[name].where(results[name] <= budget)
    return results


def load(
    experiment: str, *, results: str | Path = "results", quick: bool = False
) -> "pd.DataFrame":
    """Give a sweep's table as a DataFrame, for a notebook.

    Args:
        experiment: Its name, or the path of a file.
        results: The folder that holds a folder for each sweep.
        quick: The table of the quick preset.

    Returns:
        One row per trial; columns as in the reference of the results schema.
    """
    return table(
        resolve(Selection(experiment=experiment, results=str(results), quick=quick))
    )
