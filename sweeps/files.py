"""Files that are whole or not there: the commit protocol of the store."""

import hashlib
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp-"
"""Prefix of files that are being written; a crash may leave one, a reader skips it."""


def commit(path: Path, data: bytes) -> bool:
    """Put a file that never changes again: temporary file → fsync → link → fsync.

    Args:
        path: Its final name; the folder must exist.
        data: All of it.

    Returns:
        False where a file of that name was there already; it is left as it is.
    """
    with _written(path, data) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        sync_folder(path.parent)
        return True


def replace(path: Path, data: bytes) -> None:
    """Put or replace a file that can be derived again: temporary file → fsync → rename."""
    with _written(path, data) as temporary:
        temporary.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(data: bytes) -> str:
    """Give the SHA-256 of some bytes in hex."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _written(path: Path, data: bytes) -> Generator[Path]:
    """Give a durable temporary file beside `path`, removed afterwards if still there."""
    descriptor, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
