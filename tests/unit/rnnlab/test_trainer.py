"""Recurrent networks under the loop of a sweep: the bits of the plain loop, however cut."""

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import RECURRENT, checkpoints, store, table_bytes, trial
from states import same

from rnnlab import Check, Trial
from rnnlab import Result as PlainResult
from rnnlab.data import Batch
from rnnlab.engines import Gradients, choose
from rnnlab.engines.plain import Plain
from rnnlab.state import Parameters, State
from rnnlab.threshold import MEASURED_CHECKS, SEEDS
from rnnlab.train import Training, fresh, train
from rnnlab.trainer import RecurrentTrainer, as_tree, from_tree
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.store.attempts import Attempts
from sweeps.store.checkpoints import CheckpointFolder, Position
from sweeps.store.committed import Done
from sweeps.store.result import Result
from sweeps.worker.training import result_of, training
from sweeps.worker.worker import Worker

ENGINE = choose("plain")
TRAINER = RecurrentTrainer(ENGINE)
SMALL = replace(trial(), omega_weight=2.0)
RELATIVE = replace(trial(seed=4), clip_norm=0.3, clip_multiple=2.0, clip_by="value")
VARIANTS = [
    SMALL,
    replace(trial(1), init="sigmoid", clip_norm=None),
    replace(trial(2), init="basic_tanh", repair_nonfinite=True),
    trial(3, lr=1e38),
]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process that has measured no threshold yet."""
    monkeypatch.setattr("rnnlab.threshold._norms", {})


def swept(
    one: Trial,
    budget: int,
    kept: CheckpointFolder | None = None,
    trainer: RecurrentTrainer = TRAINER,
    chunk_s: float = 0.0,
) -> Result:
    """Train as a sweep does, to the end."""
    *_, position = training(
        one, budget=budget, trainer=trainer, checkpoints=kept, chunk_s=chunk_s
    )
    return result_of(one, position, trainer, budget)


def stopped(one: Trial, kept: CheckpointFolder, after: int, budget: int = 60) -> None:
    """Train as a sweep does, and stop after so many reports."""
    positions = training(
        one, budget=budget, trainer=RecurrentTrainer(ENGINE), checkpoints=kept, chunk_s=0.0
    )
    for _ in zip(range(after), positions, strict=False):
        pass
    positions.close()


def assert_same(found: Result, plain: PlainResult) -> None:
    """Hold a sweep's result against that of the plain loop, bit for bit."""
    last = plain.last_check
    columns = {n: v for n, v in asdict(plain).items() if n not in ("trial_id", "checks")}
    for name in columns:
        assert same(found.row()[name], columns[name]), name
    assert found.trial_id == plain.trial_id
    for ours, theirs in zip(found.checks, plain.checks, strict=True):
        expected = {**asdict(theirs), "error_rate": theirs.error_rate}
        assert same({name: ours[name] for name in expected}, expected)
    measured = asdict(last) | {"error_rate": last.error_rate} if last else {}
    for name in ("error_rate", "loss", "omega", "spectral_radius"):
        assert same(found.row()[name], measured.get(name)), name
    assert found.row()["error_rate_of"] == measured.get("sequences")


@pytest.mark.parametrize("one", VARIANTS, ids=["Ω", "logistic", "repaired", "diverging"])
@pytest.mark.parametrize("chunk_s", [0.0, 3600.0])
def test_a_sweep_gives_what_the_plain_loop_gives(one: Trial, chunk_s: float) -> None:
    assert_same(swept(one, 40, chunk_s=chunk_s), train(one, budget=40, engine=ENGINE))


def test_the_fused_engine_gives_the_same_in_a_sweep_too() -> None:
    engine = choose()
    found = swept(SMALL, 40, trainer=RecurrentTrainer(engine))
    assert_same(found, train(SMALL, budget=40, engine=engine))


@settings(max_examples=8)
@given(st.sampled_from(VARIANTS), st.lists(st.integers(1, 8), max_size=4))
def test_interrupted_again_and_again_it_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: Trial, stops: list[int]
) -> None:
    kept = checkpoints(tmp_path_factory.mktemp("kept"))
    for after in stops:
        stopped(one, kept, after, budget=30)
    assert_same(swept(one, 30, kept), train(one, budget=30, engine=ENGINE))


def test_averages_restart_after_a_check() -> None:
    state, made, _ = TRAINER.advance(SMALL, TRAINER.start(SMALL), 0, 1000)
    assert (made, state["totals"]["updates"]) == (10, 10)
    after, made, _ = TRAINER.advance(SMALL, state, 10, 3)
    assert (made, after["totals"]["updates"]) == (3, 3)
    again, made, _ = TRAINER.advance(SMALL, after, 13, 1000)
    assert (made, again["totals"]["updates"]) == (7, 10)


def test_a_call_changes_nothing_of_the_state_that_it_was_given() -> None:
    state = TRAINER.start(SMALL)
    before = as_tree(from_tree({**state}, 0))
    copied = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in before.items()}
    TRAINER.advance(SMALL, state, 0, 5)
    TRAINER.check(SMALL, TRAINER.advance(SMALL, state, 0, 10)[0], 10)
    assert same(state, copied)


def test_a_state_is_the_same_after_it_was_written_as_a_dictionary() -> None:
    state = Training.fresh(SMALL).advanced(ENGINE, 7).state
    again = from_tree(as_tree(state), 7)
    assert (again.update, again.totals, again.diverged) == (7, state.totals, False)
    assert same(list(again.parameters), list(state.parameters))


def test_a_trial_that_measures_its_threshold_first_does_so_in_small_bites() -> None:
    trainer = RecurrentTrainer(Plain())
    state, bites = trainer.start(RELATIVE), 0
    made = 0
    while not made:
        after, made, diverged = trainer.advance(RELATIVE, state, 0, 4)
        assert not diverged
        if not made:
            assert same(after, state)
            bites += 1
    assert made == 4
    calls_a_check = 3  # of 4, 4 and 2 updates: never past a check
    assert bites == calls_a_check * MEASURED_CHECKS * len(SEEDS)


def test_its_reports_say_that_nothing_was_made_meanwhile() -> None:
    updates = [
        position.update
        for position in training(RELATIVE, budget=20, trainer=TRAINER, chunk_s=0.0)
    ]
    assert updates == sorted(updates)
    assert updates.count(0) > MEASURED_CHECKS * len(SEEDS)
    assert updates[-1] == 20


@pytest.mark.parametrize("after", [1, 2, 20, 60, 140])
def test_interrupted_while_measuring_and_resumed_it_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    whole = train(RELATIVE, budget=40, engine=ENGINE)
    monkeypatch.setattr("rnnlab.threshold._norms", {})
    kept = checkpoints(tmp_path)
    stopped(RELATIVE, kept, after, budget=40)
    monkeypatch.setattr("rnnlab.threshold._norms", {})
    trainer = RecurrentTrainer(ENGINE)
    assert_same(swept(RELATIVE, 40, kept, trainer), whole)


def test_a_finished_trial_in_a_new_process_has_its_threshold_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is at the budget, so no update is asked for before the summary."""
    kept = checkpoints(tmp_path)
    whole = swept(RELATIVE, 20, kept, RecurrentTrainer(ENGINE))
    monkeypatch.setattr("rnnlab.threshold._norms", {})
    assert swept(RELATIVE, 20, kept, RecurrentTrainer(ENGINE)) == whole
    assert whole.row()["clip_threshold"] is not None


def test_two_trials_that_take_turns_measure_each_its_own_threshold() -> None:
    other = replace(RELATIVE, clip_norm=0.2)
    runs = [
        training(one, budget=20, trainer=TRAINER, chunk_s=0.0) for one in (RELATIVE, other)
    ]
    last: list[Position | None] = [None, None]
    going = {0, 1}
    while going:
        for place in list(going):
            position = next(runs[place], None)
            if position is None:
                going.discard(place)
            else:
                last[place] = position
    for one, position in zip((RELATIVE, other), last, strict=True):
        assert position is not None
        found = result_of(one, position, TRAINER, 20)
        assert_same(found, train(one, budget=20, engine=ENGINE))


@dataclasses.dataclass(frozen=True)
class Scripted(Plain):
    """Trains as `plain` does and finds the errors of a script."""

    errors: dict[int, int] = dataclasses.field(default_factory=dict[int, int])

    def __init__(self, errors: dict[int, int]) -> None:
        super().__init__()
        object.__setattr__(self, "errors", errors)

    def count_errors(
        self,
        trial: Trial,
        parameters: Parameters,
        *,
        purpose: int = 0,
        index: int,
        stop_at: int,
    ) -> tuple[int, int]:
        found = self.errors.get(index)
        return (stop_at, 130) if found is None else (found, 10_000)


@pytest.mark.parametrize(
    ("stop", "outcome", "updates", "solved_at", "zero_errors_at"),
    [
        ("below_1_percent", "solved", 30, 30, None),
        ("zero_errors", "solved", 50, 30, 50),
    ],
)
def test_the_stop_rule_says_which_check_ends_a_trial(
    stop: Any, outcome: str, updates: int, solved_at: int, zero_errors_at: int | None
) -> None:
    one = replace(trial(), stop=stop)
    engine = Scripted({3: 99, 4: 100, 5: 0})
    found = swept(one, 60, trainer=RecurrentTrainer(engine))
    row = found.row()
    assert (row["outcome"], row["updates"]) == (outcome, updates)
    assert (row["solved_at"], row["zero_errors_at"]) == (solved_at, zero_errors_at)
    assert_same(found, train(one, budget=60, engine=engine))


def test_an_outcome_needs_a_check_that_met_the_rule() -> None:
    def seen(update: int, errors: int) -> dict[str, Any]:
        facts = dict.fromkeys((f.name for f in dataclasses.fields(Check)), 0.0)
        return {**facts, "update": update, "errors": errors, "sequences": 10_000}

    assert TRAINER.outcome(trial(), [seen(10, 100)]) is None
    assert TRAINER.outcome(trial(), [seen(10, 99)]) == "solved"
    strict = replace(trial(), stop="zero_errors")
    assert TRAINER.outcome(strict, [seen(10, 99), seen(20, 1)]) is None
    assert TRAINER.outcome(strict, [seen(10, 0), seen(20, 1)]) == "solved"


def test_only_a_solved_trial_is_tested_at_its_lengths() -> None:
    one = replace(trial(), test_lengths=(10, 12))
    solving, never = Scripted({2: 0}), Scripted({})
    solved = swept(one, 40, trainer=RecurrentTrainer(solving))
    assert solved.row()["test_errors"] == (10_001, 10_001)  # the script has every one wrong
    unsolved = swept(one, 40, trainer=RecurrentTrainer(never))
    assert unsolved.row()["test_errors"] is None
    assert_same(solved, train(one, budget=40, engine=solving))


def test_test_errors_are_those_of_the_plain_loop() -> None:
    one = replace(
        trial(),
        hidden=10,
        lr=0.1,
        check_every=100,
        stop="zero_errors",
        test_lengths=(10, 40),
    )
    found = swept(one, 20_000)
    assert found.outcome == "solved"
    assert found.row()["test_errors"][0] < 100 < found.row()["test_errors"][1]
    assert_same(found, train(one, budget=20_000, engine=ENGINE))


def test_a_diverged_trial_has_the_updates_at_which_it_did_and_the_checks_before() -> None:
    found = swept(trial(lr=1e38), 40)
    assert (found.outcome, found.checks) == ("diverged", ())
    assert found.updates < 10
    assert found.row()["error_rate"] is None
    assert set(found.row()) == set(RECURRENT.columns.result or {})


def test_where_every_update_was_repaired_the_averages_are_nan_and_survive_a_stop(
    tmp_path: Path,
) -> None:
    one = replace(trial(), repair_nonfinite=True)
    start = fresh(one).parameters
    signs = np.array([[1], [-1], [1], [-1]], dtype=np.float32)
    broken = start._replace(w_out=np.full_like(start.w_out, 3e38) * signs)
    results: list[Result] = []
    for stops in ([], [2, 4]):
        kept = checkpoints(tmp_path / f"{len(stops)}")
        position = Position(0, as_tree(State(broken)))
        kept.save(one.trial_id, ENGINE.numerics_id(one), position)
        for after in stops:
            stopped(one, kept, after, budget=20)
        results.append(swept(one, 20, kept))
    assert repr(results[0]) == repr(results[1])
    for check in results[0].checks:
        assert check["repaired_share"] == 1
        assert np.isnan([check["loss"], check["grad_norm_max"]]).all()


def test_the_columns_are_those_that_the_type_describes() -> None:
    found = swept(SMALL, 20)
    described = RECURRENT.columns
    assert list(found.row()) == list(described.result or {})
    (row, _) = found.history()
    assert {*row} - {"trial_id"} == {*(described.check or {})}


@dataclass(frozen=True)
class Many(Plain):
    """The plain engine, as one that trains four trials at once; notes its calls."""

    slots: int = 4
    calls: list[list[Trial]] = field(default_factory=list[list[Trial]], compare=False)

    def numerics_id(self, trial: Trial) -> str:
        return ENGINE.numerics_id(trial)

    def advance_many(
        self, trials: Sequence[Trial], states: Sequence[State], updates: Sequence[int]
    ) -> list[State]:
        self.calls.append(list(trials))
        each = zip(trials, states, updates, strict=True)
        return [self.advance(*one) for one in each]

    def count_errors_many(
        self,
        trials: Sequence[Trial],
        parameters: Sequence[Parameters],
        *,
        purpose: int,
        indices: Sequence[int],
        stop_at: int,
    ) -> list[tuple[int, int]]:
        return [
            self.count_errors(trial, each, purpose=purpose, index=index, stop_at=stop_at)
            for trial, each, index in zip(trials, parameters, indices, strict=True)
        ]

    def gradients_many(
        self,
        trials: Sequence[Trial],
        parameters: Sequence[Parameters],
        batches: Sequence[Batch],
    ) -> list[Gradients]:
        each = zip(trials, parameters, batches, strict=True)
        return [self.gradients(*one) for one in each]


@pytest.mark.parametrize("made", [0, 3, 10, 17])
def test_many_at_once_are_advanced_and_checked_as_each_alone(made: int) -> None:
    trainer = RecurrentTrainer(Many())
    trials = VARIANTS[:3]
    before: list[dict[str, Any]] = []
    for one in trials:
        state, done = TRAINER.start(one), 0
        while done < made:
            state, more, _ = TRAINER.advance(one, state, done, made - done)
            done += more
        before.append(state)
    asked = [5, 1, 100]
    alone = [
        TRAINER.advance(one, state, made, most)
        for one, state, most in zip(trials, before, asked, strict=True)
    ]
    together = trainer.advance_many(trials, before, [made] * 3, asked)
    assert same(together, alone)
    states, at = [state for state, _, _ in alone], [10 * (1 + made // 10)] * 3
    measured = trainer.measure_many(trials, states, at)
    for one, state, update, seen in zip(trials, states, at, measured, strict=True):
        found = trainer.check_measured(one, state, update, seen)
        assert same(found, TRAINER.check(one, state, update))


def test_an_engine_for_one_has_one_place() -> None:
    assert (RecurrentTrainer(Many()).slots, TRAINER.slots) == (4, 1)


def test_a_check_that_asks_something_else_is_no_answer() -> None:
    trainer = RecurrentTrainer(Many())
    state, _, _ = trainer.advance(SMALL, trainer.start(SMALL), 0, 10)
    (seen,) = trainer.measure_many([SMALL], [state], [10])
    with pytest.raises(AssertionError):
        trainer.check_measured(SMALL, state, 20, seen)


def test_thresholds_are_measured_in_the_places_of_those_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two wait for the same references, one for others, one for none."""
    trials = [
        RELATIVE,
        replace(RELATIVE, clip_multiple=3.0),
        replace(RELATIVE, clip_norm=0.2),
        SMALL,
    ]
    tables: list[bytes] = []
    engine = Many()
    for each in (ENGINE, engine):
        monkeypatch.setattr("rnnlab.threshold._norms", {})
        kept = store(tmp_path / str(len(tables)))
        done, attempts = Done.since(kept, ()), Attempts(kept.attempts)
        worker = Worker(kept, RecurrentTrainer(each), attempts, done, chunk_s=0.0)
        (pack,) = packs(plan(trials, {}, 20), 4)
        last = list(worker.train(pack))[-1]
        assert (last.unsolved, last.failed) == (4, 0)
        tables.append(table_bytes(kept))
    assert tables[0] == tables[1]
    for call in engine.calls:
        assert len(set(call)) == len(call)  # no reference is trained twice in a call
