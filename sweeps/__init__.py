"""Plan, run, keep and draw sweeps of trials of any type.

The nouns are here, and `load`, which returns a sweep's table as a DataFrame.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sweeps.spec.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sweep", "load"]


def load(
    experiment: str, *, results: str | Path = "results", quick: bool = False
) -> "pd.DataFrame":
    """Return a sweep's table as a DataFrame, for a notebook.

    Args:
        experiment: Its name, or the path of a file.
        results: The folder that holds a folder for each sweep.
        quick: The table of the quick preset.

    Returns:
        One row per trial, sorted by `trial_id`: the trial's fields, then its result.
    """
    from sweeps.report.frames import load as read

    return read(experiment, results=results, quick=quick)
