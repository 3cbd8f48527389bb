"""The page of claims: every claim of the paper, judged by the tables of a results folder."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.claims.claim import Claim, Finding
from sweeps.errors import SweepError
from sweeps.spec.experiment_file import Experiment, load_experiment, names
from sweeps.spec.where import select
from sweeps.storage.address import place
from sweeps.storage.place import Place, joined
from sweeps.store.columns import Columns
from sweeps.store.parts import sha256
from sweeps.store.trial_id import id_of
from sweeps.terminal import sweep_command

if TYPE_CHECKING:
    import pandas as pd

PAGE = "claims.md"
HASH_DIGITS = 12
HEAD = (
    "| | paper's claim | paper's value | ours | verdict | command (also resumes) | table |",
    "| --- | --- | --- | --- | --- | --- | --- |",
)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, judged."""

    claim: Claim
    finding: Finding
    command: str
    """Trains the trials that the verdict depends on; empty if no experiment tests the claim."""
    table: str
    """SHA-256 of the table that the verdict depends on; empty without one."""
    so_far: bool = False
    """Whether trials are missing, or unsolved at less than the sweep's budget."""


def write_claims(results: str) -> tuple[str, list[JudgedClaim]]:
    """Judge every claim by the tables in a results folder, and write the page there.

    Args:
        results: Folder with one subfolder per sweep, or s3://BUCKET/PREFIX.

    Returns:
        The address of the page, and its rows.

    Raises:
        SweepError: If a claim is invalid, there are no results, or the page cannot be
            written.
    """
    root = place(results)
    if not root.folders() and not root.names():
        raise SweepError(
            f"There are no results in {root.address}. Train first: "
            f"{sweep_command('run', 'figure7')}; or choose another folder with --results DIR."
        )
    rows = judged(root)
    try:
        root.replace(PAGE, page(rows).encode())
    except OSError as error:
        raise SweepError(
            f"The claims cannot be written to {root.address} ({error.strerror or error}). "
            "Free space or fix its permissions, or choose another with --results DIR."
        ) from None
    return joined(root, PAGE), rows


def judged(root: Place) -> list[JudgedClaim]:
    """Judge every claim of the paper by the tables in a results folder, in their order."""
    from sweeps.claims.untested_claims import UNCLAIMED

    rows = [
        JudgedClaim(each, Finding("", "not run yet"), "", "", True) for each in UNCLAIMED
    ]
    for name in names():
        rows += _judged_by(load_experiment(name), root)
    return sorted(rows, key=lambda row: _order(row.claim.number))


def page(rows: Iterable[JudgedClaim]) -> str:
    """Return the claims as Markdown: a table, then remarks on the differences."""
    rows = list(rows)
    counts = ", ".join(
        f"{sum(row.finding.verdict == verdict for row in rows)} {verdict}"
        for verdict in ("reproduced", "partly", "not", "not run yet")
    )
    so_far = sum(row.so_far and row.finding.verdict != "not run yet" for row in rows)
    remarks = [
        f"- **{row.claim.number}** {row.claim.remark}"
        for row in rows
        if row.claim.remark and row.finding.verdict in ("partly", "not")
    ]
    head = (
        ["", "## Where we differ: why, and what was tried", "", *remarks] if remarks else []
    )
    lines = [
        "# The paper's claims, and what we found",
        "",
        "R. Pascanu, T. Mikolov & Y. Bengio, *On the difficulty of training recurrent neural",
        "networks*, ICML 2013. Written by `sweep claims` from the tables beside it; do not edit.",
        "Intervals are Wilson's, of differences Newcombe's, at 95 %. A verdict is *so far* where",
        "trials were not run yet, or are unsolved at less than the 5,000,000 updates of the paper.",
        "",
        f"{len(rows)} rows: {counts}; {so_far} of these verdicts are so far.",
        "",
        *HEAD,
        *(_line(row) for row in rows),
        *head,
    ]
    return "\n".join(lines) + "\n"


def facts(rows: Iterable[JudgedClaim]) -> list[dict[str, str | bool]]:
    """Return the rows as JSON values."""
    return [
        {
            "number": row.claim.number,
            "source": row.claim.source,
            "claim": row.claim.says,
            "paper": row.claim.paper,
            "ours": row.finding.ours,
            "verdict": row.finding.verdict,
            "so_far": row.so_far,
            "remark": row.claim.remark,
            "command": row.command,
            "table_sha256": row.table,
        }
        for row in rows
    ]


def lines(address: str, rows: Iterable[JudgedClaim]) -> list[str]:
    """Return one line per verdict, and the address of the page."""
    found = [
        f"{row.claim.number:<3} {_verdict(row).replace('*', ''):<18} {row.claim.says}"
        for row in rows
    ]
    return [*found, address]


def _judged_by(experiment: Experiment, root: Place) -> list[JudgedClaim]:
    """Judge the claims of an experiment by its table."""
    if not experiment.claims:
        return []
    table, digest = _table(root / experiment.sweep.name, experiment.sweep.type.columns)
    rows: list[JudgedClaim] = []
    for claim in experiment.claims:
        planned = select(experiment.sweep.trials, claim.where)
        ids = [id_of(trial) for trial in planned]
        here = None if table is None else table[table["trial_id"].isin(ids)]
        if claim.judge is None or here is None or here.empty:
            rows.append(
                JudgedClaim(
                    claim, Finding("", "not run yet"), _command(experiment, claim), "", True
                )
            )
            continue
        missing = len(planned) - len(here)
        finding = _with_missing(claim.judge(here), missing)
        every = max(trial.check_every for trial in planned)
        budget = -(-int(here["updates"].max()) // every) * every
        command = _command(experiment, claim, budget)
        unsolved = here["outcome"] == "unsolved"
        cut_short = bool((unsolved & (here["updates"] < experiment.sweep.budget)).any())
        rows.append(JudgedClaim(claim, finding, command, digest, missing > 0 or cut_short))
    return rows


def _with_missing(finding: Finding, missing: int) -> Finding:
    """Withdraw a verdict that trials without a result might change."""
    if not missing:
        return finding
    verdict = "partly" if finding.verdict == "reproduced" else finding.verdict
    trials = "trial" if missing == 1 else "trials"
    return Finding(f"{finding.ours}; {missing} {trials} not run yet", verdict)


def _table(folder: Place, columns: Columns) -> "tuple[pd.DataFrame | None, str]":
    """Return a sweep's table and its SHA-256."""
    from sweeps.store.store import open_store

    store = open_store(folder, columns)
    if not store.parts.names():
        return None, ""
    table = store.read()  # the derived one may be older than the parts
    return table.to_pandas(), sha256(store.results.serialised(table))


def _command(experiment: Experiment, claim: Claim, budget: int | None = None) -> str:
    argv = ["run", experiment.reference]
    argv += ["--where", claim.where] if claim.where else []
    argv += (
        ["--budget", str(budget)] if budget not in (None, experiment.sweep.budget) else []
    )
    return sweep_command(*argv)


def _line(row: JudgedClaim) -> str:
    claim, finding = row.claim, row.finding
    cells = (
        claim.number,
        f"{claim.says} ({claim.source})",
        claim.paper,
        finding.ours,
        _verdict(row),
        f"`{row.command}`" if row.command else "no experiment yet",
        f"`{row.table[:HASH_DIGITS]}`" if row.table else "",
    )
    return f"| {' | '.join(cells)} |"


def _verdict(row: JudgedClaim) -> str:
    """Return a verdict as Markdown; "so far": more trials or updates might change it."""
    if row.finding.verdict == "not run yet":
        return row.finding.verdict
    return f"**{row.finding.verdict}**{' so far' * row.so_far}"


def _order(number: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d+)([a-z]?)", number)
    if found is None:
        raise SweepError(f"A claim's number is like 3 or 3b, not {number!r}.")
    return int(found[1]), found[2]
