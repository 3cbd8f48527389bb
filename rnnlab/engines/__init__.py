"""Engines make the updates of trials; the loop around them is `rnnlab.train`.

| engine | what it is |
| --- | --- |
| `plain` | PyTorch autograd, a readable page: the reference, on any device |
| `fused_cpu` | compiled code without Python between updates: one CPU core, the default |

All engines draw data from the same generators; each is tested against the one above it.
"""

from collections.abc import Callable

from rnnlab.engines.engine import CHECK_SEQUENCES as CHECK_SEQUENCES
from rnnlab.engines.engine import Engine as Engine
from rnnlab.engines.engine import Gradients as Gradients


def _plain() -> Engine:
    from rnnlab.engines.plain import Plain

    return Plain()


def _fused_cpu() -> Engine:
    from rnnlab.engines.fused_cpu import FusedCpu

    return FusedCpu()


ENGINES: dict[str, Callable[[], Engine]] = {"fused_cpu": _fused_cpu, "plain": _plain}
"""Engines by name; torch or Numba are imported only when one is built."""

DEFAULT = "fused_cpu"


def choose(name: str = DEFAULT) -> Engine:
    """Build an engine by its name; there is no automatic choice and no fallback.

    Args:
        name: One of `ENGINES`.

    Raises:
        ValueError: If there is no such engine.
    """
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise ValueError(f"No engine is called {name!r}. Known: {known}.")
    return ENGINES[name]()
