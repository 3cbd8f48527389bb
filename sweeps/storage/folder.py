"""A local folder: temporary file → fsync → link or rename → fsync of the folder."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Self

from sweeps.storage.place import DAMAGED, Entry

TEMPORARY = ".tmp-"
"""Prefix of files being written; a crash may leave one behind, readers skip it."""


class System:
    """The calls that change a file system, one method each, so that tests can break them."""

    def __init__(self) -> None:
        """Start with no folder known to be durable."""
        self.durable: set[Path] = set()

    def mkdir(self, path: Path) -> None:
        """Create a folder in an existing one; no error if it exists already."""
        path.mkdir(exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Create a file with these bytes; not durable yet."""
        with path.open("xb") as file:
            file.write(data)

    def append(self, path: Path, data: bytes) -> None:
        """Append bytes to a file in one write: all of them or none."""
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            before = os.fstat(descriptor).st_size
            if os.write(descriptor, data) < len(data):
                os.ftruncate(descriptor, before)
                raise OSError(28, "No space left for a whole line", str(path))
        finally:
            os.close(descriptor)

    def fsync(self, path: Path) -> None:
        """Make a file, or the names in a folder, durable."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, source: Path, target: Path) -> None:
        """Create a hard link; FileExistsError if the name is taken."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, replacing any of the new name."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a name, if it exists."""
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Folder:
    """A `Place` on a file system."""

    path: Path
    system: System = field(default_factory=System, repr=False, compare=False)

    @property
    def address(self) -> str:
        """The path."""
        return str(self.path)

    def __truediv__(self, name: str) -> Self:
        """Return the subfolder of that name."""
        return type(self)(self.path / name, self.system)

    def names(self) -> list[str]:
        """List the files directly inside, sorted."""
        return sorted(e.name for e in self._scan() if e.is_file() and e.name[0] != ".")

    def folders(self) -> list[str]:
        """List the folders directly inside, sorted."""
        return sorted(each.name for each in self._scan() if each.is_dir())

    def entries(self) -> dict[str, Entry]:
        """Return an entry for each file directly inside, by name."""
        found: dict[str, Entry] = {}
        for each in self._scan():
            with suppress(FileNotFoundError):  # removed or renamed meanwhile
                if each.is_file():
                    facts = each.stat()
                    found[each.name] = Entry(facts.st_size, facts.st_mtime)
        return found

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return (self.path / name).read_bytes()

    def create(self, name: str, data: bytes) -> bool:
        """Create an immutable file, unless the name is taken.

        The folder is fsynced even then: the process that created the file may have died
        before its own fsync, and the caller relies on the file from now on.
        """
        with self._written(data) as temporary:
            try:
                self.system.link(temporary, self.path / name)
                made = True
            except FileExistsError:
                made = False
            self.system.fsync(self.path)
            return made

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write or replace a file; unless `durable`, a power failure may tear it."""
        with self._written(data, durable) as temporary:
            self.system.rename(temporary, self.path / name)
            if durable:
                self.system.fsync(self.path)

    def append(self, name: str, line: bytes) -> None:
        """Append a line to a file that only this process writes."""
        self._make()
        self.system.append(self.path / name, line)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        self.system.unlink(self.path / name)

    def set_aside(self, name: str) -> str:
        """Move a damaged file into `damaged`, replacing a file of that name there."""
        aside = self / DAMAGED
        aside._make()
        self.system.rename(self.path / name, aside.path / name)
        self.system.fsync(aside.path)
        self.system.fsync(self.path)
        return str(aside.path / name)

    def absolute(self) -> Self:
        """Return the same folder with an absolute path."""
        return type(self)(self.path.resolve(), self.system)

    def _scan(self) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self.path) as found:
                return list(found)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _make(self) -> None:
        """Create the folder and its parents, and fsync each parent.

        Existing folders are fsynced too: the process that created them may have been
        killed before its fsync, or not have reached it yet. Once is enough.
        """
        if self.path in self.system.durable and self.path.is_dir():
            return
        chain = [self.path, *self.path.parents][::-1]
        for each in chain:
            if not each.is_dir():
                self.system.mkdir(each)
        for above, each in pairwise(chain):
            if above.stat().st_dev == each.stat().st_dev:
                with suppress(PermissionError):  # another user's, created long ago
                    self.system.fsync(above)
        self.system.durable.add(self.path)

    @contextmanager
    def _written(self, data: bytes, durable: bool = True) -> Generator[Path]:
        """Yield a temporary file with these bytes; remove it afterwards if it still exists."""
        self._make()
        temporary = self.path / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"
        try:
            self.system.write(temporary, data)
            if durable:
                self.system.fsync(temporary)
            yield temporary
        finally:
            self.system.unlink(temporary)
