"""How a run stands: counts, snapshot, display, status."""
