"""Forecast a run from what was recorded, or from a pilot; and say how good it was."""

from sweeps.plan.estimate import Estimate, estimate
from sweeps.plan.plan import Plan
from sweeps.plan.speeds import assumed, recorded
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import read_events
from sweeps.terminal import duration

WORTH_A_PILOT_S = 120.0
"""A run that may last longer measures first, where nothing is known."""


def forecast(
    chosen: Chosen, work: Plan, options: RunOptions, *, measure_if_long: bool = False
) -> Estimate | None:
    """Estimate how long a run takes, or None where nothing is known and nothing measured.

    Args:
        chosen: The trials and their results.
        work: What there is to run.
        options: `pilot` measures now; `cpus` and `engine` say on what.
        measure_if_long: Measure unasked where nothing is known and the run may be a long one.
    """
    if not work.to_run:
        return None
    speeds = recorded(read_events(chosen.place / "attempts"), work.trials)
    if options.pilot or (measure_if_long and not speeds and worth_a_pilot(work, options)):
        from sweeps.plan.pilot import pilot

        speeds = pilot(work, options.engine, options.workers)
    return estimate(work, speeds, options.workers) if speeds else None


def worth_a_pilot(work: Plan, options: RunOptions) -> bool:
    """Say whether a run may be so long that measuring is little beside it; only here, not on a cluster.

    Args:
        work: What there is to run.
        options: `engine` and `cpus` for a guess; `address` is given where other machines train.
    """
    guess = estimate(work, assumed(options.engine), options.workers)
    return options.address is None and guess.seconds > WORTH_A_PILOT_S


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


def plan_line(chosen: Chosen, work: Plan, found: Estimate | None) -> str:
    """Say a plan in one line, with what it will cost where that is known."""
    will_take = f"; {found.told()}" if found else ""
    return (
        f"{chosen.experiment.sweep.name}: {len(work.trials)} trials, {work.done} done, "
        f"{len(work.to_run)} to run to {work.budget:,} updates{will_take}; "
        f"results in {chosen.place.address}"
    )
