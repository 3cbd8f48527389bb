"""A run's temporary folder: nobody else can enter it, and none stays behind for long.

A run holds a lock on its folder for as long as it lives; the system drops it however the
run ends. So a folder whose lock can be had is of a run that has gone, and the next run
removes it. (A process id in its name would tell less: ids are used again, and two
containers that share a temporary folder count them apart.)
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
    """Give a temporary folder that only its owner can enter; remove those of dead runs."""
    remove_left()
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_left() -> None:
    """Remove the folders of this user whose runs have gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.getuid():
                lock = _lock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _make() -> tuple[Path, int]:
    """Make a folder and lock it, before another run has taken it for one left behind."""
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
        OSError: If a run that lives holds it, or it is no folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
