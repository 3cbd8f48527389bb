"""Trials minus results: what a run has to do, and what it costs."""
