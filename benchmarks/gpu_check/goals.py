"""The table of what is to be reached, and what is wrong apart from speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu_check.common import MAIN_CROWD, MAIN_LENGTH, say
from benchmarks.gpu_check.grid import GRID_UPDATES


@dataclass(frozen=True)
class Goal:
    """A line of the table of what is to be reached."""

    what: str
    at_least: float
    aim: float
    measured: float | None
    less: bool = False
    """Whether less is better."""

    @property
    def verdict(self) -> str:
        """Return in a word how far it is reached."""
        if self.measured is None:
            return "not measured"
        sign = -1 if self.less else 1
        if sign * self.measured >= sign * self.aim:
            return "aim reached"
        return "reached" if sign * self.measured >= sign * self.at_least else "MISSED"


def goals(parts: dict[str, Any]) -> list[Goal]:
    """Return the table, of the parts that have run."""
    fast = rates(parts)
    clip = fast.get(("MSGD-C", MAIN_LENGTH, MAIN_CROWD), {})
    ours = clip.get("updates_per_s")
    ratio = fast.get(("MSGD-CR", MAIN_LENGTH, MAIN_CROWD), {}).get("updates_per_s")
    rows = parts.get("contenders", {}).get("rows", [])

    def against(names: Sequence[str], variant: str | None, trials: int) -> float | None:
        theirs = [
            row["updates_per_s"]
            for row in rows
            if row["contender"] in names
            and variant in (None, row["variant"])
            and (row["T"], row["trials"]) == (MAIN_LENGTH, trials)
            and row["updates_per_s"]
        ]
        return ours / max(theirs) if ours and theirs else None

    share = clip.get("share_of_peak")
    return [
        Goal("MSGD-C, 264 trials, updates/s", 700_000, 1_000_000, ours),
        Goal("MSGD-CR, 264 trials, updates/s", 450_000, 700_000, ratio),
        Goal("× nn.RNN, one trial, as usual", 200, 400, against(["nn_rnn"], "eager", 1)),
        Goal("× nn.RNN in a CUDA graph", 200, 400, against(["nn_rnn"], "graph", 1)),
        Goal(
            "× best batched contender", 8, 15, against(["baddbmm", "jax"], None, MAIN_CROWD)
        ),
        Goal("% of the FP32 peak", 30, 45, 100 * share if share else None),
        Goal("the paper's grid, minutes", 75, 45, grid_minutes(fast), less=True),
    ]


def rates(parts: dict[str, Any]) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Return the rows of the engine's own configuration."""
    cases = parts.get("speed", {}).get("cases", {}).values()
    return {
        (row["variant"], row["T"], row["trials"]): row
        for case in cases
        if case.get("own")
        for row in case.get("rows", [])
    }


def grid_minutes(fast: dict[tuple[str, int, int], dict[str, Any]]) -> float | None:
    """Project 180 trials to their last update: the longer of two times.

    That of a full card, and that of the slowest trial on a multiprocessor of its own. Of each
    length and variant there are 15 trials; MSGD is as fast as MSGD-C. T = 150 lies between.
    """

    def seconds(variant: str, length: int, crowd: int) -> float:
        if length == 150:
            return (seconds(variant, 100, crowd) + seconds(variant, 200, crowd)) / 2
        return 1 / fast[variant, length, crowd]["updates_per_s"]

    try:
        each = [
            seconds("MSGD-C", n, MAIN_CROWD) * 30 + seconds("MSGD-CR", n, MAIN_CROWD) * 15
            for n in (50, 100, 150, 200)
        ]
        slowest = 132 * seconds("MSGD-CR", 200, 132)
    except KeyError:
        return None
    return GRID_UPDATES * max(sum(each), slowest) / 60


def show(table: Sequence[Goal]) -> None:
    """Print the table."""
    say(f"\nT = 100, hidden 50, batch 20{'at least':>20} {'aim':>10} {'measured':>12}")
    for goal in table:
        measured = "-" if goal.measured is None else f"{goal.measured:,.1f}"
        say(
            f"{goal.what:34} {goal.at_least:>13,} {goal.aim:>10,} {measured:>12}  {goal.verdict}"
        )


def failures(parts: dict[str, Any], asked: Sequence[str]) -> list[str]:
    """Return what is wrong, apart from speed."""
    found = [f"{name}: {each}" for name, part in parts.items() for each in part["errors"]]
    found += [f"{name}: not run, time was over" for name in asked if name not in parts]
    for case in parts.get("contract", {}).get("cases", {}).values():
        for row in case.get("jobs", []):
            found += [f"contract, {row['job']}: {each}" for each in row["failures"]]
    if not parts.get("success", {}).get("counts", {"passed": True})["passed"]:
        found.append(f"success: {parts['success']['counts']}")
    resumed = [
        case.get("resumes", True) for case in parts.get("run", {}).get("cases", {}).values()
    ]
    return found + ["run: a trial went on with other bits"] * (not all(resumed))
