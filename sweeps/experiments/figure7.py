"""Does clipping, and clipping with Ω, let SGD solve temporal order at growing lengths?

Figure 7 of Pascanu, Mikolov & Bengio (ICML 2013), Section 4.1.1.
"""

from typing import TYPE_CHECKING, Any

from rnnlab import TemporalOrder, Trial
from sweeps.claims.claim import Claim
from sweeps.claims.judges import better, falls, gains_more
from sweeps.spec.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.figure import Figure

VARIANTS: dict[str, dict[str, Any]] = {
    "MSGD": {"clip_norm": None, "omega_weight": 0.0},
    "MSGD-C": {"clip_norm": 1.0, "omega_weight": 0.0},
    "MSGD-CR": {"clip_norm": 1.0, "omega_weight": 4.0},
}
INITIALISERS = ("sigmoid", "basic_tanh", "smart_tanh")
LENGTHS = (50, 100, 150, 200)

sweep = Sweep(
    name="figure7",
    budget=5_000_000,
    quick_budget=20_000,
    trials=[
        Trial(task=TemporalOrder(length=length), init=init, seed=seed, **variant)
        for seed in range(5)
        for length in LENGTHS
        for init in INITIALISERS
        for variant in VARIANTS.values()
    ],
)

PANELS = {init.replace("_", " "): {"init": init} for init in INITIALISERS}
CURVES = "curves alone, no numbers"

claims = (
    Claim(
        number="1a",
        source="Section 4.1.1, Figure 7",
        says="the success rate falls with length, for MSGD more than for MSGD-C, least for "
        "MSGD-CR",
        paper=CURVES,
        judge=falls("task.length", VARIANTS, (LENGTHS[0], LENGTHS[-1])),
        remark="By 300,000 updates MSGD solves nothing at any length, so it has no rate that "
        "could fall. MSGD-C falls, and MSGD-CR does not for either tanh.",
    ),
    Claim(
        number="1b",
        source="Section 4.1.1, Figure 7",
        says="MSGD-C is solved more often than MSGD",
        paper=CURVES,
        judge=better(VARIANTS["MSGD"], VARIANTS["MSGD-C"], PANELS),
        remark="Sigmoid units need a spectral radius of about 4, since their slope is at most "
        "¼; without Ω they had 1.1 after 300,000 updates, from .07, and are at chance.",
    ),
    Claim(
        number="1c",
        source="Section 4.1.1, Figure 7",
        says="MSGD-CR is solved more often than MSGD-C",
        paper=CURVES,
        judge=better(VARIANTS["MSGD-C"], VARIANTS["MSGD-CR"], PANELS),
        remark="With sigmoid units Ω brings W_rec to a spectral radius of 4 to 7 in 2,000 "
        "updates. Nine of 20 then learn slowly, one of them to the end by 300,000 updates; "
        "eleven are thrown to a radius of 10 and more, saturate, and were at chance.",
    ),
    Claim(
        number="1d",
        source="Section 4.1.1",
        says="clipping matters more the longer the sequence",
        paper=CURVES,
        judge=gains_more(
            "task.length",
            (LENGTHS[:2], LENGTHS[2:]),
            VARIANTS["MSGD"],
            VARIANTS["MSGD-C"],
        ),
        remark="Clipping cannot gain where it solves nothing itself: by 300,000 updates "
        "MSGD-C solved 2 of 30 at 150 and 200 steps, and MSGD none at any length.",
    ),
)


def draw(results: "pd.DataFrame") -> "Figure":
    """Draw success rate against length: a panel an initialisation, a line a variant."""
    return panels(results, sweep.trials, INITIALISERS)


def panels(
    results: "pd.DataFrame", trials: "Sequence[Trial]", initialisers: "Sequence[str]"
) -> "Figure":
    """Draw these trials as Figure 7 draws its own."""
    from sweeps.figures import success_panels

    return success_panels(
        results,
        trials,
        panel="init",
        panels=initialisers,
        x="task.length",
        x_label="sequence length T (steps)",
        lines=VARIANTS,
    )
