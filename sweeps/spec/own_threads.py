"""Set the number of threads that a trainer's libraries use.

Several threads add up a sum in another order: its last bits depend on their number. So it is
set to the trial's number of cores, wherever the trial is trained.
"""

import functools
import sys
from collections.abc import Generator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

LIBRARIES = frozenset({"numpy", "scipy", "sklearn", "torch"})
"""Libraries with their own threads."""


@contextmanager
def threads(count: int) -> Generator[None]:
    """Let the loaded libraries use this many threads in a block.

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
    """Find the thread pools of the loaded libraries; takes milliseconds."""
    return ThreadpoolController()
