"""Merge small parts if there are many."""

import hashlib

from sweeps.store.newest_rows import without_repeats
from sweeps.store.parts import Parts

MERGE_ABOVE = 1000
"""Number of parts above which compaction merges the small ones."""
SMALL_BYTES = 4 * 2**20


def merge_small(parts: Parts, key: list[str], above: int = MERGE_ABOVE) -> None:
    """Merge small parts into one if there are many; then remove the old ones.

    If killed in between, rows exist twice, which changes no result. Two processes may merge
    at once: each removes only the parts that its own part contains.

    Args:
        parts: The parts to merge.
        key: Key columns, as in `sweeps.store.newest_rows`.
        above: Number of parts above which to merge.
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
