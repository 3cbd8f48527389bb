"""Types for the paper's claims.

A claim is defined in the file of the experiment that tests it, as an item of `claims`; claims
that no experiment tests yet are in `sweeps/claims/untested_claims.py`. A verdict is a function
of the sweep's table (`sweeps.claims.judges`): no table, no verdict. `sweeps.report.claims_page`
writes the page.
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
    """The result of judging a claim on a table."""

    ours: str
    """Our value, with n and its interval."""
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper, and how to test it."""

    number: str
    """Position on the page: a number and, for a claim with parts, a letter, as in "3b"."""
    source: str
    """Section, figure or table of the paper."""
    says: str
    """The claim, in a sentence."""
    paper: str
    """The paper's own value."""
    judge: "Judge | None" = None
    """Function from the rows of the trials that test it, at least one, to a finding."""
    where: str | None = None
    """The trials that test it, as a `--where` expression; None means all of the sweep."""
    remark: str = ""
    """If our result differs: the reason, if known, and what was tried."""
