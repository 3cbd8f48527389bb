"""Identify code by its content: the sources that a file imports, and one hash of them.

| module | what it holds |
| --- | --- |
| `code` | a source without comments and docstrings |
| `reached` | the part of a module that some of its names depend on |
| `source` | what one file imports and defines; the hash of a set of files |
| `closure` | every file of ours that is imported from some files, directly or not |
"""

from codehash.closure import Search, closure
from codehash.code import without_words
from codehash.source import code_hash

__all__ = ["Search", "closure", "code_hash", "without_words"]
