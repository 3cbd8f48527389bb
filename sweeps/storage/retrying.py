"""A place that tries again: what fails for a moment costs a moment, not a trial."""

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Self, TypeVar

from sweeps.errors import UnwritableError
from sweeps.storage.place import Entry, Place

PAUSES_S = (0.1, 0.5, 2.0)
"""How long to wait before each further try."""
OF_ONE_NAME = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Errors that waiting does not mend, and that say nothing of the place as a whole."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Patient:
    """A `Place` whose failures are tried again, and which then says what to do.

    All methods raise UnwritableError once the pauses are over.
    """

    inner: Place
    pauses_s: tuple[float, ...] = PAUSES_S

    @property
    def address(self) -> str:
        """The place's."""
        return self.inner.address

    def __truediv__(self, name: str) -> Self:
        """Give the folder of that name inside, as patient."""
        return type(self)(self.inner / name, self.pauses_s)

    def names(self) -> list[str]:
        """List the files."""
        return self._try(self.inner.names)

    def folders(self) -> list[str]:
        """List the folders."""
        return self._try(self.inner.folders)

    def entries(self) -> dict[str, Entry]:
        """Describe the files."""
        return self._try(self.inner.entries)

    def read(self, name: str) -> bytes:
        """Give all bytes of a file."""
        return self._try(self.inner.read, name)

    def create(self, name: str, data: bytes) -> bool:
        """Put a file; False also where a failed try had put it already."""
        return self._try(self.inner.create, name, data)

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Put or replace a file."""
        self._try(self.inner.replace, name, data, durable=durable)

    def append(self, name: str, line: bytes) -> None:
        """Add a line; a failed try may have left a piece of it before."""
        self._try(self.inner.append, name, line)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._try(self.inner.remove, name)

    def set_aside(self, name: str) -> str:
        """Move a harmed file out of the way."""
        return self._try(self.inner.set_aside, name)

    def absolute(self) -> Self:
        """Give the same place for a process with another working folder."""
        return type(self)(self.inner.absolute(), self.pauses_s)

    def _try(self, call: Callable[P, T], *values: P.args, **options: P.kwargs) -> T:
        for pause_s in self.pauses_s:
            try:
                return call(*values, **options)
            except OF_ONE_NAME:
                raise
            except OSError as error:
                if error.errno == errno.EROFS:
                    break  # stays so
            time.sleep(pause_s)
        try:
            return call(*values, **options)
        except OF_ONE_NAME:
            raise
        except OSError as error:
            raise UnwritableError(
                f"{self.address} failed {len(self.pauses_s) + 1} times: "
                f"{error.strerror or error}. Nothing committed is lost. Make room or "
                "repair it, then run the same command again; it goes on where it stood."
            ) from None
