"""Where machine code is kept: a folder of its own for whatever it depends on."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rnnlab import Addition, TemporalOrder, code_cache, compiled
from rnnlab.code_cache import RECORD, cache_folder, compile_once, file_of_function
from rnnlab.engines.fused_cpu import kernel
from rnnlab.numerics import sources


@pytest.fixture(autouse=True)
def fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the folders of this process, before a test and after it."""
    monkeypatch.setenv("RNNLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "cache_folder", cache_folder.__wrapped__)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A user's file, which imports another one."""
    folder = tmp_path / "hers"
    folder.mkdir()
    (folder / "helper.py").write_text(
        "FACTOR = 2\n\n\ndef scaled(x):\n    return FACTOR * x\n"
    )
    file = folder / "file.py"
    file.write_text(
        "from helper import scaled\n\n\ndef plus(x):\n    return scaled(x) + 1\n"
    )
    return file


def folder(name: str = "one", *files: Path) -> Path:
    return cache_folder.__wrapped__(name, *(files or (Path(kernel.__file__),)))


def test_the_folder_is_where_one_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder().parent == tmp_path / "cache"
    assert folder().is_dir()
    monkeypatch.delenv("RNNLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folder().parent == tmp_path / "xdg" / "rnnlab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert folder().parent == tmp_path / "home" / ".cache" / "rnnlab"


def test_another_state_of_the_sources_has_another_folder(source: Path) -> None:
    stamp = source.stat().st_mtime_ns
    before = folder("one", source)
    assert folder("one", source) == before
    assert folder("another", source) != before
    for each in (source, source.parent / "helper.py"):
        text = each.read_text()
        os.utime(each, ns=(stamp, stamp))
        before = folder("one", source)
        each.write_text(text.replace("+ 1", "+ 12").replace("= 2", "= 23"))
        os.utime(each, ns=(stamp, stamp))
        assert folder("one", source) != before


def test_another_installation_has_another_folder(source: Path) -> None:
    """Numba asks for the time of a source: equal ones elsewhere are new to it."""
    before = folder("one", source)
    os.utime(source, (1, 1))
    there = folder("one", source)
    moved = source.parent.rename(source.parent.with_name("moved")) / source.name
    assert len({before, there, folder("one", moved)}) == 3


def test_the_engine_is_compiled_from_nothing_that_knows_tasks() -> None:
    """An edited task does not compile the engine again."""
    names = set(sources([Path(kernel.__file__)]))
    others = {name for name in names if "fused_cpu" not in name}
    assert others == {"rnnlab.bounds", "rnnlab.rng"}
    assert "rnnlab.engines.fused_cpu.microkernel" in names


def test_the_function_of_a_task_is_compiled_from_its_file_and_what_that_imports() -> None:
    for task, more in ((TemporalOrder, "temporal_order"), (Addition, "addition")):
        file = file_of_function(task.draw_example)
        assert file
        names = {"rnnlab.rng", "rnnlab.tasks.task", f"rnnlab.tasks.{more}"}
        assert set(sources([file])) == names


def test_another_processor_has_another_folder(tmp_path: Path) -> None:
    printed = {
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from rnnlab import code_cache as c; from pathlib import Path;"
                "print(c.cache_folder('one', Path(c.__file__)))",
            ],
            env={**os.environ, "RNNLAB_CACHE": str(tmp_path), **more},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"})
    }
    assert len(printed) == 2


def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RNNLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match="Set RNNLAB_CACHE to a folder that can"):
        folder()


def test_code_is_made_once_and_again_where_it_was_harmed_or_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made: list[int] = []

    def compile_all() -> None:
        made.append(1)
        (folder() / "code").mkdir(exist_ok=True)
        (folder() / "code" / "a.nbc").write_bytes(b"code")
        (folder() / "other").write_bytes(b"not ours")

    def times_made() -> int:
        compile_once("one", folder(), compile_all)
        return len(made)

    assert [times_made(), times_made()] == [1, 1]
    (folder() / "other").write_bytes(b"changed")
    assert times_made() == 1
    assert not caplog.records
    (folder() / "code" / "a.nbc").write_bytes(b"cod3")
    assert times_made() == 2
    assert caplog.messages == ["the kept code of one is damaged: compiling"]
    (folder() / "code" / "a.nbc").unlink()
    assert times_made() == 3
    (folder() / RECORD).write_text("[")
    assert [times_made(), times_made()] == [4, 4]


def test_code_that_could_not_be_made_is_made_by_the_next() -> None:
    def fails() -> None:
        (folder() / "code").mkdir(exist_ok=True)
        (folder() / "code" / "a.nbc").write_bytes(b"half")
        raise KeyError("interrupted")

    def works() -> None:
        assert not (folder() / "code" / "a.nbc").exists()

    with pytest.raises(KeyError):
        compile_once("one", folder(), fails)
    compile_once("one", folder(), works)


@pytest.fixture
def hers(source: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The user's file, imported."""
    monkeypatch.syspath_prepend(source.parent)
    for name in ("file", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("file")


def compile_plus(hers: ModuleType) -> float:
    return compiled.compiled.__wrapped__(hers.plus, "float64(float64)")(1.0)


def kept_code(tmp_path: Path) -> list[Path]:
    return [*(tmp_path / "cache").glob("*/*/file.plus*.nbc")]


def test_a_users_function_is_compiled_once_and_harm_to_its_code_is_noticed(
    hers: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, code_cache.__name__)
    assert compile_plus(hers) == 3.0
    (code,) = kept_code(tmp_path)
    whole, made = code.read_bytes(), code.stat().st_mtime_ns
    assert compile_plus(hers) == 3.0
    assert code.stat().st_mtime_ns == made
    assert not caplog.messages
    code.write_bytes(whole[: len(whole) // 2])
    assert compile_plus(hers) == 3.0
    assert caplog.messages == ["the kept code of file.plus is damaged: compiling"]
    assert len(code.read_bytes()) > len(whole) // 2


def test_a_function_whose_file_is_not_loaded_is_compiled_and_not_kept(
    hers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one typed at a prompt, or sent from another process."""
    monkeypatch.delitem(sys.modules, "file")
    assert file_of_function(hers.plus) is None
    assert compile_plus(hers) == 3.0
    assert not kept_code(tmp_path)
