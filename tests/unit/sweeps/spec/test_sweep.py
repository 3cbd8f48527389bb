"""A sweep refuses what cannot be meant, and says which trial or value it is."""

from dataclasses import dataclass
from typing import Any

import pytest
from small import trial

from rnnlab import TemporalOrder, Trial
from sweeps.spec.sweep import Sweep

GIVEN: dict[str, Any] = {
    "name": "s",
    "trials": [trial()],
    "budget": 100,
    "quick_budget": 10,
}


def made(**fields: Any) -> Sweep:
    """Make a sweep that differs in these fields."""
    return Sweep(**(GIVEN | fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trials": []}, "has no trials"),
        ({"trials": (trial(s) for s in range(2))}, "in square brackets"),
        ({"budget": 4e2}, "Write 5_000_000 rather than 5e6"),
        ({"budget": True}, "must be a whole number of updates"),
        ({"budget": 15}, "budget is 15 updates, but checks come every 10"),
        ({"budget": -10}, "positive multiple of 10"),
        ({"quick_budget": 0}, "positive multiple of 10"),
        ({"quick_budget": 5}, "such as 10"),
        ({"trials": [trial(0), Trial(check_every=15)]}, "positive multiple of 30"),
        ({"quick_where": "sed == 1"}, "its quick_where: No column is called 'sed'"),
        ({"quick_where": "seed =="}, "its quick_where: --where 'seed ==' cannot be read"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        made(**fields)


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".", "a b", "-", "_-", "a\n", "ä", "a.b", "/", "~", "a\0"]
)
def test_a_name_that_cannot_name_a_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits, _ and -"):
        made(name=name)


@pytest.mark.parametrize("name", ["figure7", "a-b_c", "7", "-x"])
def test_a_plain_name_is_taken(name: str) -> None:
    assert made(name=name).name == name


def test_repeated_trials_are_counted_and_the_first_is_named() -> None:
    trials = [trial(seed) for seed in (0, 1, 2, 1, 2, 2)]
    named = f"Sweep 's' repeats 3 trials, first {trial(1).trial_id[:12]}\\. Drop the loop"
    with pytest.raises(ValueError, match=named):
        made(trials=trials)


def test_trials_that_differ_only_in_how_a_number_is_written_are_the_same() -> None:
    with pytest.raises(ValueError, match="repeats 1 trials"):
        made(trials=[trial(lr=1), trial(lr=1.0)])


def test_a_budget_suits_all_checks() -> None:
    trials = [Trial(check_every=4), Trial(check_every=6)]
    sweep = made(trials=trials, budget=24, quick_budget=12)
    with pytest.raises(ValueError, match="positive multiple of 12"):
        sweep.require_budget(18)


@dataclass(frozen=True, kw_only=True)
class Mine(TemporalOrder):
    """A task that only this file knows."""


def test_a_task_of_the_users_own_is_taken() -> None:
    """The file that defines it travels with the work."""
    sweep = made(trials=[Trial(task=Mine(), check_every=10)])
    assert sweep.type.columns.of_trial(sweep.trials[0])["task.kind"] == "Mine"


def test_a_sweep_may_have_no_quick_preset() -> None:
    assert made(quick_budget=None).quick_budget is None
