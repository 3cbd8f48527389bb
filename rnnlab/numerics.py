"""The numerics id: what the bits of a result depend on, besides the trial."""

import functools
import hashlib
import platform
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent

SCIENCE = (
    "bounds.py",
    "clip.py",
    "compiled.py",
    "costs.py",
    "data.py",
    "diagnostics.py",
    "engines",
    "init.py",
    "omega.py",
    "rng.py",
    "tasks",
    "threshold.py",
    "train.py",
)
"""Sources of `rnnlab` that decide numbers; the others move them about."""


def numerics_id(engine: str, **circumstances: str) -> str:
    """Name the numerics of an engine on this machine: equal ids promise equal bits.

    Args:
        engine: Its name.
        circumstances: What else its bits depend on: library versions, vector width.

    Returns:
        The engine's name and 12 hex digits, such as `plain-0123456789ab`.
    """
    facts = {
        "sources": source_hash(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        **circumstances,
    }
    text = "\n".join(f"{name}={facts[name]}" for name in sorted(facts))
    return f"{engine}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@functools.cache
def source_hash() -> str:
    """Hash the sources of `rnnlab` that decide numbers."""
    digest = hashlib.sha256()
    for source in source_files():
        digest.update(str(source.relative_to(ROOT)).encode() + b"\0")
        digest.update(source.read_bytes() + b"\0")
    return digest.hexdigest()


def source_files() -> list[Path]:
    """List them."""
    found: list[Path] = []
    for name in SCIENCE:
        path = ROOT / name
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return found
