"""Plan, run, keep and draw sweeps of trials.

The nouns are here, and `load`, which gives a sweep's table as a DataFrame.
"""

from typing import TYPE_CHECKING, Any

from sweeps.spec.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sweep", "load"]


def load(experiment: str, **options: Any) -> "pd.DataFrame":
    """Give a sweep's table as a DataFrame; see `sweeps.report.frames.load`."""
    from sweeps.report.frames import load as read

    return read(experiment, **options)
