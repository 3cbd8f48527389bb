"""Choose layouts of `fused_gpu` that it does not choose for small networks."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rnnlab.engines.fused_gpu import engine
from rnnlab.engines.fused_gpu.layout import Layout, Shape, layout


def lay_out(
    monkeypatch: pytest.MonkeyPatch,
    *,
    owned: int | None = None,
    shared: bool = True,
    in_registers: bool = True,
) -> list[Layout]:
    """Change the layouts of engines that are made after this.

    Args:
        monkeypatch: Changes them back after the test.
        owned: Units of a thread.
        shared: Whether what fits into shared memory is kept there.
        in_registers: Whether weights that fit into registers are kept there.

    Returns:
        The layouts of which kernels are made, as they are made.
    """

    @functools.cache
    def chosen(shape: Shape) -> Layout:
        found = layout(shape, owned)
        return replace(
            found,
            shared=found.shared if shared else frozenset(),
            in_registers=found.in_registers and in_registers,
        )

    _forget(monkeypatch)
    monkeypatch.setattr(engine, "layout", chosen)
    return _built(monkeypatch)


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty what the engine keeps between calls, such as kernels."""
    for name, value in list(vars(engine).items()):
        if hasattr(value, "cache_clear"):
            monkeypatch.setattr(engine, name, functools.cache(value.__wrapped__))


def _built(monkeypatch: pytest.MonkeyPatch) -> list[Layout]:
    layouts, build = list[Layout](), engine.build

    def noting(lay: Layout, draw: Callable[..., None]) -> Any:
        layouts.append(lay)
        return build(lay, draw)

    monkeypatch.setattr(engine, "build", noting)
    return layouts
