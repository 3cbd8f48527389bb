"""The numerics id of a user's trials: their code, its libraries, the processor."""

import functools
import hashlib
import importlib
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from codehash import Search, closure, code_hash
from codehash.source import read

INSTALLED = ("sweeps", "cluster", "codehash")
"""Our own packages that cannot affect results, wherever they are imported from."""
SOURCES = ("rnnlab",)
"""Packages that are identified by a hash of their code, not by a version."""


def own_numerics_id(trial: Any, device: str) -> str:
    """Return the name of the type and 12 hex digits, such as `Digits-0123456789ab`.

    Without an attribute `numerics`, they are a hash of the class and of what it uses in its
    file, of the modules next to the file that it imports, of the versions of the libraries
    that these import, and of the processor. Imports by a computed name are not seen. The
    list of trials and `draw` do not count, unless the class uses them.

    Raises:
        ValueError: If the type is defined in no file.
    """
    kind = type(trial)
    own = getattr(trial, "numerics", None)
    if own is None:
        return _hashed(kind, device)
    return _named(kind, str(own() if callable(own) else own))


@functools.cache
def _hashed(kind: type, device: str) -> str:
    file = file_of(kind)
    files = closure([file], search_from(file))
    facts = {
        "code": code_hash(files, _roots(kind, file, files)),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "machine": platform.machine(),
        "device": device,
        **_libraries(files.values(), set(files)),
    }
    return _named(kind, "\n".join(f"{name}={facts[name]}" for name in sorted(facts)))


def _roots(kind: type, file: Path, files: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return the class as the root in its file; nothing if other files import that file."""
    (name,) = (each for each, path in files.items() if path == file)
    others = [path for path in files.values() if path != file]
    if any(each.module == name for path in others for each in read(path).imports):
        return {}
    return {name: [kind.__qualname__.partition(".")[0]]}


def _named(kind: type, text: str) -> str:
    return f"{kind.__name__}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def file_of(kind: type) -> Path:
    """Return the file that defines a class.

    Raises:
        ValueError: If it is in no file.
    """
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None:
        raise ValueError(
            f"{kind.__name__} is defined in no file, so a change of its code cannot be "
            "detected. Write it into a file, or give it an attribute `numerics`."
        )
    return Path(file).resolve()


def search_from(file: Path) -> Search:
    """Return where to find the modules that a user's file can import from its folder."""
    found = {name: sys.modules[name].__file__ for name in SOURCES if name in sys.modules}
    packages = {name: Path(path).parent for name, path in found.items() if path}
    return Search(packages, (file.parent,), frozenset(INSTALLED))


def _libraries(files: Any, ours: set[str]) -> dict[str, str]:
    """Return the versions of the libraries that some files import, and the processor."""
    tops = {each.module.partition(".")[0] for f in files for each in read(f).imports}
    known = {name.partition(".")[0] for name in ours} | {*INSTALLED, *SOURCES, ""}
    theirs = sorted(tops - known - sys.stdlib_module_names)
    found = {name: _version(name) for name in theirs}
    if "torch" in theirs:
        torch: Any = importlib.import_module("torch")
        found["torch.cpu"] = torch.backends.cpu.get_cpu_capability()
    return found


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _version(package: str) -> str:
    names = sorted(set(_distributions().get(package, ())))
    return " ".join(f"{name} {metadata.version(name)}" for name in names)
