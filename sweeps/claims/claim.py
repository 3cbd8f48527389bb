"""What the paper claims, typed.

A claim stands beside the experiment that tests it, as an item of `claims` in its file; those
that no experiment tests yet stand in `sweeps/claims/untested_claims.py`. A verdict is a function of the
sweep's table (`sweeps.claims.judges`): without a table there is none. `sweeps.report.claims_page` writes
the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    Judge = Callable[[pd.DataFrame], "Finding"]

Verdict = Literal["reproduced", "partly", "not", "not run yet"]


@dataclass(frozen=True)
class Finding:
    """What a table says of a claim."""

    ours: str
    """Our value, with n and its interval."""
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something that the paper says, and how one would see it."""

    number: str
    """Its place on the page: a number and, where it has parts, a letter, as in "3b"."""
    source: str
    """Where the paper says it."""
    says: str
    """What, in a sentence."""
    paper: str
    """The paper's own value."""
    judge: "Judge | None" = None
    """From the rows of the trials that test it, at least one, to what they say."""
    where: str | None = None
    """The trials that test it, as a `--where` expression; None means all of the sweep."""
    remark: str = ""
    """Where we differ: why, if that is known, and what was tried."""
