"""A run's temporary folder: private to its owner, and removed even after a crash.

A run holds a lock on its folder while it lives; the system releases the lock however the
run ends. So a folder that can be locked belongs to a dead run, and the next run removes
it. (A process id in the name would not work: ids are reused, and two containers that share
a temporary folder number their processes separately.)
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "rnnlab-sweep-"


@contextmanager
def private_folder() -> Generator[Path]:
    """Create a temporary folder that only its owner can enter; remove those of dead runs."""
    remove_abandoned()
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> None:
    """Remove this user's folders whose runs are dead."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.getuid():
                lock = _lock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _make() -> tuple[Path, int]:
    """Create a folder and lock it, before another run takes it for an abandoned one."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(OSError):
            lock = _lock(folder)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder until the descriptor is closed.

    Raises:
        OSError: If a live run holds the lock, or it is not a folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
