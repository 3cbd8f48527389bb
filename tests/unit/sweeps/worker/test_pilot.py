"""A pilot measures training, not what is made ready for it."""

from dataclasses import dataclass, field, replace

import pytest
from device import SLOTS, Walker, WalkTrainer
from small import trial

from rnnlab import Trial, rng
from rnnlab.engines.plain import Plain
from rnnlab.state import Parameters, State
from sweeps.spec.trainer import Trainer
from sweeps.worker import pilot
from sweeps.worker.metered_trainer import MeteredTrainer


@dataclass(frozen=True)
class CompiledLate(Plain):
    """The first update and the first check compile."""

    made: set[str] = field(default_factory=set[str])

    def advance(self, trial: Trial, state: State, updates: int) -> State:
        self.made.add("update")
        return super().advance(trial, state, updates)

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        index: int,
        stop_at: int,
        purpose: int = rng.CHECK,
    ) -> tuple[int, int]:
        self.made.add("check")
        return super().count_errors(
            trial, parameters, purpose=purpose, index=index, stop_at=stop_at
        )


def test_what_is_compiled_late_is_compiled_before(monkeypatch: pytest.MonkeyPatch) -> None:
    late, ready = CompiledLate(), list[set[str]]()
    timed = pilot.seconds_per_update

    def chosen(_: str, device: str) -> Plain:
        return late

    def watched(of: Trial, trainer: Trainer, slice_s: float) -> float | None:
        ready.append(set(late.made))
        return timed(of, trainer, slice_s)

    monkeypatch.setattr("rnnlab.trainer.choose", chosen)
    monkeypatch.setattr(pilot, "seconds_per_update", watched)
    found = pilot.measure([replace(trial(), check_every=10_000)], "plain", slice_s=0.02)
    assert len(found) == pilot.SLICES
    assert ready == [{"update", "check"}] * pilot.SLICES


def test_what_trains_many_at_once_is_measured_full() -> None:
    trainer, one = WalkTrainer(), Walker(check_every=1000)
    found = pilot.seconds_of_many(one, MeteredTrainer(trainer), 0.05, count=3)
    assert found is not None
    assert {len(call) for call in trainer.calls} == {3}
    updates = sum(asked for call in trainer.calls for _, _, asked in call)
    assert found == pytest.approx(0.05 / updates, rel=1.0)
    assert pilot.seconds_of_many(one, MeteredTrainer(trainer), 0.01, count=99) is not None
    assert len(trainer.calls[-1]) == SLOTS


def test_a_pilot_on_a_gpu_measures_each_shape_beside_itself() -> None:
    trials = [Walker(length=length) for length in (1, 2)]
    found = pilot.measure(trials, "gpu", 0.01, together=2)
    assert {place for place, _ in found} == {0, 1}
    assert len(found) == 2 * pilot.SLICES
