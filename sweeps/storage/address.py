"""Turn an address into a place: a folder or a bucket."""

from pathlib import Path

from sweeps.errors import SweepError
from sweeps.storage.place import Place


def place(address: str) -> Place:
    """Return the place at an address: a path, or s3://bucket/prefix.

    Raises:
        SweepError: If the kind of address is not supported.
    """
    kind, separator, _ = address.partition("://")
    if not separator:
        from sweeps.storage.folder import Folder

        return Folder(Path(address).expanduser())
    if kind != "s3":
        raise SweepError(
            f"Results cannot be stored at {address!r}. Use a folder, or s3://BUCKET/PREFIX."
        )
    from sweeps.storage.bucket import Bucket

    return Bucket(address.rstrip("/"))
