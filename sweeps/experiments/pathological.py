"""Does MSGD-CR solve all the pathological problems, with one model for lengths 50 to 200?

Pascanu, Mikolov & Bengio (ICML 2013), Section 4.1.2 to 4.1.5: five seeds of each; for the
memorisation problems a model for each length.

Settings are those of the arXiv appendix where it has some. Its rate for the orders and the
permutation, .001, goes with its threshold of 6: with .01 and 6 basic tanh solved neither order
within 190,000 updates or more. Memorisation, of which it says nothing, has the defaults of the
authors' code: with .001 and 6 five bits over 100 blanks stayed at 95 % wrong where these solved
them. Steps whose gradient overflows are repaired as in that code.
"""

from typing import TYPE_CHECKING, Any

from rnnlab import (
    Addition,
    Memorisation,
    Multiplication,
    RandomPermutation,
    Task,
    TemporalOrder,
    ThreeBitOrder,
    Trial,
)
from sweeps.claims.claim import Claim
from sweeps.claims.judges import all_solved, solved_like
from sweeps.spec.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ANY: dict[str, int] = {"length": 50, "length_max": 200}
PROBLEMS: dict[str, tuple[list[Task], dict[str, Any]]] = {
    "temporal order": (
        [TemporalOrder(**ANY)],
        {"lr": 1e-3, "clip_norm": 6.0, "omega_weight": 2.0},
    ),
    "3-bit temporal order": (
        [ThreeBitOrder(**ANY)],
        {"hidden": 100, "lr": 1e-3, "clip_norm": 6.0, "omega_weight": 2.0},
    ),
    "addition": ([Addition(**ANY)], {"clip_norm": 6.0, "omega_weight": 0.5}),
    "multiplication": ([Multiplication(**ANY)], {"clip_norm": 6.0, "omega_weight": 0.5}),
    "random permutation": (
        [RandomPermutation(**ANY)],
        {"hidden": 100, "lr": 1e-3, "clip_norm": 6.0, "omega_weight": 1.0},
    ),
    "memorisation, 5 bits": (
        [Memorisation(length=length) for length in (50, 100, 150, 200)],
        {"batch": 32, "clip_norm": 1.0, "omega_weight": 2.0},
    ),
    "memorisation, 20 bits": (
        [
            Memorisation(length=length, values=5, positions=10)
            for length in (50, 100, 150, 200)
        ],
        {"hidden": 100, "clip_norm": 1.0, "omega_weight": 2.0},
    ),
}
TRIALS: dict[str, list[Trial]] = {
    name: [
        Trial(task=task, init="basic_tanh", repair_nonfinite=True, seed=seed, **settings)
        for seed in range(5)
        for task in tasks
    ]
    for name, (tasks, settings) in PROBLEMS.items()
}

sweep = Sweep(
    name="pathological",
    budget=5_000_000,
    quick_budget=40_000,
    quick_where="seed < 2",
    trials=[trial for of_one in TRIALS.values() for trial in of_one],
)


PAPER = {
    "temporal order": "5 of 5",
    "random permutation": "2 of 5",
    **dict.fromkeys(
        (
            "3-bit temporal order",
            "addition",
            "multiplication",
            "memorisation, 5 bits",
            "memorisation, 20 bits",
        ),
        "100 %",
    ),
}
"""Success of MSGD-CR (ICML 2013, Sections 4.1.1 to 4.1.5)."""

KIND = {
    "3-bit temporal order": "task.kind == 'ThreeBitOrder'",
    "addition": "task.kind == 'Addition'",
    "multiplication": "task.kind == 'Multiplication'",
    "random permutation": "task.kind == 'RandomPermutation'",
    "memorisation, 5 bits": "task.kind == 'Memorisation' and positions == 5",
    "memorisation, 20 bits": "task.kind == 'Memorisation' and positions == 10",
}

REMARKS = {
    "3-bit temporal order": "Four of five were at chance after 1,000,000 updates, with a "
    "loss of ln 8. The paper's rate and threshold for it are not known; ours are those of "
    "temporal order. Tried by hand: smart tanh with the code's .01 and 1 was solved at 166,000 "
    "(docs/log.md).",
    "addition": "Two of five were at chance after 1,000,000 updates; the others left it "
    "between 350,000 and 650,000. The paper went to 5,000,000.",
    "multiplication": "The four others had left chance by 1,000,000 updates and were at 13 to "
    "47 % wrong at their last check, up and down from check to check.",
}
"""Why a claim is met in part only, as far as it is known, and what was tried."""

claims = tuple(
    Claim(
        number=f"3{letter}",
        source="Sections 4.1.2 to 4.1.5",
        says=f"MSGD-CR solves {name}"
        + ("" if "memorisation" in name else ", one model for lengths of 50 to 200"),
        paper="2 of 5 (1 of 8 in the arXiv appendix)"
        if name == "random permutation"
        else PAPER[name],
        judge=solved_like(2, 5) if name == "random permutation" else all_solved,
        where=where,
        remark=REMARKS.get(name, ""),
    )
    for letter, (name, where) in zip("abcdef", KIND.items(), strict=True)
)
"""Temporal order is a claim of its own, which `any_length` tests."""


def compare(results: "pd.DataFrame") -> str:
    """Write the paper's success rates beside ours."""
    from sweeps.claims.comparison import comparison

    return comparison(
        results, {n: (PAPER[n], settings(of[0]), of) for n, of in TRIALS.items()}
    )


def settings(trial: Trial) -> str:
    """Write what of a trial one asks for first.

    Example:
        >>> settings(Trial(omega_weight=2, clip_norm=6, hidden=100))
        'smart_tanh, 100 units, lr 0.01, α 2, threshold 6, batch 20'
    """
    threshold = "none" if trial.clip_norm is None else f"{trial.clip_norm:g}"
    return (
        f"{trial.init}, {trial.hidden} units, lr {trial.lr:g}, α {trial.omega_weight:g}, "
        f"threshold {threshold}, batch {trial.batch}"
    )


def draw(results: "pd.DataFrame", history: "pd.DataFrame") -> "Figure":
    """Draw success by problem, and the error of every trial against updates."""
    from sweeps.figures import problems

    return problems(results, history, TRIALS)
