"""Trials minus results: the work of a run, and its cost."""
