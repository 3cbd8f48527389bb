"""The interface to the training loop: Python around the compiled kernel."""

import functools
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numba
import numpy as np

from rnnlab import rng
from rnnlab.code_cache import cache_folder, compile_once, kept
from rnnlab.compiled import drawer
from rnnlab.data import (
    GROUP,
    Batch,
    draw_batch,
    draw_steps,
    draw_steps_of_groups,
)
from rnnlab.engines.engine import CHECK_SEQUENCES, Gradients
from rnnlab.engines.fused_cpu import kernel
from rnnlab.engines.fused_cpu.network import (
    Arrays,
    Given,
    Memory,
    Network,
    Shape,
    Work,
    arrays,
    work,
)
from rnnlab.engines.fused_cpu.operations import MACHINE
from rnnlab.engines.fused_cpu.parameters import load, unload
from rnnlab.init import initial_parameters
from rnnlab.numerics import c_library, numerics_id
from rnnlab.spec import Trial
from rnnlab.state import Parameters, State, Totals
from rnnlab.tasks.task import Task
from rnnlab.tasks.temporal_order import TemporalOrder

PRODUCT_ROWS = 80
"""Rows of a product for the gradient of W_rec: few enough to stay in the L1 cache."""

CHECK_BATCH = 24
"""Sequences that a check evaluates together."""

ROOMS_KEPT = 4
TRIED = 64
"""Sequences of a task that are validated before the kernel draws any."""

_log = logging.getLogger(__name__)


class Compiled(NamedTuple):
    """The kernel's entry points, as machine code."""

    advance: Callable[..., tuple[int, bool]]
    count_errors: Callable[..., tuple[int, int]]
    gradients: Callable[..., kernel.Measured]


class Room(NamedTuple):
    """The memory for one batch shape."""

    memory: Memory
    parameters: Arrays
    network: Network
    slopes: Arrays
    gradient: Network
    work: Work
    given: Given


class FusedCpu:
    """Trains on one core in float32. Not thread-safe: threads would share its memory."""

    name = "fused_cpu"

    def __init__(self) -> None:
        """Load the compiled code; if there is none yet, log a message and compile it."""
        self._compiled = _compiled()
        self._room = functools.lru_cache(maxsize=ROOMS_KEPT)(_room)

    def numerics_id(self, trial: Trial) -> str:
        """Return what the bits depend on; not on the vector width, nor on the CPU model."""
        return numerics_id(
            self.name,
            type(self),
            type(trial.task),
            numba=numba.__version__,
            llvmlite=llvmlite.__version__,
            libm=c_library(),
            multiply_add="one rounding" if MACHINE.fused else "two roundings",
        )

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Make up to `updates` updates of plain SGD; see `rnnlab.engines.Engine`."""
        task, places = trial.task, trial.task.longest + 1
        back = places if trial.omega_weight else None
        room = self._room(_shape(trial, trial.batch), task.settings, places, back)
        load(state.parameters, room.parameters)
        totals = np.array(_as_tuple(state.totals), dtype=np.float64)
        made, diverged = self._compiled.advance(
            _drawer(task),
            _settings(trial),
            room.network,
            room.gradient,
            room.work,
            totals,
            draw_steps(task, trial.seed, rng.TRAIN, state.update, updates),
            int(state.update),  # another integer type would trigger recompilation
            int(updates),
        )
        return replace(
            state,
            parameters=unload(room.parameters),
            update=state.update + made,
            totals=_as_totals(totals),
            diverged=diverged,
        )

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = rng.CHECK,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        """Count wrong answers on fresh sequences; see `rnnlab.engines.Engine`."""
        task = trial.task
        places = task.longest + 1 if task.cost == "class_at_each_step" else 2
        room = self._room(_shape(trial, CHECK_BATCH), task.settings, places, 0)
        load(parameters, room.parameters)
        groups = -(-CHECK_SEQUENCES // GROUP)
        return self._compiled.count_errors(
            _drawer(task),
            _settings(trial),
            room.network,
            room.work,
            int(purpose),
            int(index),
            CHECK_SEQUENCES,
            int(stop_at),
            GROUP,
            draw_steps_of_groups(task, trial.seed, purpose, index, groups),
        )

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Compute the gradients of one update on given data, before clipping.

        Raises:
            ValueError: If a symbol or a class is out of range.
        """
        task = trial.task
        _require_possible(task, batch)
        steps, size = batch.inputs.shape[:2]
        shape = _shape(trial, size)._replace(longest=steps)
        room = self._room(shape, task.settings, steps + 1, steps + 1)
        load(parameters, room.parameters)
        _put(task, batch, room.given)
        measured = self._compiled.gradients(
            _settings(trial), room.network, room.gradient, room.work, steps
        )
        return Gradients(
            loss=measured.loss,
            grads=unload(room.slopes),
            norm=measured.norm,
            omega=measured.omega,
            valid_share=measured.valid_share,
        )


@functools.cache
def _compiled() -> Compiled:
    """Load the machine code, or compile it; only one process compiles."""
    folder = cache_folder("fused_cpu", Path(kernel.__file__))
    functions = (kernel.advance, kernel.count_errors, kernel.gradients)
    entries = Compiled(*(kept(each, folder) for each in functions))
    compile_once("fused_cpu", folder, lambda: _try(entries))
    return entries


def _try(entries: Compiled) -> None:
    """Trigger compilation of every entry point by running it on a small trial."""
    _log.warning(
        "compiling the engine fused_cpu for this processor (%s), once; "
        "it takes about half a minute",
        MACHINE.name,
    )
    trial = Trial(task=TemporalOrder(length=10), hidden=1, batch=1, check_every=1)
    room = _room(_shape(trial, 1), (), 11, 11)
    load(initial_parameters(trial), room.parameters)
    draw, settings = _drawer(trial.task), _settings(trial)
    totals, steps = np.zeros(len(_as_tuple(Totals()))), np.array([10])
    network, gradient, work = room.network, room.gradient, room.work
    entries.advance(draw, settings, network, gradient, work, totals, steps, 0, 1)
    entries.count_errors(draw, settings, network, work, rng.CHECK, 1, 1, 1, GROUP, steps)
    entries.gradients(settings, network, gradient, work, 10)


@functools.cache
def _drawer(task: Task) -> Any:
    """Compile a task's `draw_example` and validate samples, which the kernel does not.

    Raises:
        ValueError: If it draws a symbol or a class that is out of range.
    """
    batch = draw_batch(task, seed=0, purpose=rng.TRAIN, index=0, size=TRIED)
    _require_possible(task, batch)
    return drawer(task.draw_example)


def _require_possible(task: Task, batch: Batch) -> None:
    for what, drawn, count in (
        ("symbols", batch.inputs, task.inputs),
        ("classes", batch.targets, task.outputs),
    ):
        if drawn.dtype.kind == "i" and (drawn.min() < 0 or drawn.max() >= count):
            raise ValueError(
                f"{type(task).__name__} has {count} {what}, 0 to {count - 1}, but drew "
                f"{drawn.min()} to {drawn.max()}. Mend its draw_example, or the counts."
            )


def _put(task: Task, batch: Batch, given: Given) -> None:
    """Copy a batch into the kernel's memory."""
    if task.one_hot:
        given.symbols[:] = batch.inputs.T
    else:
        given.values[:] = batch.inputs.transpose(1, 0, 2)
    if task.cost == "value_at_end":
        given.wanted[:] = batch.targets
    else:
        given.classes[:] = batch.targets


def _room(
    shape: Shape, settings: tuple[int, ...], places: int, back_places: int | None
) -> Room:
    """Allocate memory; v holds `back_places` steps, or one more than a block if None."""
    memory = Memory()
    parameters, slopes = arrays(shape, memory), arrays(shape, memory)
    block = max(1, PRODUCT_ROWS // shape.batch)
    room, given = work(
        shape,
        settings,
        memory,
        block=block,
        places=places,
        back_places=block + 1 if back_places is None else back_places,
    )
    return Room(
        memory,
        parameters,
        parameters.network,
        slopes,
        slopes.network,
        room,
        given,
    )


def _shape(trial: Trial, batch: int) -> Shape:
    task = trial.task
    return Shape(
        task.inputs,
        trial.hidden,
        task.outputs,
        task.longest,
        batch,
        task.one_hot,
        task.cost == "class_at_each_step",
        task.cost == "value_at_end",
    )


def _settings(trial: Trial) -> kernel.Settings:
    return kernel.Settings(
        seed=trial.seed,
        logistic=trial.activation == "logistic",
        lr=float(trial.lr),
        clips=trial.clip_norm is not None,
        threshold=math.inf if trial.clip_norm is None else float(trial.clip_norm),
        by_value=trial.clip_by == "value",
        omega_weight=float(trial.omega_weight),
        repairs=trial.repair_nonfinite,
    )


def _as_tuple(totals: Totals) -> tuple[float, ...]:
    return (
        totals.updates,
        totals.repaired,
        totals.clipped,
        totals.loss,
        totals.grad_norm,
        totals.grad_norm_max,
    )


def _as_totals(values: Any) -> Totals:
    updates, repaired, clipped, loss, grad_norm, grad_norm_max = values.tolist()
    return Totals(int(updates), int(repaired), int(clipped), loss, grad_norm, grad_norm_max)
