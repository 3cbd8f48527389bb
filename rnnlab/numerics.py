"""The numerics id: what the bits of a result depend on, besides the trial."""

import ast
import functools
import hashlib
import io
import platform
import tokenize
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent

MOVERS = ("__init__.py", "checkpoint.py", "code_cache.py", "numerics.py")
"""Sources of `rnnlab` that move numbers about, or name them; all others decide them."""


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
    """Hash the sources of `rnnlab` that decide numbers, but for what they say to people."""
    digest = hashlib.sha256()
    for source in source_files():
        digest.update(str(source.relative_to(ROOT)).encode() + b"\0")
        digest.update(without_words(source.read_text(encoding="utf-8")) + b"\0")
    return digest.hexdigest()


def without_words(source: str) -> bytes:
    r"""Leave comments, docstrings and empty lines out of a Python source.

    A checkpoint goes on under its own numerics id alone, and a better docstring should
    not end a training of days.

    Example:
        >>> without_words("x = '#'  # one\n\nclass Y: 'What it is.'\n")
        b"x = '#'\nclass Y:"
    """
    text, inside = source.split("\n"), set[int]()  # lines as ast and tokenize count them
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (row, column), (last, _) = token.start, token.end
        if token.type == tokenize.COMMENT:
            text[row - 1] = text[row - 1][:column]
        elif token.type == tokenize.STRING:
            inside.update(range(row - 1, last - 1))
    lines = [line.encode() for line in text]
    for first, start, last, end in _said(source):
        kept = lines[first][:start] + lines[last - 1][end:]
        lines[first:last] = [kept, *[b""] * (last - first - 1)]
        inside -= set(range(first, last))
    return b"\n".join(
        line if row in inside else line.rstrip()
        for row, line in enumerate(lines)
        if row in inside or line.strip()
    )


def _said(source: str) -> list[tuple[int, int, int, int]]:
    """Find docstrings, last first: first row from 0, its column, last row from 1, its column."""
    found = [
        (node.lineno - 1, node.col_offset, node.end_lineno, node.end_col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return sorted(
        ((first, start, last, end) for first, start, last, end in found if last and end),
        reverse=True,
    )


def source_files() -> list[Path]:
    """List the sources of `rnnlab` that decide numbers."""
    movers = {ROOT / name for name in MOVERS}
    return [path for path in sorted(ROOT.rglob("*.py")) if path not in movers]
