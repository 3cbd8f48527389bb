"""Kernels are compiled once, and loaded from a file after that: without a card, up to its driver."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rnnlab import Trial

pytest.importorskip("numba_cuda", reason="numba-cuda is for Linux on x86-64")


@pytest.fixture(scope="module")
def cubin() -> Iterator[tuple[Any, Any, Any]]:
    """A kernel compiled for a card that is not there, its class, and its signature."""
    import numba.cuda.codegen
    import numba.cuda.dispatcher

    from rnnlab.engines.fused_gpu.engine import kernels, kind_of
    from rnnlab.engines.fused_gpu.machine_code import arguments, pretended

    library: Any = numba.cuda.codegen.CUDACodeLibrary
    kind = kind_of(Trial(hidden=4, batch=4), 4)
    made, signature = kernels(kind).evaluate, arguments(kind)["evaluate"]
    patch = pytest.MonkeyPatch()
    patch.setattr(library, "_ensure_cc", lambda _, cc: cc or (9, 0, "a"))
    kind_of_kernel: Any = numba.cuda.dispatcher._Kernel
    options = {
        name: made.targetoptions[name]
        for name in ("max_registers", "lto", "fastmath", "opt")
    }
    with pretended((9, 0)):
        kernel = kind_of_kernel(made.py_func, signature, **options)
        kernel._codelibrary.get_cubin()
        yield kernel, made, signature
    patch.undo()


def test_a_kept_kernel_has_the_machine_code_of_the_compiled_one(
    cubin: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    from rnnlab.engines.fused_gpu.cubins import CubinCache

    kernel, _, signature = cubin
    file = tmp_path / "advance.cubin"
    assert CubinCache(file).load_overload(signature, None) is None
    CubinCache(file).save_overload(signature, kernel)
    loaded = CubinCache(file).load_overload(signature, None)
    assert loaded is not kernel
    assert loaded.argument_types == signature
    assert loaded._codelibrary.get_cubin().code == kernel._codelibrary.get_cubin().code
    assert [path.name for path in tmp_path.glob("*.cubin")] == ["advance.cubin"]


def test_the_dispatcher_takes_a_kept_kernel_without_compiling(
    cubin: tuple[Any, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnnlab.engines.fused_gpu.cubins import CubinCache

    kernel, made, signature = cubin
    CubinCache(tmp_path / "evaluate.cubin").save_overload(signature, kernel)
    monkeypatch.setattr(made, "_cache", CubinCache(tmp_path / "evaluate.cubin"))
    monkeypatch.setattr(made, "_can_compile", False)
    assert made.compile(signature)._codelibrary.get_cubin().code


@pytest.mark.parametrize("harm", [b"", b"one line", b"digest\nand other bytes"])
def test_a_damaged_file_is_compiled_again(
    cubin: tuple[Any, Any, Any],
    tmp_path: Path,
    harm: bytes,
) -> None:
    from rnnlab.engines.fused_gpu.cubins import CubinCache

    kernel, _, signature = cubin
    file = tmp_path / "evaluate.cubin"
    file.write_bytes(harm)
    assert CubinCache(file).load_overload(signature, None) is None
    CubinCache(file).save_overload(signature, kernel)
    assert CubinCache(file).load_overload(signature, None) is not None


def test_a_full_disk_leaves_a_warning_and_no_file(
    cubin: tuple[Any, Any, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from rnnlab.engines.fused_gpu.cubins import CubinCache

    kernel, _, signature = cubin
    with caplog.at_level(logging.WARNING):
        CubinCache(tmp_path / "gone" / "evaluate.cubin").save_overload(signature, kernel)
    assert "cannot be kept" in caplog.text
    assert not list(tmp_path.glob("**/*.cubin"))


NAMES = """
from rnnlab import Trial
from rnnlab.engines.fused_gpu import card, engine

card.card = lambda: "9.0"
for hidden in (4, 6):
    kind = engine.kind_of(Trial(hidden=hidden, batch=4), 4)
    for file in engine._files(kind, engine.kernels(kind)):
        print(file)
"""


def test_a_kernel_has_the_same_file_in_each_process_and_sizes_have_different_ones(
    tmp_path: Path,
) -> None:
    env = dict(os.environ)

    def files(seed: str) -> list[str]:
        env.update(RNNLAB_CACHE=str(tmp_path), PYTHONHASHSEED=seed)
        command = [sys.executable, "-c", NAMES]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        return done.stdout.split()

    first = files("1")
    assert first == files("2")
    assert len(set(first)) == 4
