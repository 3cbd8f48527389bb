"""Machine code on disk, so that only the first process on a machine compiles.

Numba's own cache notices a change of the file that a function stands in, not of the files
that it imports from: an edited generator would leave stale code and wrong science. So the
folder is named by a hash of all sources that decide numbers, of Numba and of the processor.
"""

import functools
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from rnnlab.numerics import source_files, source_hash

CODE = "*/*.nb[ci]"
"""Numba's files: machine code, and an index for each function."""
OLD_S = 30 * 86_400.0


@functools.cache
def cache_folder() -> Path:
    """Give the folder for machine code, and make it.

    It is `$RNNLAB_CACHE`, else `$XDG_CACHE_HOME/rnnlab`, else `~/.cache/rnnlab`, and in it
    one folder for each installation, state of the sources, Numba and kind of processor.

    Raises:
        OSError: If it cannot be made or written.
    """
    folder = _base() / _key()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from None
    if not os.access(folder, os.W_OK):
        raise _not_written(folder)
    return folder


def _base() -> Path:
    if asked := os.environ.get("RNNLAB_CACHE"):
        return Path(asked).expanduser()
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "rnnlab"
    try:
        return Path.home() / ".cache" / "rnnlab"
    except RuntimeError:
        raise OSError(
            "There is no home folder to keep compiled code in. "
            "Set RNNLAB_CACHE to a folder that can be written."
        ) from None


def _not_written(folder: Path, error: OSError | None = None) -> OSError:
    why = f" ({error.strerror or error})" if error else ""
    return OSError(
        f"Compiled code is kept in {folder}, which cannot be written{why}. "
        "Set RNNLAB_CACHE to a folder that can."
    )


def kept(dispatcher: Any) -> Any:
    """Keep what a Numba function is compiled to."""
    if has_file(dispatcher.py_func):
        with keeping():
            dispatcher.enable_caching()
    return dispatcher


def has_file(function: Callable[..., Any]) -> bool:
    """Say whether a function stands in a file; one typed at a prompt is not kept."""
    return Path(function.__code__.co_filename).is_file()


@contextmanager
def keeping() -> Generator[None]:
    """Let Numba's caches that are made meanwhile lie in our folder."""
    import numba.core.config

    config: Any = numba.core.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        yield
    finally:
        config.CACHE_DIR = before


def compile_once(name: str, compile_all: Callable[[], None]) -> None:
    """Compile, unless some process has done so and left its code unharmed.

    Of several processes that start at once, one compiles and the others wait.

    Args:
        name: Of what is compiled.
        compile_all: Compiles functions that are `kept`.

    Raises:
        OSError: If there is no place for compiled code.
    """
    folder = cache_folder()
    done = folder / f"{name}.json"
    if _unharmed(done):
        return
    try:
        with FileLock(done.with_suffix(".lock")):
            if not _unharmed(done):
                _compile(folder, done, compile_all)
    except OSError as error:
        raise _not_written(folder, error) from None


def _compile(folder: Path, done: Path, compile_all: Callable[[], None]) -> None:
    """Compile into an empty folder, and write down the hash of what has come of it."""
    for path in folder.glob(CODE):
        path.unlink()
    _forget_old(folder.parent)
    compile_all()
    hashes = {str(path.relative_to(folder)): _hash(path) for path in folder.glob(CODE)}
    temporary = done.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(hashes), encoding="utf-8")
    temporary.replace(done)


def _unharmed(done: Path) -> bool:
    """Say whether all files that were left are as they were; mark them as used."""
    try:
        hashes = json.loads(done.read_text(encoding="utf-8"))
        same = [_hash(done.parent / name) == digest for name, digest in hashes.items()]
    except (OSError, ValueError, AttributeError):
        return False
    with suppress(OSError):
        os.utime(done)
    return bool(same) and all(same)


def _forget_old(base: Path) -> None:
    """Remove folders that no process has used for a month."""
    for done in base.glob("*/*.json"):
        with suppress(OSError):
            if time.time() - done.stat().st_mtime > OLD_S:
                shutil.rmtree(done.parent, ignore_errors=True)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key() -> str:
    """Hash what machine code depends on, and what Numba asks of a source: place and time."""
    import llvmlite
    import numba
    from numba.core.registry import cpu_target

    target: Any = cpu_target.target_context
    stamps = [f"{path} {path.stat().st_mtime_ns}" for path in source_files()]
    facts = [
        source_hash(),
        str(sys.implementation.cache_tag),
        sys.abiflags,
        numba.__version__,
        llvmlite.__version__,
        *target.codegen().magic_tuple(),
        *stamps,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
