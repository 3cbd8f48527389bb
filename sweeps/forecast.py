"""Forecast a run from what was recorded, or from a pilot; and say how good it was."""

from sweeps.attempts import events
from sweeps.duration import duration
from sweeps.estimate import Estimate, estimate
from sweeps.plan import Plan
from sweeps.run_options import RunOptions
from sweeps.selection import Chosen
from sweeps.speeds import recorded


def forecast(chosen: Chosen, work: Plan, options: RunOptions) -> Estimate | None:
    """Estimate how long a run takes, or None where nothing is known and none is asked for.

    Args:
        chosen: The trials and their results.
        work: What there is to run.
        options: `pilot` measures now; `cpus` and `engine` say on what.
    """
    if not work.to_run:
        return None
    if options.pilot:
        from sweeps.pilot import pilot

        speeds = pilot(work, options.engine, options.workers)
    else:
        speeds = recorded(events(chosen.place / "attempts"), work.trials)
    return estimate(work, speeds, options.workers) if speeds else None


def compared(found: Estimate, took_s: float) -> str:
    """Write what was predicted against what it took.

    Example:
        >>> compared(Estimate(2000, 1860, 2280, 1.1, 2, False, "a pilot of 4 s"), 2095)
        'predicted 31 min 0 s to 38 min 0 s, took 34 min 55 s'
    """
    return (
        f"predicted {duration(found.low_s)} to {duration(found.high_s)}"
        f"{' at most' if found.at_most else ''}, took {duration(took_s)}"
    )
