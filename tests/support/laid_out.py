"""Choose layouts of `fused_gpu` that it does not choose for small networks."""

import functools
from dataclasses import replace

import pytest

from rnnlab.engines.fused_gpu import engine
from rnnlab.engines.fused_gpu.layout import Layout, Shape, layout


def lay_out(
    monkeypatch: pytest.MonkeyPatch,
    *,
    owned: int | None = None,
    shared: bool = True,
    in_registers: bool = True,
) -> None:
    """Change the layouts of engines that are made after this.

    Args:
        monkeypatch: Changes them back after the test.
        owned: Units of a thread.
        shared: Whether what fits into shared memory is kept there.
        in_registers: Whether weights that fit into registers are kept there.
    """

    @functools.cache
    def chosen(shape: Shape) -> Layout:
        found = layout(shape, owned)
        return replace(
            found,
            shared=found.shared if shared else frozenset(),
            in_registers=found.in_registers and in_registers,
        )

    kernels = functools.cache(engine.kernels.__wrapped__)
    monkeypatch.setattr(engine, "layout", chosen)
    monkeypatch.setattr(engine, "kernels", kernels)
