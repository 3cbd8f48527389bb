"""Where machine code is kept: a folder of its own for whatever it depends on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnlab import code_cache
from rnnlab.code_cache import cache_folder, compile_once


@pytest.fixture(autouse=True)
def fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the folder of this process, before a test and after it."""
    monkeypatch.setenv("RNNLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(code_cache, "cache_folder", cache_folder.__wrapped__)


def folder() -> Path:
    return code_cache.cache_folder()


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


def test_another_state_of_the_sources_has_another_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = folder()
    assert folder() == before
    monkeypatch.setattr(code_cache, "source_hash", lambda: "edited")
    assert folder() != before


def test_another_installation_has_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba asks for the time of a source: equal ones elsewhere are new to it."""
    before = folder()
    source = tmp_path / "source.py"
    source.touch()
    monkeypatch.setattr(code_cache, "source_files", lambda: [source])
    there = folder()
    os.utime(source, (1, 1))
    assert len({before, there, folder()}) == 3


def test_another_processor_has_another_folder(tmp_path: Path) -> None:
    printed = {
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from rnnlab.code_cache import *; print(cache_folder())",
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


def test_code_is_made_once_and_again_where_it_was_harmed_or_lost() -> None:
    made: list[int] = []

    def compile_all() -> None:
        made.append(1)
        (folder() / "code").mkdir(exist_ok=True)
        (folder() / "code" / "a.nbc").write_bytes(b"code")
        (folder() / "other").write_bytes(b"not ours")

    for _ in range(2):
        compile_once("a", compile_all)
    assert len(made) == 1
    (folder() / "other").write_bytes(b"changed")
    compile_once("a", compile_all)
    assert len(made) == 1
    (folder() / "code" / "a.nbc").write_bytes(b"cod3")
    compile_once("a", compile_all)
    assert len(made) == 2
    (folder() / "code" / "a.nbc").unlink()
    compile_once("a", compile_all)
    assert len(made) == 3
    (folder() / "a.json").write_text("[")
    compile_once("a", compile_all)
    assert len(made) == 4
    compile_once("a", compile_all)
    assert len(made) == 4


def test_code_that_could_not_be_made_is_made_by_the_next() -> None:
    def fails() -> None:
        (folder() / "code").mkdir(exist_ok=True)
        (folder() / "code" / "a.nbc").write_bytes(b"half")
        raise KeyError("interrupted")

    def works() -> None:
        assert not (folder() / "code" / "a.nbc").exists()

    with pytest.raises(KeyError):
        compile_once("a", fails)
    compile_once("a", works)
