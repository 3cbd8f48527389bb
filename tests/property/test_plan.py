"""Laws of planning: a set difference, cut into packs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import trial

from rnnlab import Trial
from sweeps.plan.cost import cost
from sweeps.plan.packs import LONGEST_PACK_S, SHORTEST_PACK_S, Pack, packs, packs_by_time
from sweeps.plan.plan import Plan, plan
from sweeps.store.standing import Standing

TRIALS = [trial(seed, length=length) for seed in range(4) for length in (10, 20, 30)]
standings = st.builds(
    Standing,
    outcome=st.sampled_from(["solved", "unsolved", "diverged"]),
    updates=st.sampled_from([10, 20, 30]),
)
done_ones = st.dictionaries(st.sampled_from([t.trial_id for t in TRIALS]), standings)
budgets = st.sampled_from([10, 20, 30, 40])


@given(st.permutations(TRIALS), done_ones, budgets)
def test_work_is_what_was_asked_for_minus_what_is_done(
    trials: list[Trial], done: dict[str, Standing], budget: int
) -> None:
    work = plan(trials, done, budget)
    left = {t.trial_id for t in work.to_run}
    for each in trials:
        found = done.get(each.trial_id)
        unfinished = found is None or (
            found.outcome == "unsolved" and found.updates < budget
        )
        assert (each.trial_id in left) == unfinished
    assert work.done + len(work.to_run) == len(trials)


@given(st.permutations(TRIALS), budgets)
def test_with_everything_done_nothing_is_run(trials: list[Trial], budget: int) -> None:
    done = {t.trial_id: Standing("unsolved", budget) for t in trials}
    assert plan(trials, done, budget).to_run == []


@given(done_ones, budgets, st.integers(1, 15))
def test_packs_partition_the_work_and_know_what_is_committed(
    done: dict[str, Standing], budget: int, size: int
) -> None:
    work = plan(TRIALS, done, budget)
    cut = packs(work, size)
    assert [t for pack in cut for t in pack.trials] == work.to_run
    assert [pack.number for pack in cut] == list(range(1, len(cut) + 1))
    assert all(1 <= len(pack.trials) <= size for pack in cut)
    for pack in cut:
        assert pack.committed == {
            t.trial_id: done[t.trial_id] for t in pack.trials if t.trial_id in done
        }


@given(st.permutations(TRIALS))
def test_the_dearest_come_first_and_equals_keep_their_order(trials: list[Trial]) -> None:
    ordered = plan(trials, {}, 10).to_run
    costs = [cost(t) for t in ordered]
    assert costs == sorted(costs, reverse=True)
    for length in (10, 20, 30):
        of_one = [t for t in trials if t.task.length == length]
        assert [t for t in ordered if t.task.length == length] == of_one


@given(st.permutations(TRIALS[:4]))
def test_a_packs_name_does_not_depend_on_the_order_of_its_trials(
    trials: list[Trial],
) -> None:
    assert (
        Pack(1, tuple(trials), 10, {}).pack_id == Pack(2, tuple(TRIALS[:4]), 10, {}).pack_id
    )
    assert Pack(1, tuple(trials), 20, {}).pack_id != Pack(1, tuple(trials), 10, {}).pack_id


@given(st.permutations(TRIALS), done_ones)
def test_a_raised_budget_continues_only_unsolved_trials(
    trials: list[Trial], done: dict[str, Standing]
) -> None:
    everything = {t.trial_id: Standing("unsolved", 30) for t in trials} | done
    unsolved = [t for t in trials if everything[t.trial_id].outcome == "unsolved"]
    again = {t.trial_id for t in plan(trials, everything, 40).to_run}
    assert again == {t.trial_id for t in unsolved}


@given(standings, budgets, budgets)
def test_what_is_done_at_a_budget_is_done_at_every_smaller_one(
    standing: Standing, one: int, other: int
) -> None:
    if standing.done(max(one, other)):
        assert standing.done(min(one, other))


@given(standings, budgets)
def test_an_ending_beyond_the_budget_has_not_come(standing: Standing, budget: int) -> None:
    expected = standing.outcome if standing.updates <= budget else "unsolved"
    assert standing.outcome_at(budget) == expected


def test_planning_leaves_what_it_is_given_alone() -> None:
    trials, done = list(TRIALS), {TRIALS[0].trial_id: Standing("solved", 10)}
    work = plan(trials, done, 10)
    packs(work, 2)
    assert trials == TRIALS
    assert work.trials == TRIALS
    assert list(done) == [TRIALS[0].trial_id]


@pytest.mark.parametrize("size", [0, -1])
def test_a_pack_of_no_trials_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="at least 1 trial"):
        packs(plan(TRIALS, {}, 10), size)


@given(done_ones, budgets, st.floats(1e-4, 1e3), st.integers(1, 4))
def test_packs_by_time_partition_the_work_and_none_is_long_for_nothing(
    done: dict[str, Standing], budget: int, total_s: float, workers: int
) -> None:
    work = plan(TRIALS, done, budget)
    per_cost = total_s / sum(cost(t) * budget for t in TRIALS)
    cut = packs_by_time(work, lambda t: per_cost * cost(t), workers)
    assert [t for pack in cut for t in pack.trials] == work.to_run
    assert [pack.number for pack in cut] == list(range(1, len(cut) + 1))
    assert all(pack.trials for pack in cut)
    for pack in cut:
        lasts = [per_cost * cost(t) * left(work, t) for t in pack.trials]
        assert len(lasts) == 1 or sum(lasts) <= LONGEST_PACK_S + max(lasts) / 2 + 1e-6
    short = [sum(per_cost * cost(t) * left(work, t) for t in p.trials) for p in cut[:-1]]
    assert all(lasts >= SHORTEST_PACK_S / 2 - 1e-6 for lasts in short)


def left(work: Plan, each: Trial) -> int:
    standing = work.standings.get(each.trial_id)
    return work.budget - (standing.updates if standing else 0)


@given(st.sampled_from([10, 40]), done_ones)
def test_what_has_most_left_to_do_comes_first(
    budget: int, done: dict[str, Standing]
) -> None:
    work = plan(TRIALS, done, budget)
    ahead = [cost(each) * left(work, each) for each in work.to_run]
    assert ahead == sorted(ahead, reverse=True)
