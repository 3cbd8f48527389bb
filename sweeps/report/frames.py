"""A sweep's table and history as DataFrames."""

from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.store.trial_id import id_of

if TYPE_CHECKING:
    import pandas as pd


def history(chosen: Chosen) -> "pd.DataFrame":
    """Return the checks of the chosen trials up to the budget, one row each."""
    wanted = {id_of(trial) for trial in chosen.trials}
    checks = chosen.store.history().to_pandas()
    here = checks["trial_id"].isin(wanted) & (checks["update"] <= chosen.budget)
    return checks[here].reset_index(drop=True)


def table(chosen: Chosen) -> "pd.DataFrame":
    """Return the results of the chosen trials, one row each, sorted by `trial_id`."""
    wanted = {id_of(trial) for trial in chosen.trials}
    results = chosen.store.read().to_pandas()
    return results[results["trial_id"].isin(wanted)].reset_index(drop=True)


def as_of(
    results: "pd.DataFrame", budget: int, checks: "pd.DataFrame | None" = None
) -> "pd.DataFrame":
    """Return a table as of a smaller budget, before later endings.

    Args:
        results: The table.
        budget: Updates.
        checks: The history up to the budget; if given, measurements are taken from the
            last check.

    Returns:
        A copy in which a trial that ended beyond the budget is unsolved at the budget.
    """
    results = results.copy()
    beyond = results["updates"] > budget
    results.loc[beyond, ["outcome", "updates"]] = ["unsolved", budget]
    if "test_errors" in results:
        results.loc[beyond, "test_errors"] = None
    for name in ("solved_at", "zero_errors_at"):
        if name in results:
            results[name] = results[name].where(results[name] <= budget)
    if checks is not None and beyond.any():
        last = checks.sort_values("update").groupby("trial_id").last()
        for name in last.columns.intersection(results.columns).difference(["numerics_id"]):
            before = results["trial_id"].map(last[name])
            results[name] = results[name].where(~beyond, before)
    return results


def results_at(chosen: Chosen) -> "pd.DataFrame":
    """Return the results of the chosen trials at the budget, one row each."""
    found = table(chosen)
    measured = chosen.type.described.result_columns is None
    beyond = bool((found["updates"] > chosen.budget).any())
    return as_of(found, chosen.budget, history(chosen) if measured and beyond else None)


def load(
    experiment: str, *, results: str | Path = "results", quick: bool = False
) -> "pd.DataFrame":
    """Return a sweep's table as a DataFrame, for a notebook.

    Args:
        experiment: Its name, or the path of a file.
        results: Folder with one subfolder per sweep.
        quick: Load the table of the quick preset.

    Returns:
        One row per trial; columns as in the reference of the results schema.
    """
    return table(
        resolve(Selection(experiment=experiment, results=str(results), quick=quick))
    )
