"""The interface to the training loop: Python around the kernels."""

import functools
import hashlib
import importlib.metadata
import inspect
import logging
import math
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from rnnlab import rng
from rnnlab.code_cache import cache_folder, file_of_function
from rnnlab.data import GROUP, Batch, draw_batch, draw_steps, draw_steps_of_groups, numbers
from rnnlab.engines.engine import CHECK_SEQUENCES, Gradients
from rnnlab.engines.fused_gpu import card
from rnnlab.engines.fused_gpu.intrinsics import SIMULATED, device
from rnnlab.engines.fused_gpu.kernel import Items, Kernels, Memory, Settings, build
from rnnlab.engines.fused_gpu.layout import Layout, Shape, layout
from rnnlab.engines.fused_gpu.rooms import room
from rnnlab.numerics import numerics_id
from rnnlab.spec import Trial
from rnnlab.state import Parameters, State, Totals
from rnnlab.tasks.task import Task

GROUPS = -(-CHECK_SEQUENCES // GROUP)
TRIED = 64
"""Sequences of a task that are validated before the kernel draws any."""


_log = logging.getLogger(__name__)


class Kind(NamedTuple):
    """What trials of one launch have in common."""

    shape: Shape
    draw: Callable[..., None]


class FusedGpu:
    """Trains many trials at once on an NVIDIA card, in float32. Not thread-safe."""

    name = "fused_gpu"

    def __init__(self) -> None:
        """Find the card.

        Raises:
            RuntimeError: If there is none.
        """
        card.require_card()
        self.slots = card.slots()
        self._rooms: dict[Kind, tuple[Memory, int, int]] = {}

    def numerics_id(self, trial: Trial) -> str:
        """Return what the bits depend on; not on what is trained beside the trial."""
        return numerics_id(
            self.name,
            type(self),
            type(trial.task),
            **_versions(),
            card=card.card(),
        )

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        """Make up to `updates` updates of plain SGD; see `rnnlab.engines.Engine`."""
        return self.advance_many([trial], [state], [updates])[0]

    def advance_many(
        self, trials: Sequence[Trial], states: Sequence[State], updates: Sequence[int]
    ) -> list[State]:
        """Advance many trials, each by its own number of updates.

        The result has the bits of `advance` for each. Trials of one kind run together: equal
        sizes and task; any length, rate, seed, unit, clipping and Ω.

        Raises:
            ValueError: If a trial does not fit a block.
        """
        found = {i: state for i, state in enumerate(states) if not updates[i]}
        asked = [i for i in range(len(trials)) if updates[i]]
        for kind, places in self._parts(
            [trials[i] for i in asked], [trials[i].batch for i in asked]
        ):
            part = [asked[k] for k in places]
            chosen = [trials[i] for i in part]
            memory = self._room(kind, chosen)
            count = [int(updates[i]) for i in part]
            steps = np.zeros((len(part), max(count)), np.int64)
            for row, i in enumerate(part):
                trial, state = trials[i], states[i]
                steps[row, : count[row]] = draw_steps(
                    trial.task, trial.seed, rng.TRAIN, state.update, count[row]
                )
            totals = np.array([_as_tuple(states[i].totals) for i in part], np.float64)
            _fill(memory.theta, [_flat(states[i].parameters) for i in part])
            _fill(memory.totals, totals)
            first = [states[i].update for i in part]
            settings = _settings(chosen, first, count, steps)
            lay = layout(kind.shape)
            _launchable(kind).advance[len(part), lay.threads](settings, memory)
            theta, totals = card.get(memory.theta), card.get(memory.totals)
            ended = card.get(memory.ended)
            for row, i in enumerate(part):
                found[i] = replace(
                    states[i],
                    parameters=_shaped(theta[row], kind.shape),
                    update=states[i].update + int(ended[row, 0]),
                    totals=_as_totals(totals[row]),
                    diverged=bool(ended[row, 1]),
                )
        return [found[i] for i in range(len(trials))]

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
        return self.count_errors_many(
            [trial], [parameters], purpose=purpose, indices=[index], stop_at=stop_at
        )[0]

    def count_errors_many(
        self,
        trials: Sequence[Trial],
        parameters: Sequence[Parameters],
        *,
        purpose: int = rng.CHECK,
        indices: Sequence[int],
        stop_at: int,
    ) -> list[tuple[int, int]]:
        """Count wrong answers of many trials, each on its own check or test.

        Most trials make enough errors in the first group of sequences; the others follow in
        a second launch.
        """
        found: dict[int, tuple[int, int]] = {}
        for kind, part in self._parts(trials, [trial.batch for trial in trials]):
            chosen = [trials[i] for i in part]
            memory = self._room(kind, chosen)
            _fill(memory.theta, [_flat(parameters[i]) for i in part])
            settings = _settings(chosen, [0] * len(part), [0] * len(part), None)
            steps = [
                draw_steps_of_groups(
                    trials[i].task, trials[i].seed, purpose, indices[i], GROUPS
                )
                for i in part
            ]
            wrong: list[np.ndarray] = [np.zeros(0, bool) for _ in part]
            for groups in (range(1), range(1, GROUPS)):
                open_rows = [r for r in range(len(part)) if wrong[r].sum() < stop_at]
                if not open_rows:
                    break
                items = [
                    (
                        r,
                        g * GROUP,
                        min(GROUP, CHECK_SEQUENCES - g * GROUP),
                        steps[r][g],
                        indices[part[r]],
                    )
                    for r in open_rows
                    for g in groups
                ]
                answers = self._evaluate(kind, memory, settings, purpose, items)
                for row in open_rows:
                    mine = [
                        a for a, item in zip(answers, items, strict=True) if item[0] == row
                    ]
                    wrong[row] = np.concatenate([wrong[row], *mine])
            for row, i in enumerate(part):
                found[i] = _counted(wrong[row], stop_at)
        return [found[i] for i in range(len(trials))]

    def _evaluate(
        self,
        kind: Kind,
        memory: Memory,
        settings: Settings,
        purpose: int,
        items: Sequence[tuple[int, int, int, int, int]],
    ) -> list[np.ndarray]:
        """Return which answers are wrong, for each item."""
        slot, first, count, steps, number = (
            np.array(column, np.int64) for column in zip(*items, strict=True)
        )
        on_card = Items(
            *(
                card.put(each)
                for each in (slot, first, count, steps, np.full_like(slot, purpose), number)
            )
        )
        memory = memory._replace(wrong=card.zeros((len(items), GROUP), np.uint8))
        blocks = min(len(items), memory.history.shape[0])
        threads = layout(kind.shape).threads
        _launchable(kind).evaluate[blocks, threads](settings, memory, on_card)
        wrong = card.get(memory.wrong)
        return [row[:n].astype(bool) for row, n in zip(wrong, count, strict=True)]

    def gradients(self, trial: Trial, parameters: Parameters, batch: Batch) -> Gradients:
        """Compute the gradients of one update on given data, before clipping."""
        return self.gradients_many([trial], [parameters], [batch])[0]

    def gradients_many(
        self,
        trials: Sequence[Trial],
        parameters: Sequence[Parameters],
        batches: Sequence[Batch],
    ) -> list[Gradients]:
        """Compute the gradients of many trials, each on its own data.

        Raises:
            ValueError: If a symbol or a class is out of range.
        """
        found: dict[int, Gradients] = {}
        sizes = [batch.inputs.shape[1] for batch in batches]
        for kind, part in self._parts(trials, sizes):
            chosen = [trials[i] for i in part]
            longest = max(batches[i].inputs.shape[0] for i in part)
            memory, lay = self._room(kind, chosen, longest), layout(kind.shape)
            _fill(memory.theta, [_flat(parameters[i]) for i in part])
            for row, i in enumerate(part):
                _require_possible(trials[i].task, batches[i])
                _put(lay, memory, row, batches[i])
            steps = np.array([[batches[i].inputs.shape[0]] for i in part], np.int64)
            settings = _settings(chosen, [0] * len(part), [0] * len(part), steps)
            _launchable(kind).advance[len(part), lay.threads](settings, memory)
            slopes, measured = card.get(memory.slopes), card.get(memory.measured)
            for row, i in enumerate(part):
                loss, norm, omega, valid_share = measured[row].tolist()
                found[i] = Gradients(
                    loss=loss,
                    grads=_shaped(slopes[row], kind.shape),
                    norm=norm,
                    omega=omega,
                    valid_share=valid_share,
                )
        return [found[i] for i in range(len(trials))]

    def _parts(
        self, trials: Sequence[Trial], sizes: Sequence[int]
    ) -> Iterator[tuple[Kind, list[int]]]:
        """Split trials by kind, and into launches that fit the card."""
        kinds: dict[Kind, list[int]] = {}
        for i, (trial, size) in enumerate(zip(trials, sizes, strict=True)):
            kinds.setdefault(kind_of(trial, size), []).append(i)
        for kind, members in kinds.items():
            for start in range(0, len(members), self.slots):
                yield kind, members[start : start + self.slots]

    def _room(self, kind: Kind, trials: Sequence[Trial], longest: int = 0) -> Memory:
        """Return memory for some trials, and keep it for the next launch."""
        need = max(longest, *(trial.task.longest for trial in trials))
        memory, slots, steps = self._rooms.get(kind, (None, 0, 0))
        if memory is None or slots < len(trials) or steps < need:
            slots, steps = max(slots, len(trials)), max(steps, need)
            self._rooms.pop(kind, None)
            memory = room(layout(kind.shape), slots, steps)
            self._rooms[kind] = memory, slots, steps
        return memory


@functools.cache
def kernels(kind: Kind) -> Kernels:
    """Make the kernels of a kind; Numba compiles them at their first launch."""
    return build(layout(kind.shape), _on_card(kind.draw))


@functools.cache
def _launchable(kind: Kind) -> Kernels:
    """Return the kernels of a kind, from files if they were compiled before; say if not."""
    made = kernels(kind)
    if SIMULATED:
        return made
    from rnnlab.engines.fused_gpu.cubins import CubinCache  # not with a simulated compiler

    files = _files(kind, made)
    for file, kernel in zip(files, made, strict=False):
        kernel._cache = CubinCache(file)
    if not all(file.exists() for file in files):
        _log.warning(
            "compiling the engine fused_gpu for %d hidden units and batches of %d%s; it "
            "takes about a quarter of a minute",
            kind.shape.hidden,
            kind.shape.batch,
            ", once" if files else "",
        )
    return made


def _files(kind: Kind, made: Kernels) -> list[Path]:
    """Return where the kernels of a kind are kept; empty if the task is in no file."""
    draw = file_of_function(kind.draw)
    if draw is None:
        return []
    folder = cache_folder("fused_gpu", Path(__file__), draw)
    facts = (
        tuple(kind.shape),
        layout(kind.shape).owned,
        kind.draw.__qualname__,
        sorted(_versions().items()),
        card.card(),
    )
    files = list[Path]()
    for name, kernel in made._asdict().items():
        depends = (name, *facts, sorted(kernel.targetoptions.items()))
        digest = hashlib.sha256(repr(depends).encode()).hexdigest()[:16]
        files.append(folder / f"{name}-{digest}.cubin")
    return files


@functools.cache
def _on_card(function: Callable[..., Any]) -> Any:
    """Make a device function of a scalar function and of all that it calls."""
    plain = inspect.unwrap(function)
    if SIMULATED:
        return plain
    called = {
        name: _on_card(value)
        for name in plain.__code__.co_names
        if isinstance(value := plain.__globals__.get(name), types.FunctionType)
    }
    names = {**plain.__globals__, **called}
    return device(types.FunctionType(plain.__code__, names, plain.__name__))


def kind_of(trial: Trial, size: int) -> Kind:
    """Return the kind of a trial at a batch of some size.

    Raises:
        ValueError: If its task draws a symbol or a class that is out of range.
    """
    task = trial.task
    shape = Shape(
        hidden=trial.hidden,
        batch=size,
        inputs=task.inputs,
        outputs=task.outputs,
        one_hot=task.one_hot,
        each_step=task.cost == "class_at_each_step",
        numbers=task.cost == "value_at_end",
    )
    _validated(task)
    return Kind(shape, task.draw_example)


@functools.cache
def _validated(task: Task) -> None:
    """Refuse a task that draws a symbol or a class that is out of range."""
    batch = draw_batch(task, seed=0, purpose=rng.TRAIN, index=0, size=TRIED)
    _require_possible(task, batch)


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


def _settings(
    trials: Sequence[Trial],
    first: Sequence[int],
    updates: Sequence[int],
    steps: np.ndarray | None,
) -> Settings:
    """Copy the settings of trials to the card."""

    def whole(values: Sequence[int]) -> Any:
        return card.put(np.array(values, np.int64))

    def real(values: Sequence[float]) -> Any:
        return card.put(np.array(values, np.float64))

    nothing = np.zeros((len(trials), 1), np.int64)
    task = np.array([numbers(trial.task) for trial in trials], np.int64)
    return Settings(
        seed=whole([trial.seed for trial in trials]),
        first=whole(first),
        updates=whole(updates),
        logistic=whole([trial.activation == "logistic" for trial in trials]),
        clips=whole([trial.clip_norm is not None for trial in trials]),
        threshold=real([math.inf if t.clip_norm is None else t.clip_norm for t in trials]),
        by_value=whole([trial.clip_by == "value" for trial in trials]),
        repairs=whole([trial.repair_nonfinite for trial in trials]),
        lr=real([trial.lr for trial in trials]),
        omega_weight=real([trial.omega_weight for trial in trials]),
        task=card.put(task if task.size else nothing),
        steps=card.put(nothing if steps is None else steps),
    )


def _put(lay: Layout, memory: Memory, slot: int, batch: Batch) -> None:
    """Copy a batch into the place of a slot's first."""
    shape = lay.shape
    steps, size = batch.inputs.shape[:2]
    longest = memory.drawn.shape[3]
    if shape.one_hot:
        symbols = np.zeros((1, longest, lay.rows), np.uint8)
        symbols[0, :steps, :size] = batch.inputs
        card.overwrite(memory.drawn[slot, 0], symbols)
    else:
        values = np.zeros((longest, shape.inputs, lay.rows), np.float32)
        values[:steps, :, :size] = batch.inputs.transpose(0, 2, 1)
        card.overwrite(memory.values[slot, 0], values.reshape(-1))
    targets = np.zeros(memory.targets.shape[2:])
    given = batch.targets.T if shape.each_step else batch.targets.reshape(size, -1)
    targets[:size, : given.shape[1]] = given
    card.overwrite(memory.targets[slot, 0], targets)


def _fill(target: Any, rows: Sequence[np.ndarray] | np.ndarray) -> None:
    """Overwrite the first rows of an array on the card."""
    card.overwrite(target[: len(rows)], np.array(rows, target.dtype))


def _flat(parameters: Parameters) -> np.ndarray:
    return np.concatenate([np.asarray(each).ravel() for each in parameters])


def _shaped(flat: np.ndarray, shape: Shape) -> Parameters:
    """Return the parameters of a row of numbers; the inverse of `_flat`."""
    hidden, inputs, outputs = shape.hidden, shape.inputs, shape.outputs
    sizes = ((hidden, inputs), (hidden, hidden), (hidden,), (outputs, hidden), (outputs,))
    ends = np.cumsum([math.prod(size) for size in sizes])
    parts = np.split(flat, ends[:-1])
    return Parameters(*(p.reshape(s).copy() for p, s in zip(parts, sizes, strict=True)))


def _counted(wrong: np.ndarray, stop_at: int) -> tuple[int, int]:
    """Return errors and sequences up to error `stop_at`."""
    so_far = np.cumsum(wrong)
    if so_far.size and so_far[-1] >= stop_at:
        return stop_at, int(np.searchsorted(so_far, stop_at)) + 1
    return int(so_far[-1]), len(wrong)


def _as_tuple(totals: Totals) -> tuple[float, ...]:
    return (
        totals.updates,
        totals.repaired,
        totals.clipped,
        totals.loss,
        totals.grad_norm,
        totals.grad_norm_max,
    )


def _as_totals(values: np.ndarray) -> Totals:
    updates, repaired, clipped, loss, grad_norm, grad_norm_max = values.tolist()
    return Totals(int(updates), int(repaired), int(clipped), loss, grad_norm, grad_norm_max)


@functools.cache
def _versions() -> dict[str, str]:
    """Return the versions of what compiles; one that is not a package counts as none."""
    return {
        "numba": numba.__version__,
        "numba_cuda": _version("numba-cuda"),
        "nvvm": _version("nvidia-nvvm"),
        "nvjitlink": _version("nvidia-nvjitlink"),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"
