"""Parts: immutable Parquet files, named by a hash of their trials and one of their bytes.

    <part id>-<first half of the SHA-256 of its bytes>.parquet

So each read can check a part, wherever it is stored, and a second part with the same trials
and other numbers is stored next to the first instead of being dropped.
"""

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sweeps.errors import NondeterminismError
from sweeps.storage.place import Place, joined
from sweeps.store.parquet import Schema, parsed

ENDING = ".parquet"
HASH_DIGITS = 32
READERS = 8
"""Number of threads that fetch parts; an object store serves many at once."""


@dataclass(frozen=True)
class Damage:
    """A file that differs from what was committed."""

    address: str
    why: str


@dataclass(frozen=True)
class Read:
    """The result of reading parts."""

    table: pa.Table
    """The rows of the undamaged ones, one part after another."""
    hashes: Mapping[str, str]
    """SHA-256 of each undamaged one, by name."""
    damages: Mapping[str, Damage]
    """The damaged ones, by name."""


@dataclass(frozen=True)
class Parts:
    """Parts with the same columns, in one place."""

    place: Place
    schema: Schema

    def names(self) -> list[str]:
        """List them, sorted."""
        return [name for name in self.place.names() if name.endswith(ENDING)]

    def commit(self, part_id: str, rows: list[dict[str, Any]]) -> str:
        """Commit rows as one part.

        Args:
            part_id: Identifies their trials: the same for any attempt at the same trials.
            rows: The rows, in an order that does not depend on the attempt.

        Returns:
            Its name; if a part with the same rows exists, the name of that.

        Raises:
            NondeterminismError: If one with other rows exists.
        """
        data = self.schema.serialised(self.schema.table_of(rows))
        for name in self.names():
            if name.startswith(part_id) and self._same(name, data):
                return name
        return self.put(part_id, data)

    def put(self, part_id: str, data: bytes) -> str:
        """Store the bytes of a part and return its name."""
        name = f"{part_id}-{sha256(data)[:HASH_DIGITS]}{ENDING}"
        self.place.create(name, data)
        return name

    def read(self, names: Iterable[str]) -> Read:
        """Read parts; skip and list damaged ones.

        Raises:
            FileNotFoundError: If one is no longer there: another process merged it.
            NewerSchemaError: If a later version wrote one.
        """
        tables: list[pa.Table] = [self.schema.table_of([])]
        hashes: dict[str, str] = {}
        damages: dict[str, Damage] = {}
        for name, data in self._fetched(names):
            try:
                tables.append(self._table(name, data))
                hashes[name] = sha256(data)
            except ValueError as error:
                damages[name] = Damage(joined(self.place, name), str(error))
        return Read(self.schema.concat(tables), hashes, damages)

    def damaged(self) -> dict[str, Damage]:
        """Check all parts: by the hash in their name, or else by reading them."""
        found: dict[str, Damage] = {}
        for name, data in self._fetched(self.names()):
            try:
                if not _require_hash(name, data):
                    self._table(name, data)
            except ValueError as error:
                found[name] = Damage(joined(self.place, name), str(error))
        return found

    def _fetched(self, names: Iterable[str]) -> Iterable[tuple[str, bytes]]:
        listed = list(names)
        if len(listed) < READERS:
            return [(name, self.place.read(name)) for name in listed]
        with ThreadPoolExecutor(READERS) as pool:
            return list(zip(listed, pool.map(self.place.read, listed), strict=True))

    def _table(self, name: str, data: bytes) -> pa.Table:
        _require_hash(name, data)
        return self.schema.conformed(parsed(data))

    def _same(self, name: str, data: bytes) -> bool:
        """Return whether an undamaged part has the rows of `data`; bytes may differ by library.

        Raises:
            NondeterminismError: If it is undamaged and has other rows.
        """
        try:
            there = self._table(name, self.place.read(name))
        except (FileNotFoundError, ValueError):
            return False
        # Bytes are compared, not values: NaN equals NaN, and 0.0 is not -0.0.
        new = self.schema.conformed(parsed(data))
        if self.schema.serialised(there) == self.schema.serialised(new):
            return True
        raise NondeterminismError(
            f"{joined(self.place, name)} holds other numbers than the same trials gave "
            "just now, under the same numerics id. Keep both, and look for what differs "
            "between the machines."
        )


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def _require_hash(name: str, data: bytes) -> bool:
    """Compare bytes with the hash in their name; return False if it has none.

    Raises:
        ValueError: If they differ.
    """
    _, separator, expected = name.removesuffix(ENDING).rpartition("-")
    if not separator:
        return False
    if sha256(data)[:HASH_DIGITS] != expected:
        raise ValueError("its bytes do not match the hash in its name")
    return True
