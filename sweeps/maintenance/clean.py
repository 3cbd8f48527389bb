"""Show what takes space in a results folder, and remove what is not needed.

Parts and their history, checkpoints of unsolved trials, and the log of attempts are never
removed.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sweeps.errors import SweepError
from sweeps.monitor.snapshot import PROGRESS, read_snapshot
from sweeps.spec.selection import Chosen
from sweeps.storage.place import DAMAGED, Entry, Place
from sweeps.store.checkpoints import glance
from sweeps.store.standing import Standing
from sweeps.store.store import MANIFEST, TABLE, Store

Kind = Literal["kept", "derived", "abandoned"]
ABANDONED_AFTER_S = 3600.0
"""A partial file older than this was abandoned by its writer."""
HIDDEN = "."


@dataclass(frozen=True)
class Item:
    """Files of a results folder that are kept or removed together."""

    what: str
    kind: Kind
    """kept: never removed; derived: can be derived from the parts; abandoned: not used."""
    place: Place
    names: tuple[str, ...]
    size: int
    """Bytes."""


def clean(chosen: Chosen, *, remove: bool) -> dict[str, Any]:
    """Return what takes space; optionally remove what is derived or abandoned.

    Returns:
        What `sweep clean --json` prints.

    Raises:
        SweepError: If something is to be removed during a run.
    """
    going = read_snapshot(chosen.place)
    if remove and going is not None:
        raise SweepError(
            f"Process {going['pid']} on {going['host']} is training in "
            f"{chosen.place.address}. Wait for it, or stop it, before cleaning."
        )
    found = list(items(chosen.store, chosen.experiment.sweep.name))
    for each in found if remove else []:
        for name in each.names if each.kind != "kept" else ():
            each.place.remove(name)
    return {
        "results": chosen.place.address,
        "removed": remove,
        "items": [
            {
                "what": each.what,
                "kind": each.kind,
                "folder": each.place.address,
                "files": len(each.names),
                "bytes": each.size,
            }
            for each in found
        ],
    }


def items(store: Store, name: str) -> Iterator[Item]:
    """Group the files of a store by use; files that no command of ours writes are not listed.

    Args:
        store: The store.
        name: The sweep's name, which its figures have too.
    """
    now = time.time()
    standings = store.standings()
    for place, what in (
        (store.parts.place, "results (parts)"),
        (store.history_parts.place, "history of the checks"),
        (store.attempts, "log of attempts"),
    ):
        entries = place.entries()
        written = {name for name in entries if name.startswith(HIDDEN)}
        yield _item(what, "kept", place, entries, entries.keys() - written)
        yield _half_written(place, entries, now)
        aside = place / DAMAGED
        yield _item("set aside as damaged", "abandoned", aside, aside.entries())
    yield from _checkpoints(store, standings, now)
    yield from _derived(store, name, now)


def lines(facts: dict[str, Any]) -> list[str]:
    """Return the facts as lines of text."""
    shown = [each for each in facts["items"] if each["files"]]
    found = [
        f"{_amount(each['bytes']):>10}  {each['files']:>6} files  {each['kind']:<9}  "
        f"{each['what']}"
        for each in shown
    ]
    freed = sum(each["bytes"] for each in shown if each["kind"] != "kept")
    if facts["removed"]:
        last = f"removed {_amount(freed)} of what was derived or abandoned"
    elif freed:
        last = f"--remove frees {_amount(freed)}: what is derived or abandoned"
    else:
        last = "nothing is derived or abandoned"
    return [f"{facts['results']}:", *found, last]


def _checkpoints(
    store: Store, standings: dict[str, Standing], now: float
) -> Iterator[Item]:
    """Separate the checkpoints that a trial may resume from from those that none will."""
    place = store.place / "checkpoints"
    entries = place.entries()
    whole = {name for name in entries if not name.startswith(HIDDEN)}
    useless = {name for name in whole if not _serves(place, name, standings)}
    yield _item("checkpoints of unsolved trials", "kept", place, entries, whole - useless)
    yield _item("checkpoints of ended trials", "abandoned", place, entries, useless)
    yield _half_written(place, entries, now)
    aside = place / DAMAGED
    yield _item("checkpoints set aside", "abandoned", aside, aside.entries())


def _serves(place: Place, name: str, standings: dict[str, Standing]) -> bool:
    """Return whether a trial may resume from a checkpoint: not if it has ended."""
    try:
        trial_id, _, _ = glance(place.read(name))
    except (FileNotFoundError, ValueError):
        return False
    standing = standings.get(trial_id)
    return standing is None or standing.outcome == "unsolved"


def _derived(store: Store, name: str, now: float) -> Iterator[Item]:
    entries = store.place.entries()
    tables = entries.keys() & {TABLE, MANIFEST}
    figures = entries.keys() & {f"{name}.svg", f"{name}.png"}
    stale = entries.keys() & {PROGRESS} if read_snapshot(store.place) is None else set()
    yield _item("table and manifest", "derived", store.place, entries, tables)
    yield _item("figures", "derived", store.place, entries, figures)
    yield _item(
        "progress of a run that has ended", "abandoned", store.place, entries, stale
    )
    yield _half_written(store.place, entries, now)


def _half_written(place: Place, entries: dict[str, Entry], now: float) -> Item:
    old = {
        name
        for name, entry in entries.items()
        if name.startswith(HIDDEN) and now - entry.modified_at > ABANDONED_AFTER_S
    }
    return _item("partial files", "abandoned", place, entries, old)


def _item(
    what: str,
    kind: Kind,
    place: Place,
    entries: dict[str, Entry],
    names: set[str] | None = None,
) -> Item:
    chosen = sorted(entries if names is None else names)
    size = sum(entries[name].size for name in chosen)
    return Item(what, kind, place, tuple(chosen), size)


def _amount(size: float) -> str:
    """Return a number of bytes as text.

    Example:
        >>> _amount(900), _amount(5_600_000), _amount(3 << 30)
        ('900 B', '5.3 MiB', '3.0 GiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
