"""Checks on fresh sequences, and what the engine refuses, without a card."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from agreement import made, start

from rnnlab import Addition, Memorisation, Task, TemporalOrder, Trial
from rnnlab.data import GROUP
from rnnlab.engines.fused_gpu import FusedGpu, engine
from rnnlab.engines.fused_gpu.layout import Shape, layout
from rnnlab.rng import CHECK, TEST
from rnnlab.state import Parameters

SEQUENCES = GROUP + 50
"""Instead of 10,000: a whole group, and one that is not, in a second launch."""
TASKS: dict[str, Task] = {
    "temporal order": TemporalOrder(length=10),
    "addition, 10 to 13": Addition(length=10, length_max=14),
    "bits, 1 to 3": Memorisation(length=1, length_max=4, values=2, positions=2),
}
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@pytest.fixture(autouse=True)
def few_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHECK_SEQUENCES", SEQUENCES)
    monkeypatch.setattr(engine, "GROUPS", 2)


def checked(task: Task, seed: int = 0) -> tuple[Trial, Parameters]:
    """Draw a network whose answers differ from sequence to sequence."""
    one = Trial(task=task, hidden=5, batch=50, init="basic_tanh", seed=seed, lr=0.5)
    if task.cost == "class_at_each_step":
        return one, made("fused_cpu").advance(one, start(one), 1100).parameters
    noise = np.random.default_rng(11 + seed)
    scale = 0.3 if task.cost == "value_at_end" else 1.0
    return one, Parameters(
        *(
            (scale * noise.standard_normal(each.shape)).astype(np.float32)
            for each in start(one).parameters
        )
    )


def errors_of(one: Trial, parameters: Parameters, purpose: int, index: int) -> int:
    """Count errors among the first sequences with `fused_cpu`, which counts 10,000."""
    cpu, errors = made("fused_cpu"), 0
    while True:
        seen = cpu.count_errors(
            one, parameters, purpose=purpose, index=index, stop_at=errors + 1
        )
        if seen[1] > SEQUENCES or seen[0] <= errors:
            return errors
        errors += 1


@each_task
def test_a_check_counts_as_the_engine_for_processors(task: Task) -> None:
    one, parameters = checked(task)
    purpose = CHECK if task.varies else TEST
    errors = errors_of(one, parameters, purpose, index=2)
    assert 20 < errors < SEQUENCES
    cpu, gpu = made("fused_cpu"), FusedGpu()
    for stop_at in (10, errors):
        where = {"purpose": purpose, "index": 2, "stop_at": stop_at}
        expected = cpu.count_errors(one, parameters, **where)
        assert gpu.count_errors(one, parameters, **where) == expected
    found = gpu.count_errors(one, parameters, purpose=purpose, index=2, stop_at=errors + 1)
    assert found == (errors, SEQUENCES)


def test_checks_of_many_trials_are_those_of_each_alone() -> None:
    pairs = [checked(task, seed) for task in list(TASKS.values())[:2] for seed in range(2)]
    trials, parameters = [p[0] for p in pairs], [p[1] for p in pairs]
    indices = list(range(len(pairs)))
    many = FusedGpu().count_errors_many(trials, parameters, indices=indices, stop_at=20)
    for one, given, index, found in zip(trials, parameters, indices, many, strict=True):
        alone = FusedGpu().count_errors(one, given, index=index, stop_at=20)
        assert alone == found


@each_task
def test_every_answer_of_nan_is_wrong_or_a_guess(task: Task) -> None:
    one, parameters = checked(task)
    broken = parameters._replace(w_out=np.full_like(parameters.w_out, np.nan))
    found = FusedGpu().count_errors(one, broken, index=1, stop_at=30)
    assert found == (30, 30)


WIDEST = Trial(task=TemporalOrder(length=10), hidden=128, batch=20)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (replace(WIDEST, hidden=129), "up to 128 hidden units"),
        (replace(WIDEST, batch=600), "batches of 600"),
    ],
)
def test_what_does_not_fit_a_block_is_refused_with_the_remedy(
    one: Trial, words: str
) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        FusedGpu().advance(one, start(one), 1)
    assert "fused_cpu" in str(refusal.value)


def test_more_symbols_than_a_byte_counts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 256 symbols, got 300.*fused_cpu"):
        layout(Shape(8, 4, 300, 2, True, False, False))


@dataclass(frozen=True, kw_only=True)
class Wrong(TemporalOrder):
    """Draws symbols that it does not have."""

    @property
    def inputs(self) -> int:
        return 3


def test_a_symbol_out_of_range_is_refused() -> None:
    one = replace(WIDEST, task=Wrong(length=10), hidden=5)
    with pytest.raises(ValueError, match="Wrong has 3 symbols"):
        FusedGpu().advance(one, start(one), 1)
