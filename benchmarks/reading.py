"""Time reading, extending and deriving a table of a million rows.

Run it with `python benchmarks/reading.py [ROWS]`.
"""

import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rnnlab import Trial
from sweeps.plan.plan import plan
from sweeps.spec.trial_type import type_of
from sweeps.storage.folder import Folder
from sweeps.store.repair import repair
from sweeps.store.store import Store

COLUMNS = type_of(Trial).columns


def rows(count: int) -> pa.Table:
    """Return a table of made-up results of `count` trials."""
    rng = np.random.default_rng(1)
    like = COLUMNS.of_trial(Trial())
    types = {"trial_id": str, **COLUMNS.trial_types(), **(COLUMNS.result or {})}
    columns: dict[str, Any] = {}
    for name, kind in types.items():
        if name == "trial_id":
            names = rng.bytes(16 * count).hex()
            columns[name] = [names[32 * i : 32 * (i + 1)] for i in range(count)]
        elif name == "seed":
            columns[name] = range(count)
        elif name in like:
            columns[name] = [like[name]] * count
        elif kind is float:
            columns[name] = rng.normal(size=count)
        elif kind is int:
            columns[name] = rng.integers(1, 2500, count) * 2000
        elif kind is not str:
            columns[name] = [None] * count
        else:
            columns[name] = ["unsolved" if name == "outcome" else "plain-0123"] * count
    return pa.table(columns)


def timed(what: str, call: Callable[[], Any]) -> Any:
    """Call a function, print how long it took, and return its result."""
    began, cpu = time.perf_counter(), time.process_time()
    result = call()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(f"{what:<52} {wall_s:7.2f} s   {cpu_s:7.2f} s of CPU time", flush=True)
    return result


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{count:,} rows, {platform.machine()}, {platform.node()}")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Folder(Path(folder)), COLUMNS)
        made = store.results.conformed(rows(count))
        store.parts.put("0" * 32, store.results.serialised(made))
        timed("derive the table from its parts", store.compact)
        size = sum(p.stat().st_size for p in Path(folder).glob("table.parquet"))
        print(f"table.parquet: {size / 2**20:.0f} MiB")
        read = timed("read the table", store.read)
        assert len(read) == count
        timed("read it as a DataFrame", lambda: store.read().to_pandas())
        timed("find how far each trial was trained", store.standings)
        timed("check all parts", lambda: repair(store))
        store.parts.put(
            "1" * 32,
            store.results.serialised(
                made.slice(0, 100).set_column(
                    made.column_names.index("numerics_id"), "numerics_id", [["a"] * 100]
                )
            ),
        )
        timed("read it with 100 newer rows", store.read)
        trials = [Trial(seed=seed) for seed in range(min(count, 100_000))]
        timed(
            "plan 100,000 trials against it", lambda: plan(trials, store.standings(), 2000)
        )


if __name__ == "__main__":
    main()
