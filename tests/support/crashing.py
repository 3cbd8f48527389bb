"""File systems that break: at a chosen call, at random, and by a power failure.

folder = Folder(path, CrashingSystem(at=3))     the third call that changes anything
with pytest.raises(Crash):                      kills the process
    folder.create("part", data)
folder.system.lose_power("everything")          and what was not fsynced is gone

Folder(path, Flaky(seed=7, probability=0.1))    one call in ten fails, done or not
"""

import os
import random
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from sweeps.storage.folder import System

Moment = Literal["before", "halfway", "after"]
"""When the call breaks: before its effect, when half its bytes are written, after it."""
MOMENTS: tuple[Moment, ...] = ("before", "halfway", "after")

Loss = Literal["nothing", "data", "half the data", "names", "everything"]
"""What a power failure takes of what was not fsynced. A process that is killed loses
nothing; names that reached the disk before their data are torn files."""
LOSSES: tuple[Loss, ...] = ("nothing", "data", "half the data", "names", "everything")


class Crash(BaseException):
    """The process is dead; no `except Exception` comes to know of it."""


class CrashingSystem(System):
    """Kills the process at a chosen call, and knows what a power failure would take.

    Dead processes do not clean up: after the crash each call raises `Crash` again.
    """

    def __init__(self, at: int | None = None, when: Moment = "before") -> None:
        """Choose the call, from 1; without one, none crashes.

        Args:
            at: Which call that changes the file system.
            when: Whether before, halfway through or after its effect. Only writing has a
                half; in other calls it is as before.
        """
        super().__init__()
        self.at, self.when = at, when
        self.calls = 0
        self.crashed = self.returned = False
        self._names: list[_Name] = []
        self._data: list[_Data] = []

    def mkdir(self, path: Path) -> None:
        """Make a folder; its name is not durable yet."""
        with self._step(), self._named(path):
            super().mkdir(path)

    def write(self, path: Path, data: bytes) -> None:
        """Make a file; neither its name nor its data are durable yet."""
        with self._step(lambda: self._write(path, data[: len(data) // 2])):
            self._write(path, data)

    def append(self, path: Path, data: bytes) -> None:
        """Add bytes to a file; they are not durable yet."""
        with self._step(lambda: self._append(path, data[: len(data) // 2])):
            self._append(path, data)

    def fsync(self, path: Path) -> None:
        """Make what is known of a file or a folder durable."""
        with self._step():
            super().fsync(path)
            self._synced(path)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, not durable yet."""
        with self._step(), self._named(target):
            super().link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name; between two folders, either half may be lost."""
        with self._step(), self._named(source), self._named(target):
            super().rename(source, target)

    def unlink(self, path: Path) -> None:
        """Take a name away, not durably yet."""
        with self._step(), self._named(path):
            super().unlink(path)

    def restart(self) -> None:
        """Be a new process on the same disk, which is not killed."""
        self.crashed, self.at = False, None
        self.durable.clear()

    def lose_power(self, loss: Loss) -> None:
        """Take from the disk what was not fsynced, as chosen; the process is dead."""
        self.crashed = True
        if loss in ("data", "half the data", "everything"):
            for data in self._data:
                data.lose(half=loss == "half the data")
        if loss in ("names", "everything"):
            for name in reversed(self._names):
                name.undo()
        self._forget()

    def __del__(self) -> None:
        """Close the files held open."""
        self._forget()

    def _forget(self) -> None:
        for each in (*self._names, *self._data):
            each.close()
        self._names, self._data = [], []

    @contextmanager
    def _step(self, half: Callable[[], None] | None = None) -> Generator[None]:
        """Count a call, and crash where it is the one."""
        if self.crashed:
            raise Crash
        self.calls += 1
        self.crashed = self.calls == self.at
        if self.crashed and self.when != "after":
            if half and self.when == "halfway":
                half()
            raise Crash
        yield
        if self.crashed:
            raise Crash

    @contextmanager
    def _named(self, path: Path) -> Generator[None]:
        """Remember what had a name before it changes; forget it where it does not."""
        before = _Name.of(path.absolute())
        try:
            yield
        except BaseException:
            before.close()
            raise
        self._names.append(before)

    def _write(self, path: Path, data: bytes) -> None:
        with self._named(path):
            super().write(path, data)
        self._data.append(_Data.of(path, synced=0))

    def _append(self, path: Path, data: bytes) -> None:
        synced = path.stat().st_size if path.exists() else 0
        with self._named(path):
            super().append(path, data)
        self._data.append(_Data.of(path, synced))

    def _synced(self, path: Path) -> None:
        """Forget what is durable now: data of a file, or names in a folder."""
        folder = path.absolute()
        durable = [name for name in self._names if name.path.parent == folder]
        self._names = [name for name in self._names if name.path.parent != folder]
        now = path.stat()
        safe = [data for data in self._data if data.is_of(now)]
        self._data = [data for data in self._data if not data.is_of(now)]
        for each in (*durable, *safe):
            each.close()


class Flaky(System):
    """Fails at random with an input/output error, before or after the effect."""

    def __init__(self, seed: int, probability: float = 0.1) -> None:
        """Choose the failures.

        Args:
            seed: Of the random numbers: the same calls fail again.
            probability: That a call fails.
        """
        super().__init__()
        self.probability = probability
        self.failures = 0
        self._random = random.Random(seed)

    def mkdir(self, path: Path) -> None:
        """Make a folder, or fail."""
        with self._step(path):
            super().mkdir(path)

    def write(self, path: Path, data: bytes) -> None:
        """Make a file, or fail with a part of it written."""
        with self._step(path, lambda part: super(Flaky, self).write(path, data[:part])):
            super().write(path, data)

    def append(self, path: Path, data: bytes) -> None:
        """Add bytes to a file, or fail."""
        with self._step(path):
            super().append(path, data)

    def fsync(self, path: Path) -> None:
        """Make a file or a folder durable, or fail."""
        with self._step(path):
            super().fsync(path)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name, or fail."""
        with self._step(target):
            super().link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, or fail."""
        with self._step(target):
            super().rename(source, target)

    def unlink(self, path: Path) -> None:
        """Take a name away, or fail."""
        with self._step(path):
            super().unlink(path)

    @contextmanager
    def _step(
        self, path: Path, partly: Callable[[int], None] | None = None
    ) -> Generator[None]:
        fails = self._random.random() < self.probability
        after = self._random.random() < 0.5
        part = self._random.randrange(100)
        self.failures += fails
        if fails and not after:
            if partly:
                partly(part)
            raise OSError(5, "Input/output error, by chance", str(path))
        yield
        if fails:
            raise OSError(5, "Input/output error, by chance", str(path))


def crash_points(
    attempt: Callable[[CrashingSystem], object], moments: tuple[Moment, ...] = MOMENTS
) -> Iterator[CrashingSystem]:
    """Try something until it runs through, killed at the first call, the second, …

    Args:
        attempt: What to do on a file system; it must start from scratch each time.
        moments: When in the call.

    Yields:
        The system after each try; in the last of each moment the attempt has `returned`.
    """
    for when in moments:
        for at in count(1):
            system = CrashingSystem(at, when)
            try:
                attempt(system)
                system.returned = True
            except Crash:
                assert system.crashed
            through = system.calls < at
            yield system
            if through:
                break


@dataclass(frozen=True)
class _Name:
    """What had a name: a file that is held open, a folder, or nothing."""

    path: Path
    descriptor: int | None
    was_folder: bool

    @classmethod
    def of(cls, path: Path) -> "_Name":
        was_file = path.is_file() and not path.is_symlink()
        descriptor = os.open(path, os.O_RDONLY) if was_file else None
        return cls(path, descriptor, path.is_dir())

    def undo(self) -> None:
        """Give the name back to what had it."""
        if self.was_folder:
            return
        if self.path.is_dir():
            shutil.rmtree(self.path)
        self.path.unlink(missing_ok=True)
        if self.descriptor is not None and self.path.parent.is_dir():
            size = os.fstat(self.descriptor).st_size
            self.path.write_bytes(os.pread(self.descriptor, size, 0))

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


@dataclass(frozen=True)
class _Data:
    """A file of which only the first bytes are on the disk."""

    descriptor: int
    synced: int

    @classmethod
    def of(cls, path: Path, synced: int) -> "_Data":
        return cls(os.open(path, os.O_RDWR), synced)

    def is_of(self, facts: os.stat_result) -> bool:
        return os.path.samestat(os.fstat(self.descriptor), facts)

    def lose(self, *, half: bool) -> None:
        """Cut off what is not on the disk, or half of it."""
        size = os.fstat(self.descriptor).st_size
        kept = self.synced + (max(0, size - self.synced) // 2 if half else 0)
        os.ftruncate(self.descriptor, min(kept, size))

    def close(self) -> None:
        os.close(self.descriptor)
