"""What a trainer prints is recorded with the trial, and nothing of it reaches stdout."""

import io
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small import Walk, store

from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.spec.trial_type import type_of
from sweeps.store.attempts import Attempts, failed_trials, read_events
from sweeps.store.committed import Done
from sweeps.store.events import Printed
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.metered_trainer import MOST_PRINTED, MeteredTrainer
from sweeps.worker.worker import PRINTED_CHARACTERS, Worker


@dataclass(frozen=True, kw_only=True)
class Chatty(Walk):
    """A walk that prints what it does, and may fall."""

    times: int = 1
    falls: bool = False

    @property
    def numerics(self) -> str:  # type: ignore[override]
        sys.stdout.write("numerics ")
        return "chatty 1"

    def start(self, device: str) -> dict[str, Any]:
        sys.stdout.write("start ")
        return super().start(device)

    def advance(self, state: dict[str, Any], updates: int) -> dict[str, Any]:
        sys.stderr.write(f"advance {self.seed}," * self.times + "\n")
        if self.falls:
            raise RuntimeError("fell")
        return super().advance(state, updates)

    def check(self, state: dict[str, Any]) -> dict[str, float]:
        sys.stdout.write("check ")
        return super().check(state)

    def outcome(self, checks: Sequence[Mapping[str, Any]]) -> str | None:
        sys.stdout.write("outcome ")
        return super().outcome(checks)


def run(kept: Store, *trials: Walk) -> None:
    """Train some trials in one pack."""
    trainer = type_of(type(trials[0])).described.trainer(None, "cpu")
    worker = Worker(kept, trainer, Attempts(kept.attempts), Done.since(kept, []))
    (pack,) = packs(plan(list(trials), {}, 20), len(trials))
    list(worker.train(pack))


def printed_in(kept: Store) -> dict[str, str]:
    """What each trial has printed, by its id."""
    found = [e for e in read_events(kept.attempts) if isinstance(e, Printed)]
    assert len({event.trial_id for event in found}) == len(found)
    return {event.trial_id: event.text for event in found}


def test_what_a_trainer_prints_is_recorded_with_its_trial(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = store(tmp_path, Chatty)
    run(kept, Chatty(seed=1), Chatty(seed=2))
    found = printed_in(kept)
    for seed in (1, 2):
        text = found[id_of(Chatty(seed=seed))]
        assert text.count(f"advance {seed},") == 2
        assert f"advance {3 - seed}," not in text
        for what in ("numerics", "start", "check", "outcome"):
            assert what in text, what
    assert capfd.readouterr() == ("", "")
    assert len(kept.read()) == 2


def test_who_prints_nothing_has_no_such_event(tmp_path: Path) -> None:
    kept = store(tmp_path, Walk)
    run(kept, Walk(seed=1))
    assert {e.kind for e in read_events(kept.attempts)} == {"started", "finished"}


def test_of_much_the_end_is_kept(tmp_path: Path) -> None:
    kept = store(tmp_path, Chatty)
    one = Chatty(times=PRINTED_CHARACTERS)
    run(kept, one)
    text = printed_in(kept)[id_of(one)]
    assert len(text) == PRINTED_CHARACTERS
    assert text.endswith("check outcome numerics ")


def test_what_was_printed_before_a_crash_is_recorded(tmp_path: Path) -> None:
    kept = store(tmp_path, Chatty)
    falling = Chatty(seed=1, falls=True)
    run(kept, falling, Chatty(seed=2))
    assert failed_trials(kept.attempts)[id_of(falling)].last.error == "RuntimeError: fell"
    named = [
        e.kind
        for e in read_events(kept.attempts)
        if getattr(e, "trial_id", "") == id_of(falling)
    ]
    assert named == ["started", "printed", "failed"]
    found = printed_in(kept)
    assert "advance 1," in found[id_of(falling)]
    assert "advance 1," not in found[id_of(Chatty(seed=2))]


def test_what_is_kept_in_memory_is_bounded() -> None:
    one = Chatty(times=10_000)
    trainer = MeteredTrainer(type_of(Chatty).described.trainer(None, "cpu"))
    state = trainer.start(one)
    for _ in range(20):
        trainer.advance(one, state, 0, 1)
        assert trainer.printed.tell() <= MOST_PRINTED
    assert trainer.take_printed().endswith("advance 0,\n")
    assert trainer.take_printed() == ""


def test_stdout_is_as_before_where_a_trainer_raises() -> None:
    trainer = MeteredTrainer(type_of(Chatty).described.trainer(None, "cpu"))
    falling = Chatty(falls=True)
    with redirect_stdout(io.StringIO()) as ours:
        with pytest.raises(RuntimeError):
            trainer.advance(falling, trainer.start(falling), 0, 1)
        sys.stdout.write("after\n")
    assert ours.getvalue() == "after\n"


@dataclass(frozen=True, kw_only=True)
class Uneasy(Walk):
    """A walk that warns."""

    def check(self, state: dict[str, Any]) -> dict[str, float]:
        warnings.warn("it is dark", stacklevel=1)
        return super().check(state)


def test_warnings_are_recorded_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = store(tmp_path, Uneasy)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = _shown
        run(kept, Uneasy(seed=1))
    (text,) = printed_in(kept).values()
    assert "it is dark" in text
    assert capfd.readouterr() == ("", "")


def _shown(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
    """Show a warning as Python does outside pytest."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
