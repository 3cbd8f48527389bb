"""Tests of `fused_gpu` without a card, in a process of their own.

Numba decides when it is imported whether it simulates a card. So these are collected only
where `NUMBA_ENABLE_CUDASIM=1` is set; `tests/contract/test_fused_gpu_without_a_card.py`
starts such a process.
"""

import os
from collections.abc import Generator

import pytest

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"

collect_ignore_glob = [] if SIMULATED else ["test_*.py"]

if SIMULATED:
    import turns

    turns.install()

    @pytest.fixture(params=[1, 2])
    def owned(
        request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Generator[int]:
        """Lay out all shapes with so many units for a thread."""
        from laid_out import lay_out

        layouts = lay_out(monkeypatch, owned=request.param)
        yield request.param
        assert {lay.owned for lay in layouts} == {request.param}, "kernels of another test"
