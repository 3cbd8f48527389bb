"""Status of a run: counts, snapshot, display."""
