"""Does a model trained on lengths of 50 to 200 solve sequences of any length?

Pascanu, Mikolov & Bengio (ICML 2013), Section 4.1: one model a task and seed, MSGD-CR, a
length a batch; when no sequence of 10,000 is wrong it is tested on fresh ones, up to 25
times as long as any it has seen.

The paper gives no settings for these models but basic tanh and 50 units; ours are those of the
arXiv appendix for each problem. Smart tanh is trained beside basic tanh. Steps whose gradient
overflows are repaired as in the authors' code: without it one of the first four trials diverged.
"""

from typing import TYPE_CHECKING, Any

from rnnlab import Addition, Initialiser, Multiplication, Task, TemporalOrder, Trial
from sweeps.claims.claim import Claim
from sweeps.claims.judges import all_solved, right_at
from sweeps.spec.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LENGTHS = (50, 100, 150, 200, 250, 500, 1000, 2000, 3000, 5000)
UP_TO_500 = LENGTHS[:6]
ORDER: dict[str, Any] = {
    "lr": 1e-3,
    "clip_norm": 6.0,
    "omega_weight": 2.0,
    "test_lengths": LENGTHS,
}
NUMBERS: dict[str, Any] = {
    "clip_norm": 6.0,
    "omega_weight": 0.5,
    "test_lengths": UP_TO_500,
}
PROBLEMS: list[tuple[Task, dict[str, Any]]] = [
    (TemporalOrder(length=50, length_max=200), ORDER),
    (Addition(length=50, length_max=200), NUMBERS),
    (Multiplication(length=50, length_max=200), NUMBERS),
]

INITIALISERS: tuple[Initialiser, ...] = ("basic_tanh", "smart_tanh")

sweep = Sweep(
    name="any_length",
    budget=5_000_000,
    quick_budget=100_000,
    quick_where="seed == 0 and init == 'smart_tanh'",
    trials=[
        Trial(
            task=task,
            init=init,
            repair_nonfinite=True,
            stop="zero_errors",
            seed=seed,
            **settings,
        )
        for seed in range(5)
        for init in INITIALISERS
        for task, settings in PROBLEMS
    ],
)

BASIC = "init == 'basic_tanh' and task.kind == "

claims = (
    Claim(
        number="2a",
        source="Section 4.1.1",
        says="one MSGD-CR model solves temporal order on lengths of 50 to 200: a check of 10,000 "
        "sequences of such lengths has no error",
        paper="5 of 5",
        judge=all_solved,
        where=f"{BASIC}'TemporalOrder'",
    ),
    Claim(
        number="2b",
        source="Section 4.1.1",
        says="that model makes no error on sequences of up to 5,000 steps",
        paper="0 of 10,000 wrong at each of ten lengths",
        judge=right_at(5000, wrong_below=1),
        remark="The memory of a model still fades at the first check without an error: beyond "
        "the lengths trained on it is lost sooner or later. Tried: both initialisations; the "
        "code's rate and threshold (.01 and 1) and the appendix's (.001 and 6); and training on, "
        "which helps: one model had 4,046 of 10,000 wrong at 5,000 steps at its first check "
        "without an error, at 336,000 updates, and 1,040 at 912,000 (docs/log.md).",
        where=f"{BASIC}'TemporalOrder'",
    ),
    Claim(
        number="2c",
        source="Section 4.1.1",
        says="nor does it on fresh sequences of 50, 100, 150 and 200 steps",
        paper="0 of 10,000 wrong at each",
        judge=right_at(200, wrong_below=1),
        where=f"{BASIC}'TemporalOrder'",
        remark="The check that ends the training is the first without an error, and draws 42 "
        "lengths: a fresh test finds some errors at the ends of the range. Smart tanh, which the "
        "paper did not try here, had none in all five models.",
    ),
    *(
        Claim(
            number=number,
            source="Section 4.1.3",
            says=f"a model of {what} trained on 50 to 200 steps is right on up to 500",
            paper="under 1 % wrong",
            judge=right_at(500, wrong_below=100),
            where=f"{BASIC}{kind!r}",
            remark=remark,
        )
        for number, what, kind, remark in (
            (
                "3g",
                "addition",
                "Addition",
                "A model is tested at its first check without an error, which one of five had "
                "by 1,000,000 updates. It is right on up to 250 steps (14 of 10,000 wrong).",
            ),
            (
                "3h",
                "multiplication",
                "Multiplication",
                "By 1,000,000 updates no model had a check without an error, where it would be "
                "tested; one had a check under 1 %, at 376,000, and was at 21 % in the end.",
            ),
        )
    ),
)


def draw(results: "pd.DataFrame") -> "Figure":
    """Draw the share of wrong sequences against their length, a line a seed."""
    from sweeps.figures import error_against_length

    return error_against_length(results, sweep.trials, INITIALISERS)
