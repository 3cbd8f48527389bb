"""A place: the operations that the store needs, on any kind of storage.

    Folder    a local folder, or one on a network file system         sweeps/storage/folder.py
    Bucket    objects under a prefix of an object store, s3://…       sweeps/storage/bucket.py

A file exists completely or not at all, whatever crashes. Both pass one contract suite.
"""

from dataclasses import dataclass
from typing import Protocol, Self

DAMAGED = "damaged"
"""Subfolder to which damaged files are moved."""


@dataclass(frozen=True)
class Entry:
    """What is known of a file without reading it."""

    size: int
    """Bytes."""
    modified_at: float
    """Unix time of its last change, by the storage's clock."""


class Place(Protocol):
    """A folder whose files exist completely or not at all.

    All methods raise OSError if the storage fails; a name is never a path.
    """

    @property
    def address(self) -> str:
        """The address as the user would type it."""
        ...

    def __truediv__(self, name: str) -> Self:
        """Return the subfolder of that name; it need not exist."""
        ...

    def names(self) -> list[str]:
        """List the files directly inside, sorted; empty if the folder does not exist.

        Files whose name begins with a dot are skipped: they are being written.
        """
        ...

    def folders(self) -> list[str]:
        """List the folders directly inside, sorted."""
        ...

    def entries(self) -> dict[str, Entry]:
        """Return an entry for each file directly inside, including those being written."""
        ...

    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            FileNotFoundError: If there is no file of that name.
        """
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Create an immutable file, durably and atomically, with its parent folders.

        Returns:
            False if a file of that name exists; it is left unchanged.
        """
        ...

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write or replace a file atomically; create its parent folders.

        Args:
            name: The file's name.
            data: Its content.
            durable: Whether it must survive a power failure. Otherwise it may then be
                missing, old or torn.
        """
        ...

    def append(self, name: str, line: bytes) -> None:
        """Append a line to a file that only this process writes."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        ...

    def set_aside(self, name: str) -> str:
        """Move a damaged file into `damaged`; return its new address."""
        ...

    def absolute(self) -> Self:
        """Return the same place, independent of the working folder."""
        ...


def joined(where: Place, name: str) -> str:
    """Return the address of a file, for messages.

    Example:
        >>> from sweeps.storage.address import place
        >>> joined(place("results/figure7"), "table.parquet")
        'results/figure7/table.parquet'
    """
    return f"{where.address}/{name}"
