"""Maintenance of results: verify, merge, clean."""
