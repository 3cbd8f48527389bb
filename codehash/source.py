"""One Python file: what it imports, which names it defines, and a hash of its code."""

import ast
import functools
import gc
import hashlib
import tokenize
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeGuard

from codehash.code import nested, without_words
from codehash.reached import reached

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Import(NamedTuple):
    """One name that an `import` statement binds."""

    module: str
    """What follows `import` or `from`, without leading dots."""
    level: int
    """Number of leading dots."""
    name: str | None
    """What follows `import` in `from … import`; None in a plain `import`."""
    bound: str
    """The name that it binds."""


class Source(NamedTuple):
    """What is known of one file."""

    imports: tuple[Import, ...]
    """Every import, those inside functions too; none under `if TYPE_CHECKING:`."""
    digest: str
    """SHA-256 of its code, without comments and docstrings."""


class Names(NamedTuple):
    """The names that other files can import from one."""

    imported: tuple[Import, ...]
    """Those that it imports itself, at module level."""
    defined: frozenset[str]
    """Those that it binds in another way."""


def code_hash(
    files: Mapping[str, Path], roots: Mapping[str, Iterable[str]] | None = None
) -> str:
    """Hash the code of some files; comments and docstrings change nothing.

    Args:
        files: Each by a name that does not depend on where it is installed.
        roots: For some of the files, by the same name: the names in it that count. What
            these do not use changes nothing; see `codehash.reached`.

    Returns:
        64 hex digits.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If one is not valid Python.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        of = (roots or {}).get(name)
        found = read(files[name]).digest if of is None else _digest(files[name], of)
        digest.update(f"{name}\0{found}\0".encode())
    return digest.hexdigest()


def _digest(path: Path, roots: Iterable[str]) -> str:
    """Hash what some names of a file use."""
    text, _ = _parsed(path)
    return hashlib.sha256(without_words(reached(text, roots))).hexdigest()


def read(path: Path) -> Source:
    """Read a source file; one that has not changed is parsed once in a process.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not valid Python; the message names the file and the line.
    """
    return _read(path, *_state(path))


def names(path: Path) -> Names:
    """Return the names that a source file binds at module level.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not valid Python.
    """
    return _names(path, *_state(path))


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=1024)
def _read(path: Path, _mtime_ns: int, _size: int) -> Source:
    with _collector_paused():
        text, tree = _parsed(path)
        imports = tuple(_imports(_run(tree.body, definitions=True)))
        digest = hashlib.sha256(without_words(text, tree)).hexdigest()
        del tree
    return Source(imports, digest)


@functools.lru_cache(maxsize=1024)
def _names(path: Path, _mtime_ns: int, _size: int) -> Names:
    _, tree = _parsed(path)
    found = list(_run(tree.body, definitions=False))
    return Names(tuple(_imports(found)), frozenset(_defined(found)))


@contextmanager
def _collector_paused() -> Generator[None]:
    """Pause Python's cyclic garbage collector.

    A syntax tree has many objects and no cycles. Its objects alone would start a full
    collection, which takes 0.1 s in a process that has imported PyTorch.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parsed(path: Path) -> tuple[str, ast.Module]:
    try:
        with tokenize.open(path) as file:
            text = file.read()
        return text, ast.parse(text, str(path))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise ValueError(f"{path}{line} is not valid Python: {error.msg}.") from None
    except ValueError as error:  # bytes that are not text, or a null byte
        raise ValueError(f"{path} is not valid Python: {error}.") from None


def _run(body: Sequence[ast.AST], *, definitions: bool) -> Iterator[ast.AST]:
    """Return the statements that may run, without those that only type checkers read.

    Args:
        body: Where to look.
        definitions: Whether to look inside functions and classes as well.
    """
    for node in body:
        yield node
        if definitions or not isinstance(node, _DEFINITIONS):
            inside = node.orelse if _for_type_checkers(node) else nested(node)
            yield from _run(inside, definitions=definitions)


def _for_type_checkers(node: ast.AST) -> TypeGuard[ast.If]:
    test = node.test if isinstance(node, ast.If) else None
    name = getattr(test, "id", None) or getattr(test, "attr", None)
    return name == "TYPE_CHECKING"


def _imports(found: Iterable[ast.AST]) -> Iterator[Import]:
    for node in found:
        if isinstance(node, ast.Import):
            for each in node.names:
                bound = each.asname or each.name.partition(".")[0]
                yield Import(each.name, 0, None, bound)
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                bound = each.asname or each.name
                yield Import(node.module or "", node.level, each.name, bound)


def _defined(found: Iterable[ast.AST]) -> Iterator[str]:
    for node in found:
        if isinstance(node, _DEFINITIONS):
            yield node.name
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            yield from _stored(node)


def _stored(node: ast.AST) -> Iterator[str]:
    """Return the names that an assignment, a loop or a `with` binds."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt):
            yield from _stored(child)
