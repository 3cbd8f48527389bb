"""A place that retries: a brief storage failure costs a moment, not a trial."""

import errno
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Self, TypeVar

from sweeps.errors import UnwritableError
from sweeps.storage.place import Entry, Place

PAUSES_S = (0.1, 0.5, 2.0)
"""Pauses before each retry."""
NOT_RETRIED = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""Errors about one name, which retrying cannot fix; the storage itself works."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Patient:
    """A `Place` that retries failed operations.

    All methods raise UnwritableError, which says what to do, after the last retry.
    """

    inner: Place
    pauses_s: tuple[float, ...] = PAUSES_S

    @property
    def address(self) -> str:
        """The address of the inner place."""
        return self.inner.address

    def __truediv__(self, name: str) -> Self:
        """Return the subfolder of that name, with the same retries."""
        return type(self)(self.inner / name, self.pauses_s)

    def names(self) -> list[str]:
        """List the files."""
        return self._try(self.inner.names)

    def folders(self) -> list[str]:
        """List the folders."""
        return self._try(self.inner.folders)

    def entries(self) -> dict[str, Entry]:
        """Return an entry for each file."""
        return self._try(self.inner.entries)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return self._try(self.inner.read, name)

    def create(self, name: str, data: bytes) -> bool:
        """Create a file; also False if a failed attempt had created it."""
        return self._try(self.inner.create, name, data)

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write or replace a file."""
        self._try(self.inner.replace, name, data, durable=durable)

    def append(self, name: str, line: bytes) -> None:
        """Append a line; a failed attempt may have left part of it before."""
        self._try(self.inner.append, name, line)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._try(self.inner.remove, name)

    def set_aside(self, name: str) -> str:
        """Move a damaged file into `damaged`."""
        return self._try(self.inner.set_aside, name)

    def absolute(self) -> Self:
        """Return the same place, independent of the working folder."""
        return type(self)(self.inner.absolute(), self.pauses_s)

    def _try(self, call: Callable[P, T], *values: P.args, **options: P.kwargs) -> T:
        for pause_s in self.pauses_s:
            try:
                return call(*values, **options)
            except NOT_RETRIED:
                raise
            except OSError as error:
                if error.errno == errno.EROFS:
                    break  # a read-only file system stays read-only
            time.sleep(pause_s)
        try:
            return call(*values, **options)
        except NOT_RETRIED:
            raise
        except OSError as error:
            raise UnwritableError(
                f"{self.address} failed {len(self.pauses_s) + 1} times: "
                f"{error.strerror or error}. Nothing committed is lost. Free space or fix "
                "its permissions, then run the same command again; it continues where it stopped."
            ) from None
