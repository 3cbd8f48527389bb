"""Fixtures that tests of several kinds use."""

from object_store import bucket_url, object_store

__all__ = ["bucket_url", "object_store"]
