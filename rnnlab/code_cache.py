"""Machine code on disk, so that only the first process on a machine compiles.

Numba's own cache notices a change of the file that a function stands in, not of the files
that it imports from: an edited generator would leave stale code and wrong science. So the
folder is named by a hash of all sources that decide numbers, of Numba and of the processor.
"""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from rnnlab.numerics import source_files, source_hash


@functools.cache
def cache_folder() -> Path:
    """Give the folder for machine code, and make it.

    It is `$RNNLAB_CACHE`, else `$XDG_CACHE_HOME/rnnlab`, else `~/.cache/rnnlab`, and in it
    one folder for each installation, state of the sources, Numba and kind of processor.

    Raises:
        OSError: If it cannot be made or written.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("RNNLAB_CACHE") or Path(base) / "rnnlab") / _key()
    remedy = (
        f"Compiled code is kept in {folder}, which cannot be written. "
        "Set RNNLAB_CACHE to a folder that can."
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{remedy} ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise OSError(remedy)
    return folder


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


def compile_once(name: str, files: str, compile_all: Callable[[], None]) -> None:
    """Compile, unless some process has done so and left its code unharmed.

    Of several processes that start at once, one compiles and the others wait.

    Args:
        name: Of what is compiled.
        files: The pattern of its files in the cache folder.
        compile_all: Compiles functions that are `kept`.
    """
    done = cache_folder() / f"{name}.json"
    if _unharmed(done):
        return
    with FileLock(done.with_suffix(".lock")):
        if _unharmed(done):
            return
        for path in cache_folder().glob(files):
            path.unlink()
        compile_all()
        hashes = {
            str(path.relative_to(done.parent)): _hash(path)
            for path in cache_folder().glob(files)
        }
        temporary = done.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(hashes), encoding="utf-8")
        temporary.replace(done)


def _unharmed(done: Path) -> bool:
    """Say whether all files that were left are as they were."""
    try:
        hashes = json.loads(done.read_text(encoding="utf-8"))
        return all(_hash(done.parent / name) == digest for name, digest in hashes.items())
    except (OSError, ValueError, AttributeError):
        return False


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
        numba.__version__,
        llvmlite.__version__,
        *target.codegen().magic_tuple(),
        *stamps,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
