"""A pilot measures training, not what is made ready for it."""

from dataclasses import dataclass, field, replace

import pytest
from small import trial

from rnnlab import Trial, rng
from rnnlab.engines.plain import Plain
from rnnlab.state import Parameters, State
from sweeps.spec.trainer import Trainer
from sweeps.worker import pilot


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
