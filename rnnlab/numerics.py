"""The numerics id: a hash of what the bits of a result depend on, besides the trial.

It covers the sources of the engine, the training loop, the task, and every file of `rnnlab`
or of the user that one of them imports (`codehash.closure`). A task or an engine that they
do not import does not change the id.
"""

import functools
import hashlib
import platform
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from codehash import Search, closure, code_hash

PACKAGE = "rnnlab"
ROOT = Path(__file__).resolve().parent

NEUTRAL = {
    "rnnlab.code_cache": "stores machine code, in a folder for each state of its sources",
    "rnnlab.engines": "chooses an engine; the one that is chosen counts",
    "rnnlab.engines.fused_gpu.cubins": "stores machine code, in files named by its sources",
    "rnnlab.many": "makes the calls of the training loop for many trials at once",
    "rnnlab.numerics": "names numbers",
    "rnnlab.trainer": "hands trials to the training loop of a sweep",
}
"""Modules that cannot affect results, with the reason: neither hashed nor followed."""

OUTSIDE = frozenset({"codehash", "cluster", "sweeps"})
"""Packages of this project that cannot affect results. A user's file may be beside them."""

LIBRARIES = frozenset({"site-packages", "dist-packages"})


def numerics_id(name: str, engine: type, task: type, **circumstances: str) -> str:
    """Return the id of the numerics of an engine on a task: equal ids promise equal bits.

    Args:
        name: The engine's name.
        engine: Its class.
        task: The class of the trial's task.
        circumstances: Other dependencies of the bits: library versions, vector width.

    Returns:
        The engine's name and 12 hex digits, such as `plain-0123456789ab`.

    Raises:
        ValueError: If the file of a class cannot be found, or a source is not valid Python.
    """
    facts = {
        "sources": source_hash(engine, task),
        "numpy": np.__version__,
        "machine": platform.machine(),
        **circumstances,
    }
    return _named(name, tuple(sorted(facts.items())))


@functools.cache
def _named(name: str, facts: tuple[tuple[str, str], ...]) -> str:
    text = "\n".join(f"{fact}={value}" for fact, value in facts)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@functools.cache
def source_hash(engine: type, task: type) -> str:
    """Hash the sources that determine the results of an engine on a task.

    A class typed at a prompt is in no file: it gets a random hash, which no other process
    shares.

    Raises:
        ValueError: See `numerics_id`.
    """
    files = [file_of(each) for each in (engine, task)]
    if None in files:
        return secrets.token_hex(32)
    return code_hash(sources([ROOT / "train.py", *(file for file in files if file)]))


@functools.cache
def c_library() -> str:
    """Return the name and version of the C library; empty if unknown."""
    return "-".join(platform.libc_ver())


def sources(files: Iterable[Path]) -> dict[str, Path]:
    """Return some files and the files that they import, by module name.

    Only files of `rnnlab` count, and those beside a user's file or in its package.

    Raises:
        OSError: If one cannot be read.
        ValueError: If one is not valid Python.
    """
    packages, folders, roots = {PACKAGE: ROOT}, list[Path](), list[Path]()
    for file in files:
        if file.resolve().is_relative_to(ROOT):
            roots.append(file.resolve())
            continue
        roots.append(file)
        top = _top(file)
        if LIBRARIES & set(file.parts):
            packages.setdefault(top.stem, top.with_suffix(""))
        else:  # a linked script imports from its target's folder
            folders += [top.parent, top.resolve().parent]
    return closure(roots, Search(packages, tuple(folders), OUTSIDE), NEUTRAL)


def file_of(kind: type) -> Path | None:
    """Return the file that defines a class, or None if it was typed at a prompt.

    Raises:
        ValueError: If its module cannot be found, or does not contain it.
    """
    module = sys.modules.get(kind.__module__)
    found = file_of_module(kind.__module__)
    if module is not None and found is None and kind.__module__ == "__main__":
        return None
    if found is None or not hasattr(module, kind.__qualname__.partition(".")[0]):
        raise ValueError(
            f"{kind.__qualname__} says that it is from the module {kind.__module__!r}, which "
            "is not loaded from a Python file, or has no such class. Its numbers depend on "
            "that file: put the class into a file, and import it by name in each process."
        )
    return found


def file_of_module(name: str) -> Path | None:
    """Return the source file of a loaded module; None if it has none."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or not file.endswith(".py"):
        return None
    path = Path(file).absolute()
    return path if path.is_file() else None


def _top(file: Path) -> Path:
    """Return the folder of a file's outermost package, or the file itself."""
    top = file.parent if file.name == "__init__.py" else file
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    return top
