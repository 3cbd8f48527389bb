"""Compare what a run needs with what this machine has, before anything starts."""

from collections.abc import Sequence
from dataclasses import replace

from cluster.gpus import Gpu, gpus
from sweeps.errors import SweepError
from sweeps.plan.crews import crews, resources
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.spec.trial_type import Resources
from sweeps.terminal import counted


def require_resources(chosen: Chosen, options: RunOptions) -> None:
    """Reject what this machine cannot provide; a cluster checks this itself.

    Raises:
        SweepError: Naming what was requested, what is available, and what to do.
    """
    engines = chosen.type.engines(options.engine)
    each = [resources(chosen, replace(options, engine=engine)) for engine in engines]
    _require_device(chosen, options, each)
    for engine, needs in zip(engines, each, strict=True):
        if options.address is None:
            _require_here(options, engine, needs)
        chosen.type.require_trainable(chosen.trials, engine)
    crews(chosen, options)


def _require_here(options: RunOptions, engine: str | None, needs: Resources) -> None:
    """Reject the needs of a worker that this machine cannot meet.

    Raises:
        SweepError: Naming what was requested, what is available, and what to do.
    """
    if needs.cpus > options.cores:
        raise SweepError(
            f"A trial needs {needs.cpus:g} cores, but the run may use {options.cores}. Reduce the "
            "trials' `cpus`, or raise --cpus."
        )
    asked = engine is not None or options.gpus is not None  # otherwise Ray may find others
    if needs.accelerator:
        _require_accelerator(needs.accelerator)
    if needs.gpus and asked:
        _require_gpus(max(needs.gpus, options.gpus or 0), options.cores)


def _require_device(
    chosen: Chosen, options: RunOptions, needs: Sequence[Resources]
) -> None:
    """Reject a device that would not be used.

    Raises:
        SweepError: Naming the option.
    """
    asked, option = options.asked_device, options.device_option
    computes_on = list(dict.fromkeys(each.device for each in needs))
    if options.accelerator_type and not any(each.gpus for each in needs):
        option = f"--accelerator-type {options.accelerator_type}"
    elif asked is None or asked in computes_on:
        return
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
    names = [str(each) for each in chosen.type.engines(options.engine)]
    which = f"the engine {' and '.join(names)}" if engines else "the trial"
    raise SweepError(
        f"{option} has no effect: {which} computes on {' and '.join(computes_on)}. {remedy}"
    )


def _require_gpus(wanted: float, cores: int) -> None:
    there = gpus()
    if wanted <= len(there):
        return
    raise SweepError(
        f"The run needs {counted(wanted, 'GPU')}, but this machine has {_named(there)}, "
        f"and {cores} cores. Ask for what is here, or run where there are more; `sweep doctor` "
        "shows what is found."
    )


def _require_accelerator(wanted: str) -> None:
    there = gpus()
    types = {each.accelerator_type for each in there}
    if wanted not in types:
        known = f", of type {' and '.join(sorted(types))}" if types else ""
        raise SweepError(
            f"The run needs GPUs of type {wanted}, but this machine has {_named(there)}{known}. "
            "Ask for what is here, or run where there are some; `sweep doctor` shows what is found."
        )
    if len(types) > 1:
        raise SweepError(
            f"The run needs GPUs of type {wanted}, but this machine has {_named(there)}, and Ray "
            "cannot choose between types on one machine. Set CUDA_VISIBLE_DEVICES to those of "
            f"type {wanted}."
        )


def _named(there: Sequence[Gpu]) -> str:
    """Return the number of some GPUs and their names."""
    names = f" ({', '.join(each.name for each in there)})" if there else ""
    return f"{len(there) or 'none'}{names}"
