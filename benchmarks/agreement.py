"""Compare our success rates with a second implementation's: are they equal up to chance?

python benchmarks/independent.py --folder build/independent
python benchmarks/agreement.py figure7_more_seeds build/independent/independent.json
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from scipy.stats import CensoredData, logrank

import sweeps
from sweeps.experiments.figure7 import VARIANTS
from sweeps.statistics import newcombe

Times = Sequence[int | None]
"""Updates at which trials were solved; None if not within the budget."""

HEAD = (
    "| temporal order | ours | theirs | difference, points | log-rank p |",
    "| --- | --- | --- | --- | --- |",
)


def ours(table: pd.DataFrame, cell: str, length: int, budget: int) -> Times:
    """Return when our trials of a cell, such as "smart_tanh/MSGD-CR", were solved."""
    init, variant = cell.split("/")
    here = table[(table["init"] == init) & (table["task.length"] == length)]
    for column, value in VARIANTS[variant].items():
        here = here[here[column].isna() if value is None else here[column] == value]
    short = here[(here["outcome"] == "unsolved") & (here["updates"] < budget)]
    if here.empty or len(short):
        raise SystemExit(f"{cell} at T = {length} is not trained to {budget:,} updates")
    outcomes = zip(here["outcome"] == "solved", here["updates"], strict=True)
    return [int(at) if solved and at <= budget else None for solved, at in outcomes]


def line(name: str, one: Times, other: Times, budget: int) -> str:
    """Return a table row that compares two groups: trials solved within the budget, and when."""
    k, m = (sum(at is not None for at in times) for times in (one, other))
    low, high = newcombe(k, len(one), m, len(other))
    p = f"{_logrank(one, other, budget):.2f}" if k + m else ""
    interval = f"{100 * low:+.0f} to {100 * high:+.0f}"
    return f"| {name} | {k} of {len(one)} | {m} of {len(other)} | {interval} | {p} |"


def _logrank(one: Times, other: Times, budget: int) -> float:
    first, second = (
        CensoredData.right_censored(
            [at or budget for at in times], [at is None for at in times]
        )
        for times in (one, other)
    )
    return float(logrank(first, second).pvalue)


def main() -> None:
    """Print the comparison as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep")
    parser.add_argument("independent", type=Path)
    parser.add_argument("--results", default="results")
    args = parser.parse_args()
    table = sweeps.load(args.sweep, results=args.results)
    print("\n".join(HEAD))
    for cell, found in json.loads(args.independent.read_text()).items():
        length, budget = found["length"], found["budget"]
        mine = ours(table, cell, length, budget)
        name = f"{cell.replace('_', ' ').replace('/', ', ')}, T = {length}"
        print(line(f"{name}, {budget:,} updates", mine, found["solved_at"], budget))


if __name__ == "__main__":
    main()
