"""The store: the only source of truth on what has been trained.

    parts/<part>.parquet        immutable, one per committed pack: one row per trial
    history/<part>.parquet      one row per trial and check, committed before its part
    table.parquet               derived: one row per trial, that of the most updates
    manifest.json               derived: SHA-256 of the table and of every part in it
    checkpoints/<trial_id>.npz  states of unsolved trials
    attempts/*.jsonl            events, not results
    */damaged/                  files that differ from what was committed, set aside

Readable with pandas, Polars and DuckDB without this module.
"""

import errno
import hashlib
import json
import logging
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.errors import StoreError
from sweeps.storage.place import Place, joined
from sweeps.storage.retrying import Patient
from sweeps.store.checkpoints import CheckpointFolder
from sweeps.store.columns import Columns
from sweeps.store.compaction import merge_small
from sweeps.store.newest_rows import newest_rows
from sweeps.store.parquet import Schema, parsed
from sweeps.store.parts import Damage, Parts, Read, sha256
from sweeps.store.result import Result
from sweeps.store.standing import Standing, standings_in

log = logging.getLogger(__name__)

TABLE, MANIFEST, PROBE = "table.parquet", "manifest.json", ".writable"
UNTYPED = "untyped"
"""In a manifest: the table was derived without the type of the trials."""
TRIAL, CHECK = ["trial_id"], ["trial_id", "update"]
"""Keys of the table and of the history."""
PROBE_BYTES = 2**16
"""Approximate size of a pack's files."""
ATTEMPTS_TO_READ = 5
"""Maximum number of reads if another process merges parts meanwhile."""


def open_store(place: Place, columns: Columns | None = None) -> "Store":
    """Open the results of a sweep; failing storage is retried.

    Args:
        place: The sweep's results folder.
        columns: The columns of its trials, if their type is known.
    """
    return Store(Patient(place), columns or Columns())


@dataclass(frozen=True)
class Store:
    """The results of one sweep."""

    place: Place
    columns: Columns = field(default_factory=Columns)
    """The columns of its trials; without them a result has those of its parts."""

    @property
    def results(self) -> Schema:
        """The columns of results."""
        return Schema(self.columns, "results")

    @property
    def checks(self) -> Schema:
        """The columns of checks."""
        return Schema(self.columns, "checks")

    @property
    def parts(self) -> Parts:
        """The committed results."""
        return Parts(self.place / "parts", self.results)

    @property
    def history_parts(self) -> Parts:
        """The committed histories."""
        return Parts(self.place / "history", self.checks)

    @property
    def attempts(self) -> Place:
        """The log of attempts."""
        return self.place / "attempts"

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The checkpoints of unsolved trials."""
        return CheckpointFolder(self.place / "checkpoints")

    def create(self) -> None:
        """Make sure that results can be written, and that there is space for some.

        Raises:
            StoreError: If not, or if the storage does not support atomic create.
        """
        probe = f"{PROBE}-{secrets.token_hex(6)}"
        try:
            self.place.create(probe, bytes(PROBE_BYTES))
            again = self.place.create(probe, b"")
            self.place.remove(probe)
        except OSError as error:
            raise _not_written(self.place, error) from None
        if again:
            raise StoreError(
                f"{self.place.address} does not support atomic create: results would not be "
                "safe there. An object store must support conditional puts "
                "(If-None-Match); choose another with --results DIR."
            )

    def commit(
        self,
        finished: Iterable[tuple[Any, Result]],
        *,
        committed: Mapping[str, Standing] | None = None,
    ) -> str:
        """Commit the results of a pack as one immutable part, its history first.

        Args:
            finished: Trials and their results, at least one.
            committed: Stored standings, by `trial_id`: their history is not written
                again.

        Returns:
            The name of the part, which may exist already with the same rows.

        Raises:
            NondeterminismError: If it exists with other rows.
        """
        pairs = sorted(finished, key=lambda pair: pair[1].trial_id)
        results = [result for _, result in pairs]
        since = [_known_until(result, committed or {}) for result in results]
        checks = [
            row
            for result, after in zip(results, since, strict=True)
            for row in result.history(after)
        ]
        self.history_parts.commit(_part_id(results, since), checks)
        rows = [{**self.columns.of_trial(trial), **result.row()} for trial, result in pairs]
        return self.parts.commit(_part_id(results), rows)

    def read(self) -> pa.Table:
        """Return one row per trial, sorted by `trial_id`: that of the most updates.

        Reads the derived table and newer parts. Damaged parts are skipped with a warning.

        Raises:
            NewerSchemaError: If a later version wrote a part.
            NondeterminismError: If two parts contradict each other.
        """
        return self._current().table

    def history(self) -> pa.Table:
        """Return one row per trial and check, sorted by `trial_id` and `update`.

        For a trial that was trained under several numerics ids, use the one in the table.
        """
        rows = _whole(self.history_parts)
        table = self.read().select(["trial_id", "numerics_id"])
        place = _compute("index_in", rows["trial_id"], table["trial_id"])
        made_by = table["numerics_id"].take(place)
        fits = _compute("equal", made_by, rows["numerics_id"])
        return newest_rows(rows.filter(fits), CHECK)

    def history_of(self, trial_id: str, numerics_id: str) -> pa.Table:
        """Return one row per check of one trial under one numerics id, sorted by `update`."""
        rows = _whole(self.history_parts)
        rows = rows.filter(_compute("equal", rows["trial_id"], trial_id))
        made_so = _compute("equal", rows["numerics_id"], numerics_id)
        return newest_rows(rows.filter(made_so), CHECK)

    def standings(self) -> dict[str, Standing]:
        """Return the standing of each trial, by `trial_id`."""
        return standings_in(self.read())

    def compact(self) -> str:
        """Derive the table and the manifest from the parts, reproducibly.

        If there are thousands of parts, the small ones are merged first. Writes nothing if
        all is up to date. May be killed at any point.

        If the type of the trials is unknown, the table has the columns of its parts, and is
        derived again when the type is known.

        Returns:
            The address of the table.

        Raises:
            StoreError: If the table cannot be written.
        """
        try:
            # Without the type, the value of a column that a part lacks is unknown.
            typed = self.columns.kind is not None
            for parts, key in ((self.history_parts, CHECK), (self.parts, TRIAL)) * typed:
                merge_small(parts, key)
            self._derive()
        except OSError as error:
            raise _not_written(self.place, error) from None
        return joined(self.place, TABLE)

    def _current(self) -> Read:
        """Return the table, the hashes of its parts, and the damaged parts."""
        names = self.parts.names()
        derived = self._derived()
        if derived is not None and set(derived.hashes) == set(names):
            return derived
        for _ in range(ATTEMPTS_TO_READ):
            try:
                return self._brought_up_to_date(derived, names)
            except FileNotFoundError:
                names = self.parts.names()
        raise _kept_changing(self.parts.place)

    def _brought_up_to_date(self, derived: Read | None, names: list[str]) -> Read:
        """Add missing parts to the derived table, or start without it."""
        if derived is None or not set(derived.hashes) <= set(names):
            derived = Read(self.parts.read([]).table, {}, {})
        new = self.parts.read(name for name in names if name not in derived.hashes)
        _warn(new.damages.values())
        both = self.results.concat([derived.table, new.table])
        table = newest_rows(both, TRIAL, typed=self.columns.kind is not None)
        return Read(table, {**derived.hashes, **new.hashes}, new.damages)

    def _derived(self) -> Read | None:
        """Return the derived table if it matches its manifest."""
        try:
            manifest = json.loads(self.place.read(MANIFEST))
            data = self.place.read(TABLE)
            hashes = dict(manifest["parts"])
            if sha256(data) != manifest["table"] or not hashes:
                return None
            if manifest.get(UNTYPED) and self.columns.kind is not None:
                return None
            return Read(self.results.conformed(parsed(data)), hashes, {})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _derive(self) -> None:
        derived = self._derived()
        if derived is not None and set(derived.hashes) == set(self.parts.names()):
            return
        current = self._current()
        table = self.results.serialised(current.table)
        manifest: dict[str, Any] = {"table": sha256(table), "parts": current.hashes}
        if self.columns.kind is None:
            manifest[UNTYPED] = True
        text = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
        for name, data in ((TABLE, table), (MANIFEST, text)):
            if not _is(self.place, name, data):
                self.place.replace(name, data)


def _whole(parts: Parts) -> pa.Table:
    """Return the rows of all undamaged parts."""
    for _ in range(ATTEMPTS_TO_READ):
        try:
            found = parts.read(parts.names())
        except FileNotFoundError:
            continue
        _warn(found.damages.values())
        return found.table
    raise _kept_changing(parts.place)


def _is(place: Place, name: str, data: bytes) -> bool:
    try:
        return place.read(name) == data
    except OSError:
        return False


def _warn(damages: Iterable[Damage]) -> None:
    for each in damages:
        log.warning(
            "%s is damaged (%s): its trials count as not trained. `sweep run` sets it "
            "aside and retrains them.",
            each.address,
            each.why,
        )


def _kept_changing(place: Place) -> StoreError:
    return StoreError(f"{place.address} kept changing while it was read. Try again.")


def _not_written(place: Place, error: OSError) -> StoreError:
    no_links = error.errno == errno.EPERM
    why = "; hard links are needed, which FAT and some network disks lack" * no_links
    return StoreError(
        f"The results folder {place.address} cannot be written "
        f"({error.strerror or error}{why}). Free space or fix its permissions, or choose another with --results DIR."
    )


def _known_until(result: Result, committed: Mapping[str, Standing]) -> int:
    """Return the last update of the stored history under this numerics id."""
    known = committed.get(result.trial_id)
    return known.updates if known and known.numerics_id == result.numerics_id else 0


def _part_id(results: list[Result], since: list[int] | None = None) -> str:
    """Hash trial ids, updates, numerics ids, and where each history begins."""
    lines = [
        f"{result.trial_id} {result.updates} {result.numerics_id} {after}"
        for result, after in zip(results, since or [0] * len(results), strict=True)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _compute(function: str, *values: Any) -> Any:
    return getattr(pc, function)(*values)
