"""A place: what the store needs of a folder, wherever the folder is.

    Folder    a folder of this machine, or of a network file system     sweeps/storage/folder.py
    Bucket    names under a prefix of an object store, s3://…           sweeps/storage/bucket.py

A file is whole or not there, whoever dies when. Both are held to one contract suite.
"""

from dataclasses import dataclass
from typing import Protocol, Self

DAMAGED = "damaged"
"""Folder inside a place to which harmed files are moved."""


@dataclass(frozen=True)
class Entry:
    """What is known of a file without reading it."""

    size: int
    """Bytes."""
    modified_at: float
    """Unix time of its last change, by the clock of the place."""


class Place(Protocol):
    """A folder of files that are whole or not there.

    All methods raise OSError where the place fails; a name is never a path.
    """

    @property
    def address(self) -> str:
        """The place as the user would type it."""
        ...

    def __truediv__(self, name: str) -> Self:
        """Give the folder of that name inside; it need not exist."""
        ...

    def names(self) -> list[str]:
        """List the files directly inside, sorted; none where there is no folder.

        Files whose name begins with a dot are left out: they are being written.
        """
        ...

    def folders(self) -> list[str]:
        """List the folders directly inside, sorted."""
        ...

    def entries(self) -> dict[str, Entry]:
        """Describe all files directly inside by name, those being written too."""
        ...

    def read(self, name: str) -> bytes:
        """Give all bytes of a file.

        Raises:
            FileNotFoundError: If there is none of that name.
        """
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Put a file that never changes again, durably, in one step.

        Folders on the way are made.

        Returns:
            False where a file of that name was there already; it is left as it is.
        """
        ...

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Put or replace a file in one step; folders on the way are made.

        Args:
            name: Its name.
            data: All of it.
            durable: Whether it must outlive a power failure, whole. Else it may then be
                gone, old or torn.
        """
        ...

    def append(self, name: str, line: bytes) -> None:
        """Add a line to a file that only this process writes."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def set_aside(self, name: str) -> str:
        """Move a harmed file out of the way, into `damaged`; give its new address."""
        ...

    def absolute(self) -> Self:
        """Give the same place for a process with another working folder."""
        ...


def joined(where: Place, name: str) -> str:
    """Write the address of a file for a person.

    Example:
        >>> from sweeps.storage.address import place
        >>> joined(place("results/figure7"), "table.parquet")
        'results/figure7/table.parquet'
    """
    return f"{where.address}/{name}"
