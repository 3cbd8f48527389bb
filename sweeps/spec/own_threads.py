"""How many threads the libraries of a trainer compute with.

A sum in several threads is added in another order: its last bits depend on their number.
So it is set to the cores that the trial takes, wherever the trial is trained.
"""

import functools
import sys
from collections.abc import Generator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

LIBRARIES = frozenset({"numpy", "scipy", "sklearn", "torch"})
"""Bring threads of their own."""


@contextmanager
def threads(count: int) -> Generator[None]:
    """Let the libraries that are loaded use so many threads in this block.

    Args:
        count: At least 1.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else count
    with _controller(LIBRARIES.intersection(sys.modules)).limit(limits=count):
        if torch:
            torch.set_num_threads(count)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


@functools.cache
def _controller(loaded: frozenset[str]) -> ThreadpoolController:
    """Find the thread pools of the libraries that are loaded, which takes milliseconds."""
    return ThreadpoolController()
