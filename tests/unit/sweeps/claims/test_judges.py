"""A verdict follows from the rows: it can be each of them, and says n and an interval."""

import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from sweeps.claims.claim import Finding
from sweeps.claims.judges import (
    alike,
    all_solved,
    better,
    falls,
    gains_more,
    right_at,
    solved_at_each,
    solved_like,
    speeds_differ,
)

if TYPE_CHECKING:
    from sweeps.claims.claim import Judge

ONE: dict[str, Any] = {"variant": "one"}
OTHER: dict[str, Any] = {"variant": "other"}


def rows(solved: int, n: int, updates: int = 1000, **columns: Any) -> list[dict[str, Any]]:
    """Give n trials of which so many are solved, all stopped at so many updates."""
    return [
        {"outcome": "solved" if k < solved else "unsolved", "updates": updates, **columns}
        for k in range(n)
    ]


def judged(judge: "Judge", *groups: list[dict[str, Any]]) -> Finding:
    return judge(pd.DataFrame([row for group in groups for row in group]))


@pytest.mark.parametrize(
    ("solved", "verdict"), [(5, "reproduced"), (4, "partly"), (0, "not")]
)
def test_every_trial_must_be_solved(solved: int, verdict: str) -> None:
    assert judged(all_solved, rows(solved, 5)).verdict == verdict


def test_a_rate_has_its_n_its_interval_and_what_unsolved_trials_had() -> None:
    found = judged(all_solved, rows(3, 3), rows(0, 2, updates=20_000))
    assert found.ours == "3 of 5 solved (23 to 88 %); 2 unsolved after 20,000 updates"


@pytest.mark.parametrize(
    ("solved", "n", "verdict"),
    [(2, 5, "reproduced"), (0, 5, "not"), (20, 20, "partly"), (9, 20, "reproduced")],
)
def test_a_rate_is_like_another_unless_chance_cannot_explain_it(
    solved: int, n: int, verdict: str
) -> None:
    assert judged(solved_like(2, 5), rows(solved, n)).verdict == verdict


def models(*errors: dict[int, int]) -> list[dict[str, Any]]:
    return [
        {
            "outcome": "solved",
            "updates": 1000,
            "test_lengths": list(each),
            "test_errors": list(each.values()),
        }
        for each in errors
    ]


def test_models_are_right_up_to_a_length() -> None:
    fine, longer, never = {50: 0, 500: 0, 900: 7}, {50: 0, 500: 99, 900: 9}, {50: 1, 500: 2}
    judge = right_at(500, wrong_below=1)
    assert judged(judge, models(fine, fine)).verdict == "reproduced"
    mixed = judged(judge, models(fine, longer, {**never, 900: 0}))
    assert mixed.verdict == "partly"
    assert "1 of 3 solved models are right (6 to 79 %)" in mixed.ours
    assert "the first length at which one fails is 50" in mixed.ours
    assert "at 500 0 % to 0.99 % are wrong" in mixed.ours
    one = judged(judge, models(longer))
    assert one.verdict == "not"
    assert one.ours.endswith("; at 500 0.99 % are wrong")
    assert judged(right_at(500, wrong_below=100), models(longer)).verdict == "reproduced"


def test_unsolved_models_count_against_it_and_none_is_no_proof() -> None:
    unsolved = [{**row, "test_errors": None, "test_lengths": [50]} for row in rows(0, 1)]
    judge = right_at(50, wrong_below=1)
    assert judged(judge, models({50: 0}), unsolved).verdict == "partly"
    assert judged(judge, unsolved) == Finding(
        "no model was solved, so none was tested", "not"
    )


PANELS = {"left": {"panel": "left"}, "right": {"panel": "right"}}


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        ((0, 20), (2, 20), "reproduced"),
        ((0, 20), (2, 3), "partly"),
        ((5, 5), (2, 3), "partly"),
        ((6, 11), (6, 11), "partly"),
        ((5, 5), (5, 5), "not"),
        ((0, 20), (20, 0), "not"),
    ],
)
def test_better_must_hold_in_every_panel(
    left: tuple[int, int], right: tuple[int, int], verdict: str
) -> None:
    groups = [
        rows(solved, 20, panel=panel, **variant)
        for panel, counts in (("left", left), ("right", right))
        for solved, variant in zip(counts, (ONE, OTHER), strict=True)
    ]
    found = judged(better(ONE, OTHER, PANELS), *groups)
    assert found.verdict == verdict
    assert f"left {left[0]} of 20 → {left[1]} of 20 (" in found.ours


def test_a_panel_without_trials_is_reported() -> None:
    found = judged(
        better(ONE, OTHER, PANELS),
        *(rows(k, 20, panel="left", **v) for k, v in ((0, ONE), (20, OTHER))),
    )
    assert found.verdict == "partly"
    assert "right not run yet" in found.ours


def fall(one: tuple[int, int], other: tuple[int, int]) -> Finding:
    groups = [
        rows(solved, 20, length=length, **variant)
        for counts, variant in ((one, ONE), (other, OTHER))
        for solved, length in zip(counts, (50, 200), strict=True)
    ]
    lines = {"one": ONE, "other": OTHER}
    return judged(falls("length", lines, (50, 200)), *groups)


def test_rates_fall_and_the_first_falls_most() -> None:
    assert fall((20, 0), (20, 15)).verdict == "reproduced"
    assert fall((20, 0), (20, 20)).verdict == "reproduced"
    assert fall((20, 5), (20, 5)).verdict == "partly"
    assert fall((20, 10), (20, 0)).verdict == "partly"
    assert fall((0, 0), (20, 10)).verdict == "partly"
    assert fall((0, 0), (10, 10)).verdict == "not"
    assert fall((0, 20), (20, 0)).verdict == "not"


def test_a_fall_is_reported_as_a_change() -> None:
    numbers = re.findall(r"\(([+-]\d+) to ([+-]\d+) points\)", fall((20, 0), (20, 10)).ours)
    assert numbers[0] == ("-100", "-77")
    assert all(int(low) < int(high) < 0 for low, high in numbers)


@pytest.mark.parametrize(
    ("short", "long", "verdict"),
    [
        ((20, 20), (0, 20), "reproduced"),
        ((10, 15), (5, 12), "partly"),
        ((0, 20), (0, 0), "not"),
    ],
)
def test_a_gain_is_larger_in_the_second_half(
    short: tuple[int, int], long: tuple[int, int], verdict: str
) -> None:
    groups = [
        rows(solved, 20, length=length, **variant)
        for length, counts in ((50, short), (200, long))
        for solved, variant in zip(counts, (ONE, OTHER), strict=True)
    ]
    judge = gains_more("length", ((50, 100), (150, 200)), ONE, OTHER)
    assert judged(judge, *groups).verdict == verdict


@pytest.mark.parametrize(
    ("at_one", "at_ten", "verdict"),
    [(5, 5, "reproduced"), (5, 1, "partly"), (5, 0, "not")],
)
def test_every_value_must_converge(at_one: int, at_ten: int, verdict: str) -> None:
    groups = rows(at_one, 5, multiple=1.0), rows(at_ten, 5, multiple=10.0)
    found = judged(solved_at_each("multiple"), *groups)
    assert found.verdict == verdict
    assert found.ours.startswith(f"1: {at_one} of 5; 10: {at_ten} of 5")


def test_speeds_differ_where_chance_cannot_explain_it() -> None:
    judge = speeds_differ("multiple", 1.0, 10.0)
    slow = [
        {"outcome": "solved", "updates": 1000 * k, "multiple": 1.0} for k in range(10, 20)
    ]
    fast = [
        {"outcome": "solved", "updates": 100 * k, "multiple": 10.0} for k in range(1, 11)
    ]
    found = judged(judge, slow, fast)
    assert found.verdict == "reproduced"
    assert (
        "1: median 14,000 updates (n = 10); 10: median 500 updates (n = 10)" in found.ours
    )
    same = [{**row, "multiple": 10.0} for row in slow]
    assert judged(judge, slow, same).verdict == "partly"


def test_a_diverged_trial_is_not_fast() -> None:
    """It left early, and would be taken for one that was watched for a short time."""
    judge = speeds_differ("multiple", 1.0, 10.0)
    slow = rows(10, 10, updates=1000, multiple=1.0)
    fast = rows(10, 10, updates=900, multiple=10.0)
    lost = [{"outcome": "diverged", "updates": 1, "multiple": 10.0}] * 20
    assert judged(judge, slow, fast).verdict == "reproduced"
    found = judged(judge, slow, fast, lost)
    _, p = found.ours.split("log-rank")
    assert p not in judged(judge, slow, fast).ours
    assert "10: median never: diverged" in found.ours


@pytest.mark.parametrize(
    ("one", "other", "n", "verdict"),
    [
        (80, 78, 100, "reproduced"),
        (16, 15, 20, "partly"),
        (16, 2, 20, "not"),
        (0, 0, 100, "not run yet"),
    ],
)
def test_alike_is_what_differs_by_little_for_certain(
    one: int, other: int, n: int, verdict: str
) -> None:
    groups = rows(one, n, **ONE), rows(other, n, **OTHER)
    assert judged(alike("variant", "one", "other"), *groups).verdict == verdict


def test_one_side_alone_decides_nothing() -> None:
    only = rows(5, 5, variant="one", multiple=1.0, length=50)
    halves = ((50,), (200,))
    for judge in (
        alike("variant", "one", "other"),
        speeds_differ("multiple", 1.0, 2.0),
        gains_more("length", halves, ONE, OTHER),
        better(ONE, OTHER, {"all": {}}),
        falls("length", {"one": ONE}, (50, 200)),
    ):
        assert judged(judge, only).verdict == "not run yet"


def test_replicates_are_compared_that_both_have() -> None:
    """One variant was run where it fails too; where both were run they are equal."""
    judge = better(ONE, OTHER, {"all": {}})
    cells = [("task.length", length, seed) for length in (50, 150) for seed in range(10)]
    one = [
        {**rows(length == 50, 1, **ONE)[0], column: length, "seed": seed}
        for column, length, seed in cells
    ]
    other = [
        {**rows(1, 1, **OTHER)[0], column: length, "seed": seed}
        for column, length, seed in cells[:10]
    ]
    found = judged(judge, one, other)
    assert "10 of 10 → 10 of 10" in found.ours
    assert found.verdict == "not"


def test_what_had_more_updates_is_taken_as_it_stood_before() -> None:
    judge = better(ONE, OTHER, {"all": {}})
    one, other = rows(0, 20, 20_000, **ONE), rows(20, 20, 280_000, **OTHER)
    found = judged(judge, one, other)
    assert "0 of 20 → 0 of 20" in found.ours
    assert found.verdict == "not"
    assert judged(judge, one, rows(20, 20, 20_000, **OTHER)).verdict == "reproduced"
