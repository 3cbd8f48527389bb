"""Laws of planning: a set difference, cut into packs."""

from hypothesis import given
from hypothesis import strategies as st
from small import trial

from rnnlab import Trial
from sweeps.plan import Pack, Standing, cost, packs, plan

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
