"""Crews: the workers of a run, one crew for each engine."""

from dataclasses import dataclass, replace

from cluster.gpus import gpus
from sweeps.errors import SweepError
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen
from sweeps.spec.trial_type import Resources
from sweeps.terminal import counted


@dataclass(frozen=True)
class Crew:
    """The workers of one engine."""

    engine: str | None
    """The engine's name, if the type of the trials has several."""
    resources: Resources
    """Resources of one worker."""
    workers: int
    """Number of workers."""

    @property
    def place(self) -> str:
        """What its workers train on, as text.

        Example:
            >>> Crew("fused_cpu", Resources(), 15).place
            '15 cores'
            >>> Crew("fused_gpu", Resources(gpus=1), 2).place
            '2 GPUs'
        """
        needs = self.resources
        if needs.gpus:
            return counted(self.workers * needs.gpus, "GPU")
        return counted(self.workers * needs.cpus, "core")


def crews(chosen: Chosen, options: RunOptions) -> tuple[Crew, ...]:
    """Return the crews of a run, the one on GPUs first.

    With two engines each worker on a GPU takes its cores first; the others are left to the
    second crew.

    Raises:
        SweepError: If an engine is unknown, or two cannot share the trials.
    """
    engines = chosen.type.engines(options.engine)
    found = [_crew(chosen, replace(options, engine=engine)) for engine in engines]
    if len(found) == 1:
        return tuple(found)
    _require_two_kinds(options, found)
    on_gpus, on_cores = sorted(found, key=lambda crew: not crew.resources.gpus)
    taken = on_gpus.workers * on_gpus.resources.cpus
    left = int((options.cores - taken) // max(on_cores.resources.cpus, 1e-9))
    if left < 1:
        raise SweepError(
            f"--engine {options.engine} needs a core for each engine's workers, but the run may "
            f"use {counted(options.cores, 'core')}, and the workers on "
            f"{counted(on_gpus.workers * on_gpus.resources.gpus, 'GPU')} take "
            f"{counted(taken, 'core')}. Use fewer --gpus, or --engine {on_gpus.engine} alone."
        )
    return on_gpus, replace(on_cores, workers=left)


def _crew(chosen: Chosen, options: RunOptions) -> Crew:
    """Return the crew of one engine, where no other takes cores."""
    needs = resources(chosen, options)
    return Crew(options.engine, needs, workers(chosen, options))


def _require_two_kinds(options: RunOptions, found: list[Crew]) -> None:
    """Reject engines that cannot share the trials of a run.

    Raises:
        SweepError: Naming what to pass instead.
    """
    if sorted(bool(crew.resources.gpus) for crew in found) != [False, True]:
        where = ", ".join(
            f"{crew.engine} on {'GPUs' if crew.resources.gpus else 'cores'}"
            for crew in found
        )
        raise SweepError(
            f"--engine {options.engine} names {where}. Several engines share the trials only "
            "where one trains on cores and one on GPUs: choose two such, or one alone."
        )
    if options.address is not None and not (options.cpus and options.gpus):
        raise SweepError(
            f"--engine {options.engine} divides the trials before it joins the Ray at --address. "
            "Pass --cpus N and --gpus N too: what the run may use there."
        )


def resources(chosen: Chosen, options: RunOptions) -> Resources:
    """Return the resources of one worker of an engine."""
    engine = chosen.type.engine(options.engine)
    needs = chosen.type.resources(chosen.trials, engine, options.asked_device)
    return replace(needs, accelerator=options.accelerator_type) if needs.gpus else needs


def workers(chosen: Chosen, options: RunOptions) -> int:
    """Return the number of workers of an engine that train at a time: by cores and GPUs."""
    needs = resources(chosen, options)
    by_cores = int(options.cores // max(needs.cpus, 1e-9))
    if not needs.gpus:
        return max(1, by_cores)
    there = options.gpus or len(gpus())
    if not there and not chosen.type.described.engines:
        return max(1, by_cores)  # Ray may find GPUs of another make
    return max(1, min(by_cores, int(max(1, there) / needs.gpus + 1e-9)))
