"""A sweep's table and history as DataFrames."""

from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.spec.selection import Chosen, Selection, resolve

if TYPE_CHECKING:
    import pandas as pd


def history(chosen: Chosen) -> "pd.DataFrame":
    """Give the checks of the chosen trials up to the budget, one row each."""
    from sweeps.store.store import Store

    wanted = {trial.trial_id for trial in chosen.trials}
    checks = Store(chosen.place).history().to_pandas()
    here = checks["trial_id"].isin(wanted) & (checks["update"] <= chosen.budget)
    return checks[here].reset_index(drop=True)


def table(chosen: Chosen) -> "pd.DataFrame":
    """Give the results of the chosen trials, one row each, sorted by `trial_id`."""
    from sweeps.store.store import Store

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
