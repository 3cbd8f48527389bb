"""What a run will cost: from speeds, and from how replicates have ended."""

import dataclasses
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up_events import finished as attempted
from small import RECURRENT, trial

from rnnlab import Trial
from sweeps.plan.cost import cost
from sweeps.plan.estimate import Estimate, Overhead, estimate
from sweeps.plan.plan import Plan, plan
from sweeps.plan.speeds import Speeds, assumed, measured, recorded
from sweeps.store.events import Event, Finished, Started
from sweeps.store.standing import Standing

BUDGET = 1000
START_S = 6.0
ONLY_START = Overhead(start_s=(START_S, START_S), trial_s=(0, 0), factor=(1, 1))
"""So that what is expected can be worked out by hand."""
TRIALS = [trial(seed, lr=lr) for lr in (0.01, 0.02) for seed in range(10)]


def estimated(work: Plan, speeds: Speeds, cpus: int) -> Estimate:
    return estimate(work, speeds, cpus, ONLY_START)


def flat(seconds: float = 0.01) -> Speeds:
    """Every update takes so long."""
    return measured([(TRIALS[0], seconds)], "a test")


def finished(number: int, ended: int | None) -> tuple[str, Standing]:
    """A trial that ended at some update, or came to its budget."""
    updates = ended or BUDGET
    standing = Standing("solved" if ended else "unsolved", updates)
    return TRIALS[number].trial_id, standing


def test_with_nobody_ending_early_it_is_the_work_divided_by_the_cores() -> None:
    found = estimated(plan(TRIALS, {}, BUDGET), flat(), cpus=2)
    assert found.seconds == pytest.approx(20 * BUDGET * 0.01 / 2 + START_S)
    assert found.low_s == found.high_s == found.seconds
    assert found.core_hours == pytest.approx(200 / 3600)
    assert found.at_most
    assert found.summary().startswith("at most 1 min 46 s")


def test_what_a_run_takes_beside_its_updates_makes_the_interval_wider() -> None:
    more = Overhead(start_s=(4, 12), trial_s=(0, 0.5), factor=(1, 1.5))
    found = estimate(plan(TRIALS, {}, BUDGET), flat(), 2, more)
    least, most = 100 + 4, 100 * 1.5 + 20 * 0.5 / 2 + 12
    assert least < found.low_s < found.seconds < found.high_s < most
    assert found.high_s - found.low_s > 0.6 * (most - least)
    alone = estimate(plan(TRIALS[:1], {}, BUDGET), flat(), 8, more)
    assert 10 + 4 < alone.low_s < alone.high_s < 10 * 1.5 + 12


def test_one_long_trial_is_not_shared_between_cores() -> None:
    found = estimated(plan(TRIALS[:1], {}, BUDGET), flat(), cpus=8)
    assert found.seconds == pytest.approx(BUDGET * 0.01 + START_S)


def test_what_is_done_already_costs_nothing() -> None:
    done = dict(finished(number, None) for number in range(20))
    further = estimated(plan(TRIALS, done, 3 * BUDGET), flat(), cpus=1)
    assert further.seconds == pytest.approx(20 * 2 * BUDGET * 0.01 + START_S)


def test_replicates_that_ended_tell_how_long_the_others_last() -> None:
    """All of one rate end at 100; of the other rate, none does."""
    done = dict(finished(n, 100 if n < 10 else None) for n in (*range(5), *range(10, 15)))
    found = estimated(plan(TRIALS, done, BUDGET), flat(), cpus=1)
    assert found.seconds == pytest.approx((5 * 100 + 5 * BUDGET) * 0.01 + START_S)


def test_the_interval_holds_what_replicates_leave_open() -> None:
    """Half of them end at 200: the others do with the same chance."""
    done = dict(finished(n, 200 if n % 2 else None) for n in range(6))
    work = plan(TRIALS[:10], done, BUDGET)
    found = estimated(work, flat(), cpus=1)
    assert START_S + 4 * 2 <= found.low_s < found.seconds < found.high_s
    assert found.high_s <= START_S + 4 * 10
    assert found.seconds == pytest.approx(START_S + 4 * 6, rel=0.25)
    assert estimated(work, flat(), cpus=1) == found
    assert not found.at_most


def test_one_that_ended_soon_does_not_speak_for_the_others() -> None:
    done = dict([finished(0, 100)])
    found = estimated(plan(TRIALS[:5], done, BUDGET), flat(), cpus=1)
    assert found.low_s == pytest.approx(4 * 100 * 0.01 + START_S)
    assert found.high_s > (100 + 3 * BUDGET) * 0.01 + START_S
    assert found.seconds < (2 * 100 + 2 * BUDGET) * 0.01 + START_S


@pytest.mark.parametrize(
    ("seen", "ends_at"),
    [
        (8, lambda rng: rng.exponential(600, size=20)),
        (3, lambda rng: np.where(rng.random(20) < 0.1, np.inf, 100)),
    ],
    ids=["eight", "three, and few outlast them"],
)
def test_it_covers_what_comes_to_pass_about_as_often_as_it_says(
    seen: int, ends_at: Callable[[np.random.Generator], "np.ndarray"]
) -> None:
    rng = np.random.default_rng(5)
    trials = [trial(seed) for seed in range(20)]
    covered: list[bool] = []
    for _ in range(60):
        ends = [int(t) if t < BUDGET else None for t in ends_at(rng)]
        done = {
            each.trial_id: Standing("solved" if end else "unsolved", end or BUDGET)
            for each, end in zip(trials[:seen], ends, strict=False)
        }
        found = estimated(plan(trials, done, BUDGET), flat(), cpus=1)
        took = sum((end or BUDGET) * 0.01 for end in ends[seen:]) + START_S
        covered.append(found.low_s <= took <= found.high_s)
    assert 0.8 < np.mean(covered) <= 1


def test_a_trial_that_is_further_lasts_as_those_that_came_so_far() -> None:
    """Of those beyond 500, all end at 800."""
    done = dict(finished(n, 800 if n < 4 else 100) for n in range(8))
    done[TRIALS[8].trial_id] = Standing("unsolved", 500)
    found = estimated(plan(TRIALS[:9], done, BUDGET), flat(), cpus=1)
    assert found.seconds == found.low_s == pytest.approx(300 * 0.01 + START_S)
    assert found.high_s == pytest.approx(500 * 0.01 + START_S)


def test_a_trial_that_is_further_than_all_that_ended_takes_its_budget_at_most() -> None:
    done = dict(finished(n, 100) for n in range(8))
    done[TRIALS[8].trial_id] = Standing("unsolved", 500)
    found = estimated(plan(TRIALS[:9], done, BUDGET), flat(), cpus=1)
    assert found.seconds == pytest.approx(500 * 0.01 + START_S)
    assert found.at_most


def test_two_replicates_say_less_than_the_whole_sweep() -> None:
    """Two of one rate came to their budget; all of the other ended at 100."""
    done = dict(finished(n, 100 if n >= 10 else None) for n in (0, 1, *range(10, 20)))
    found = estimated(plan(TRIALS[:3] + TRIALS[10:], done, BUDGET), flat(), 1)
    assert found.low_s < START_S + 2
    assert estimated(plan(TRIALS[:3], done, BUDGET), flat(), 1).low_s > START_S + 9


def test_a_shape_that_was_not_measured_is_scaled_by_its_cost() -> None:
    longer = trial(0, length=40)
    assert flat().typical(TRIALS[3]) == 0.01
    expected = 0.01 * cost(longer) / cost(TRIALS[0])
    assert flat().typical(longer) == pytest.approx(expected)
    with_omega = dataclasses.replace(TRIALS[0], omega_weight=1.0)
    speeds = measured([(TRIALS[0], 0.01), (with_omega, 0.02)], "a test")
    assert (speeds.typical(TRIALS[1]), speeds.typical(with_omega)) == (0.01, 0.02)


def event(number: int, seconds: float, **more: Any) -> Finished:
    facts: dict[str, Any] = {"host": socket.gethostname(), "made": 100} | more
    return attempted(TRIALS[number].trial_id, seconds=seconds, **facts)


def speeds_of(*events: Event) -> Speeds:
    found = recorded(events, TRIALS)
    assert found is not None
    return found


def test_recorded_speeds_are_of_the_last_numerics_and_of_this_machine() -> None:
    slow, fast = event(0, 10.0), event(1, 1.0)
    assert speeds_of(slow, fast).of(TRIALS[0]) == (0.1, 0.01)
    assert speeds_of(event(0, 10.0, numerics_id="old"), fast).of(TRIALS[0]) == (0.01,)
    there = event(0, 10.0, host="elsewhere")
    assert speeds_of(there, fast).of(TRIALS[0]) == (0.01,)
    assert speeds_of(there).basis == "1 trial on another machine"
    assert speeds_of(event(0, 0.1), fast).of(TRIALS[0]) == (0.01,)
    assert speeds_of(event(0, 0.1)).of(TRIALS[0]) == (0.001,)


@pytest.mark.parametrize(
    "harm",
    [
        {"made": 0},
        {"seconds": -1.0},
        {"seconds": 1e300},
        {"seconds": float("nan")},
        {"trial_id": "unknown"},
    ],
    ids=str,
)
def test_events_that_tell_nothing_are_left_out(harm: dict[str, Any]) -> None:
    assert recorded([dataclasses.replace(event(0, 1.0), **harm)], TRIALS) is None


def test_events_of_other_kinds_have_no_speed() -> None:
    assert recorded([Started(trial_id=TRIALS[0].trial_id)], TRIALS) is None


def test_every_engine_has_an_assumed_speed() -> None:
    from rnnlab.engines import ENGINES

    usual = Trial()
    seconds = {name: assumed(RECURRENT, name).typical(usual) for name in ENGINES}
    assert 50e-6 < seconds["fused_cpu"] < 1e-3
    assert 10 < seconds["plain"] / seconds["fused_cpu"] < 30


def test_a_hundred_thousand_trials_are_estimated_in_a_moment() -> None:
    import time

    many = [dataclasses.replace(TRIALS[0], seed=seed) for seed in range(100_000)]
    began = time.process_time()
    found = estimated(Plan(many, many, BUDGET, {}), flat(), cpus=2)
    assert found.seconds == pytest.approx(100_000 * BUDGET * 0.01 / 2 + START_S)
    assert time.process_time() - began < 5
