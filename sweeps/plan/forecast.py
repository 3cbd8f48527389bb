"""Forecast a run from recorded speeds or from a pilot, and compare it with the outcome."""

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
"""A run that may last longer is preceded by a pilot if no speed is known."""


def forecast(
    chosen: Chosen,
    work: Plan,
    options: RunOptions,
    *,
    measure: Callable[[], Speeds],
    measure_if_long: bool = False,
) -> Estimate | None:
    """Estimate how long a run takes; return None if no speed is known or measured.

    Args:
        chosen: The trials and their results.
        work: The plan.
        options: `pilot` measures now; `cpus` and `engine` are used for it.
        measure: Measures speeds on this machine; see `sweeps.worker.pilot`.
        measure_if_long: Also measure if no speed is known and the run may be long.
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
    """Return the number of trials trained at a time, limited by the cores."""
    cpus = chosen.type.resources(chosen.trials).cpus
    return max(1, int(options.cores // max(cpus, 1e-9)))


def require_cores(chosen: Chosen, options: RunOptions) -> None:
    """Reject trials that need more cores than the run may use; a cluster checks this itself.

    Raises:
        SweepError: Naming both numbers.
    """
    taken = chosen.type.resources(chosen.trials).cpus
    if options.address is None and taken > options.cores:
        raise SweepError(
            f"A trial needs {taken:g} cores, but the run may use {options.cores}. Reduce the "
            "trials' `cpus`, or raise --cpus."
        )


def worth_a_pilot(chosen: Chosen, work: Plan, options: RunOptions) -> bool:
    """Return whether a run may take so long that a pilot is worthwhile.

    Not on a cluster: its machines are not this one.
    """
    speeds = assumed(chosen.type, chosen.type.engine(options.engine))
    guess = estimate(work, speeds, workers(chosen, options))
    return options.address is None and guess.seconds > WORTH_A_PILOT_S


def compared(found: Estimate, took_s: float) -> str:
    """Return the predicted and the actual duration as text.

    Example:
        >>> compared(Estimate(2000, 1860, 2280, 1.1, 2, False, "a pilot of 4 s"), 2095)
        'predicted 31 min 0 s to 38 min 0 s, took 34 min 55 s'
    """
    return (
        f"predicted {duration(found.low_s)} to {duration(found.high_s)}"
        f"{' at most' if found.at_most else ''}, took {duration(took_s)}"
    )


def plan_line(chosen: Chosen, work: Plan, found: Estimate | None) -> str:
    """Describe a plan in one line, with its estimated duration if known."""
    will_take = f"; {found.summary()}" if found else ""
    return (
        f"{chosen.experiment.sweep.name}: {len(work.trials)} trials, {work.done} done, "
        f"{len(work.to_run)} to run to {work.budget:,} updates{will_take}; "
        f"results in {chosen.place.address}"
    )
