"""Cache of machine code on disk, so that only the first process on a machine compiles.

Numba's own cache detects changes of a function's file, but not of the files that it imports:
after an edit of a generator, stale code would give wrong results. So the machine code of a
file is kept in a folder named by a hash of that file and all its imports, of Numba and of the
processor. A task's function and the engine have separate folders: editing a task does not
recompile the engine.
"""

import functools
import hashlib
import inspect
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from codehash import code_hash
from rnnlab.numerics import file_of_module, sources

CODE = "*/*.nb[ci]"
"""Numba's files: machine code, and an index per function."""
OLD_S = 30 * 86_400.0
RECORD = "hashes.json"
"""The hashes of the files in a folder, written after compiling."""

_log = logging.getLogger(__name__)


@functools.cache
def cache_folder(name: str, *files: Path) -> Path:
    """Return the folder for the machine code of one item, and create it.

    It is in `$RNNLAB_CACHE`, else `$XDG_CACHE_HOME/rnnlab`, else `~/.cache/rnnlab`: one
    folder for each name, installation, state of the sources, Numba and kind of processor.

    Args:
        name: Name of the compiled item.
        files: Its sources; their imports count as well.

    Raises:
        OSError: If it cannot be created or written.
        ValueError: If a source is not valid Python.
    """
    folder = base() / _key(name, sources(files))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from None
    if not os.access(folder, os.W_OK):
        raise _not_written(folder)
    return folder


def base() -> Path:
    """Return the folder of all compiled code."""
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


def file_of_function(function: Callable[..., Any]) -> Path | None:
    """Return the file that defines a function.

    None if it was typed at a prompt, or came from another process without its module: its
    dependencies are then unknown, and its code is not cached.
    """
    plain = inspect.unwrap(function)
    file = file_of_module(plain.__module__)
    return file if file == Path(plain.__code__.co_filename).absolute() else None


@contextmanager
def keeping(folder: Path) -> Generator[None]:
    """Set the folder of Numba's caches created in a block."""
    import numba.core.config

    config: Any = numba.core.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def kept(dispatcher: Any, folder: Path) -> Any:
    """Let Numba cache the compiled code of a function in a folder."""
    with keeping(folder):
        dispatcher.enable_caching()
    return dispatcher


def compile_once(name: str, folder: Path, compile_all: Callable[[], None]) -> None:
    """Compile, unless another process has left undamaged code.

    If several processes start at once, one compiles and the others wait.

    Args:
        name: Name of the compiled item.
        folder: Its `cache_folder`.
        compile_all: Compiles functions that Numba caches in `folder`.

    Raises:
        OSError: If there is no place for compiled code.
    """
    done = folder / RECORD
    if _unharmed(done):
        return
    try:
        with FileLock(done.with_suffix(".lock")):
            if not _unharmed(done):
                if done.exists():
                    _log.warning("the kept code of %s is damaged: compiling", name)
                _compile(folder, done, compile_all)
    except OSError as error:
        raise _not_written(folder, error) from None


def _compile(folder: Path, done: Path, compile_all: Callable[[], None]) -> None:
    """Compile into an empty folder, and record the hashes of the files."""
    for path in folder.glob(CODE):
        path.unlink()
    _forget_old(folder.parent)
    compile_all()
    hashes = {str(path.relative_to(folder)): _hash(path) for path in folder.glob(CODE)}
    temporary = done.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(hashes), encoding="utf-8")
    temporary.replace(done)


def _unharmed(done: Path) -> bool:
    """Return whether all cached files are undamaged; mark them as used."""
    try:
        hashes = json.loads(done.read_text(encoding="utf-8"))
        same = [_hash(done.parent / name) == digest for name, digest in hashes.items()]
    except (OSError, ValueError, AttributeError):
        return False
    with suppress(OSError):
        os.utime(done)
    return bool(same) and all(same)


def mark_used(folder: Path) -> None:
    """Keep a folder for another month; remove those that no process has used for one."""
    done = folder / RECORD
    with suppress(OSError):
        if not done.exists():
            done.write_text("{}", encoding="utf-8")
            _forget_old(folder.parent)
        os.utime(done)


def _forget_old(base: Path) -> None:
    """Remove folders that no process has used for a month."""
    for done in base.glob("*/*.json"):
        with suppress(OSError):
            if time.time() - done.stat().st_mtime > OLD_S:
                shutil.rmtree(done.parent, ignore_errors=True)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(name: str, files: Mapping[str, Path]) -> str:
    """Hash the dependencies of machine code, and each source's path and time as Numba does."""
    import llvmlite
    import numba
    from numba.core.registry import cpu_target

    target: Any = cpu_target.target_context
    stamps = [f"{path} {path.stat().st_mtime_ns}" for path in files.values()]
    facts = [
        name,
        code_hash(files),
        str(sys.implementation.cache_tag),
        sys.abiflags,
        numba.__version__,
        llvmlite.__version__,
        *target.codegen().magic_tuple(),
        *stamps,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
