"""Forecast a run from recorded speeds or from a pilot, and compare it with the outcome."""

from collections.abc import Callable, Sequence

from cluster.gpus import gpus
from sweeps.plan.crews import Crew
from sweeps.plan.division import divide
from sweeps.plan.estimate import Estimate, estimate, side_by_side
from sweeps.plan.plan import Plan
from sweeps.plan.speeds import Speeds, assumed, recorded
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.store.attempts import read_events
from sweeps.terminal import counted, duration

WORTH_A_PILOT_S = 120.0
"""A run that may last longer is preceded by a pilot if no speed is known."""


def forecast(
    chosen: Chosen,
    work: Plan,
    options: RunOptions,
    *,
    measure: Callable[[Crew, Plan], Speeds],
    measure_if_long: bool = False,
) -> Estimate | None:
    """Estimate how long a run takes; return None if no speed is known or measured.

    Args:
        chosen: The trials and their results.
        work: The plan.
        options: `pilot` measures now; `cpus` and `engine` are used for it.
        measure: Measures the speeds of a crew on this machine; see `sweeps.worker.pilot`.
        measure_if_long: Also measure if no speed is known and the run may be long.
    """
    if not work.to_run:
        return None
    division = divide(chosen, options)
    shares, events = division.shares(work), read_events(chosen.place / "attempts")
    known = [recorded(events, division.timed(crew, work.trials)) for crew, _ in shares]
    if options.pilot or (
        measure_if_long and not all(known) and worth_a_pilot(chosen, work, options)
    ):
        known = [measure(*share) for share in shares]
    speeds = [each for each in known if each]
    return _estimate(shares, speeds) if len(speeds) == len(shares) else None


def _estimate(shares: Sequence[tuple[Crew, Plan]], speeds: Sequence[Speeds]) -> Estimate:
    """Estimate how long crews take for their parts of a plan, side by side."""
    each = zip(shares, speeds, strict=True)
    return side_by_side(
        [
            estimate(part, known, crew.workers, resources=crew.resources)
            for (crew, part), known in each
        ]
    )


def unused_gpus(chosen: Chosen, work: Plan, options: RunOptions) -> str | None:
    """Say what the GPUs of this machine would bring, where a run does not use them."""
    if options.address or options.asked_device or not work.to_run:
        return None
    kind = chosen.type
    needs = {each: kind.resources(chosen.trials, each) for each in kind.described.engines}
    engine = next((each for each, takes in needs.items() if takes.gpus), None)
    used = any(crew.resources.gpus for crew in divide(chosen, options).crews)
    there = [] if engine is None or used else gpus()
    if engine is None or not there:
        return None
    speeds = assumed(kind, engine)
    found = estimate(work, speeds, len(there), resources=needs[engine])
    return (
        f"not used: {counted(len(there), 'GPU')} ({there[0].name}). With --engine {engine} the run takes about "
        f"{duration(found.seconds)} at the speed of an H100"
    )


def worth_a_pilot(chosen: Chosen, work: Plan, options: RunOptions) -> bool:
    """Return whether a run may take so long that a pilot is worthwhile.

    Not on a cluster: its machines are not this one.
    """
    shares = divide(chosen, options).shares(work)
    guess = _estimate(shares, [assumed(chosen.type, crew.engine) for crew, _ in shares])
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
