"""Merge small parts where there are many."""

import hashlib

from sweeps.store.newest_rows import without_repeats
from sweeps.store.parts import Parts

MERGE_ABOVE = 1000
"""Parts beyond which compaction merges the small ones."""
SMALL_BYTES = 4 * 2**20


def merge_small(parts: Parts, key: list[str], above: int = MERGE_ABOVE) -> None:
    """Merge small parts into one where there are many; the old ones go once it stands.

    Killed in between, rows are there twice, which changes no answer. Two processes that
    merge at once do no harm: each removes only what its own part holds.

    Args:
        parts: Which.
        key: What a row is about, for `sweeps.store.newest_rows`.
        above: How many there may be.
    """
    if len(parts.names()) <= above:
        return
    sizes = parts.place.entries()
    small = [n for n in parts.names() if n in sizes and sizes[n].size < SMALL_BYTES]
    found = parts.read(small)
    merged_id = hashlib.sha256("\n".join(found.hashes).encode()).hexdigest()[:32]
    parts.put(merged_id, parts.schema.serialised(without_repeats(found.table, key)))
    for name in found.hashes:
        parts.place.remove(name)
