"""Forecast a run from recorded speeds or from a pilot, and compare it with the outcome."""

from collections.abc import Callable

from cluster.gpus import gpus
from sweeps.errors import SweepError
from sweeps.plan.estimate import Estimate, estimate
from sweeps.plan.plan import Plan
from sweeps.plan.speeds import Speeds, assumed, recorded
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.spec.trial_type import Resources
from sweeps.store.attempts import read_events
from sweeps.terminal import counted, duration

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
    if not speeds:
        return None
    needs = resources(chosen, options)
    return estimate(work, speeds, workers(chosen, options), resources=needs)


def resources(chosen: Chosen, options: RunOptions) -> Resources:
    """Return the resources of one worker."""
    engine = chosen.type.engine(options.engine)
    return chosen.type.resources(chosen.trials, engine, options.asked_device)


def workers(chosen: Chosen, options: RunOptions) -> int:
    """Return the number of workers that train at a time, limited by cores and GPUs."""
    needs = resources(chosen, options)
    by_cores = int(options.cores // max(needs.cpus, 1e-9))
    if not needs.gpus:
        return max(1, by_cores)
    there = options.gpus or len(gpus())
    if not there and not chosen.type.described.engines:
        return max(1, by_cores)  # Ray may find GPUs of another make
    return max(1, min(by_cores, int(max(1, there) / needs.gpus + 1e-9)))


def require_resources(chosen: Chosen, options: RunOptions) -> None:
    """Reject what this machine cannot provide; a cluster checks this itself.

    Raises:
        SweepError: Naming what was requested, what is available, and what to do.
    """
    engine, needs = chosen.type.engine(options.engine), resources(chosen, options)
    _require_device(chosen, options, needs)
    if options.address is None and needs.cpus > options.cores:
        raise SweepError(
            f"A trial needs {needs.cpus:g} cores, but the run may use {options.cores}. Reduce the "
            "trials' `cpus`, or raise --cpus."
        )
    asked = engine is not None or options.gpus is not None  # otherwise Ray may find others
    if options.address is None and needs.gpus and asked:
        _require_gpus(max(needs.gpus, options.gpus or 0), options.cores)
    chosen.type.require_trainable(chosen.trials, engine)


def _require_device(chosen: Chosen, options: RunOptions, needs: Resources) -> None:
    """Reject a device that would not be used.

    Raises:
        SweepError: Naming the option.
    """
    asked = options.asked_device
    if asked is None or asked == needs.device:
        return
    option = f"--device {options.device}" if options.device else f"--gpus {options.gpus}"
    engines = chosen.type.described.engines
    others = [
        each
        for each in engines
        if chosen.type.resources(chosen.trials, each, asked).device == asked
    ]
    remedy = (
        f"Choose another with --engine: {' or '.join(others)}."
        if others
        else "Give its class an attribute `gpus`, the number of GPUs that a trial needs."
    )
    which = f"the engine {chosen.type.engine(options.engine)}" if engines else "the trial"
    raise SweepError(
        f"{option} has no effect: {which} computes on {needs.device}. {remedy}"
    )


def _require_gpus(wanted: float, cores: int) -> None:
    there = gpus()
    if wanted <= len(there):
        return
    names = f" ({', '.join(each.name for each in there)})" if there else ""
    raise SweepError(
        f"The run needs {counted(wanted, 'GPU')}, but this machine has {len(there) or 'none'}{names}, "
        f"and {cores} cores. Ask for what is here, or run where there are more; `sweep doctor` "
        "shows what is found."
    )


def unused_gpus(chosen: Chosen, work: Plan, options: RunOptions) -> str | None:
    """Say what the GPUs of this machine would bring, where a run does not use them."""
    if options.address or options.asked_device or not work.to_run:
        return None
    kind = chosen.type
    needs = {each: kind.resources(chosen.trials, each) for each in kind.described.engines}
    engine = next((each for each, takes in needs.items() if takes.gpus), None)
    there = gpus() if engine and not resources(chosen, options).gpus else []
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
    speeds = assumed(chosen.type, chosen.type.engine(options.engine))
    needs = resources(chosen, options)
    guess = estimate(work, speeds, workers(chosen, options), resources=needs)
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
