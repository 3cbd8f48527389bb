"""Forecast a run from what was recorded, or from a pilot; and say how good it was."""

from collections.abc import Callable

from sweeps.errors import SweepError
from sweeps.plan.estimate import Estimate, estimate
from sweeps.plan.plan import Plan
from sweeps.plan.speeds import Speeds, assumed, recorded
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import read_events
from sweeps.terminal import duration

WORTH_A_PILOT_S = 120.0
"""A run that may last longer measures first, where nothing is known."""


def forecast(
    chosen: Chosen,
    work: Plan,
    options: RunOptions,
    *,
    measure: Callable[[], Speeds],
    measure_if_long: bool = False,
) -> Estimate | None:
    """Estimate how long a run takes; None where nothing is known and nothing is measured.

    Args:
        chosen: The trials and their results.
        work: What there is to run.
        options: `pilot` measures now; `cpus` and `engine` say on what.
        measure: Measures speeds on this machine; see `sweeps.worker.pilot`.
        measure_if_long: Measure unasked where nothing is known and the run may be a long one.
    """
    if not work.to_run:
        return None
    speeds = recorded(read_events(chosen.place / "attempts"), work.trials)
    if options.pilot or (
        measure_if_long and not speeds and worth_a_pilot(chosen, work, options)
    ):
        speeds = measure()
    return estimate(work, speeds, workers(chosen, options)) if speeds else None


def workers(chosen: Chosen, options: RunOptions) -> int:
    """Return how many trials are trained at a time: as many as the cores allow."""
    cpus = chosen.type.resources(chosen.trials).cpus
    return max(1, int(options.cores // max(cpus, 1e-9)))


def require_cores(chosen: Chosen, options: RunOptions) -> None:
    """Refuse trials that take more cores each than the run may use; a cluster says so itself.

    Raises:
        SweepError: Naming both numbers.
    """
    taken = chosen.type.resources(chosen.trials).cpus
    if options.address is None and taken > options.cores:
        raise SweepError(
            f"A trial takes {taken:g} cores, but the run may use {options.cores}. Ask for less "
            "in the trials' `cpus`, or for more with --cpus."
        )


def worth_a_pilot(chosen: Chosen, work: Plan, options: RunOptions) -> bool:
    """Return whether a run may take so long that a pilot is little beside it.

    Not on a cluster: this machine is none of those that train there.
    """
    speeds = assumed(chosen.type, chosen.type.engine(options.engine))
    guess = estimate(work, speeds, workers(chosen, options))
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
    will_take = f"; {found.summary()}" if found else ""
    return (
        f"{chosen.experiment.sweep.name}: {len(work.trials)} trials, {work.done} done, "
        f"{len(work.to_run)} to run to {work.budget:,} updates{will_take}; "
        f"results in {chosen.place.address}"
    )
