"""A folder of this machine: temporary file → fsync → link or rename → fsync of the folder."""

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
"""Prefix of files that are being written; a crash may leave one, a reader skips it."""


class System:
    """The calls that change a file system, one method each, so that tests can break them."""

    def __init__(self) -> None:
        """Begin without knowing of any folder that it outlives a power failure."""
        self.lasting: set[Path] = set()

    def mkdir(self, path: Path) -> None:
        """Make a folder in one that is there; fine where another just made it."""
        path.mkdir(exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Make a file of these bytes; not durable yet."""
        with path.open("xb") as file:
            file.write(data)

    def append(self, path: Path, data: bytes) -> None:
        """Add bytes to a file, in one write; where not all fit, none are added."""
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
        """Give a file a second name; FileExistsError where it is taken."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, replacing what had it."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Take a name away, if it is there."""
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
        """Give the folder of that name inside."""
        return type(self)(self.path / name, self.system)

    def names(self) -> list[str]:
        """List the files directly inside, sorted."""
        return sorted(e.name for e in self._scan() if e.is_file() and e.name[0] != ".")

    def folders(self) -> list[str]:
        """List the folders directly inside, sorted."""
        return sorted(each.name for each in self._scan() if each.is_dir())

    def entries(self) -> dict[str, Entry]:
        """Describe all files directly inside by name."""
        found: dict[str, Entry] = {}
        for each in self._scan():
            with suppress(FileNotFoundError):  # written or removed just now
                if each.is_file():
                    facts = each.stat()
                    found[each.name] = Entry(facts.st_size, facts.st_mtime)
        return found

    def read(self, name: str) -> bytes:
        """Give all bytes of a file."""
        return (self.path / name).read_bytes()

    def create(self, name: str, data: bytes) -> bool:
        """Put a file that never changes again.

        The folder is made durable where the name was taken too: who took it may have
        died in between, and the caller counts on it from now on.
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
        """Put or replace a file; one that is not durable may be torn by a power failure."""
        with self._written(data, durable) as temporary:
            self.system.rename(temporary, self.path / name)
            if durable:
                self.system.fsync(self.path)

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a file that only this process writes."""
        self._make()
        self.system.append(self.path / name, line)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self.system.unlink(self.path / name)

    def set_aside(self, name: str) -> str:
        """Move a harmed file into `damaged`; a file of that name there gives way."""
        aside = self / DAMAGED
        aside._make()
        self.system.rename(self.path / name, aside.path / name)
        self.system.fsync(aside.path)
        self.system.fsync(self.path)
        return str(aside.path / name)

    def absolute(self) -> Self:
        """Give the same folder for a process with another working folder."""
        return type(self)(self.path.resolve(), self.system)

    def _scan(self) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self.path) as found:
                return list(found)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _make(self) -> None:
        """Make the folder and those above it, each durable in the one above.

        They are made durable where they are there already too: who made them may have
        been killed in between, or be about to do it. Once is enough.
        """
        if self.path in self.system.lasting and self.path.is_dir():
            return
        chain = [self.path, *self.path.parents][::-1]
        for each in chain:
            if not each.is_dir():
                self.system.mkdir(each)
        for above, each in pairwise(chain):
            if above.stat().st_dev == each.stat().st_dev:
                with suppress(PermissionError):  # of another user, who made it long ago
                    self.system.fsync(above)
        self.system.lasting.add(self.path)

    @contextmanager
    def _written(self, data: bytes, durable: bool = True) -> Generator[Path]:
        """Give a temporary file with these bytes, removed afterwards if still there."""
        self._make()
        temporary = self.path / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"
        try:
            self.system.write(temporary, data)
            if durable:
                self.system.fsync(temporary)
            yield temporary
        finally:
            self.system.unlink(temporary)
