"""Check all parts of a store, and set damaged ones aside."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sweeps.storage.place import joined
from sweeps.store.newest_rows import without_repeats
from sweeps.store.parts import Damage, Parts
from sweeps.store.store import CHECK, Store


def repair(store: Store) -> list[str]:
    """Check all parts of a store, and set damaged ones aside.

    A result whose history is damaged is set aside as well: a finished trial needs both.

    Returns:
        Messages, one per damaged part; empty if nothing is damaged.
    """
    damaged = store.history_parts.damaged()
    done = _set_aside(store.parts, store.parts.damaged())
    if damaged:
        # Results first: if killed in between, the damaged history still shows what to do.
        done += _set_aside(store.parts, _without_history(store))
    return done + _set_aside(store.history_parts, damaged)


def _set_aside(parts: Parts, damages: Mapping[str, Damage]) -> list[str]:
    """Set damaged parts aside; return a message for each."""
    return [
        f"{damage.address} is damaged ({damage.why}). It is kept as "
        f"{parts.place.set_aside(name)}; its trials are retrained"
        for name, damage in damages.items()
    ]


def _without_history(store: Store) -> dict[str, Damage]:
    """Return the parts with a trial whose history is incomplete."""
    sound = store.history_parts.read(store.history_parts.names()).table
    rows = without_repeats(sound, CHECK)
    columns = (rows[name].to_pylist() for name in ("trial_id", "numerics_id"))
    seen = Counter(zip(*columns, strict=True))
    return {
        name: Damage(joined(store.parts.place, name), "its history is")
        for name in store.parts.names()
        if any(
            _lacks_checks(row, store.columns.check_every(row), seen)
            for row in store.parts.read([name]).table.to_pylist()
        )
    }


def _lacks_checks(
    row: Mapping[str, Any], check_every: int | None, seen: Mapping[tuple[str, str], int]
) -> bool:
    """Return whether the history of a trial lacks some of its checks."""
    if check_every is None:  # unknown: keep its results
        return False
    made = row["updates"] // check_every
    if row["outcome"] == "diverged" and row["updates"] % check_every == 0:
        made -= 1  # it may have diverged in the update before the check
    return seen.get((row["trial_id"], row["numerics_id"]), 0) < made
