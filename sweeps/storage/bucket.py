"""Objects under a prefix of an object store: s3://bucket/prefix.

The store writes an object completely or not at all, so there are no temporary files.
Credentials, region and endpoint come from the usual variables: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, and for your own server AWS_ENDPOINT_URL and
AWS_ALLOW_HTTP.
"""

import errno
import functools
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from sweeps.errors import SweepError
from sweeps.storage.place import DAMAGED, Entry

if TYPE_CHECKING:
    from obstore import ListResult, ObjectMeta
    from obstore.store import RetryConfig, S3Config

SCHEME = "s3://"
TIMEOUTS: "S3Config" = {"connect_timeout": "3s", "timeout": "30s"}  # pyright: ignore[reportAssignmentType]
"""Limits of one attempt: for the connection, and for the whole request, including upload."""
RETRIES: "RetryConfig" = {
    "max_retries": 10,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}
"""Retry for ten seconds; a server that stays unreachable is reported after twelve."""
CONFLICT = "ConditionalRequestConflict"
"""Amazon's answer when a conditional put collides with another put or a removal. It does
not say whether the object exists, so the put is retried."""
CONFLICT_WAITS_S = (0.1, 0.3, 1.0)
KEYS = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if you have "
    "one); `aws configure export-credentials --format env` prints them"
)
REFUSED = f"Check that these credentials may read and write there. {KEYS}"
REMEDIES = (
    (CONFLICT, "Another process was writing or removing it at the same time. Run again"),
    ("NoSuchBucket", "Create the bucket, or correct its name"),
    ("/latest/api/token", f"No credentials were found. {KEYS}"),
    ("redirect", "Set AWS_REGION to the region of the bucket"),
    ("AuthorizationHeaderMalformed", "Set AWS_REGION to the region of the bucket"),
    ("403 Forbidden", REFUSED),
    ("401 Unauthorized", REFUSED),
    ("builder error", "For an endpoint at http:// set AWS_ALLOW_HTTP=true"),
    ("404 Not Found", "Correct AWS_ENDPOINT_URL: the server there is not an object store"),
    ("Could not parse path", "Choose a prefix without //, . and .. and control characters"),
    ("", "Check the network, AWS_ENDPOINT_URL and AWS_REGION, and run again"),
)
"""Text in an error message, and what to do about it; the first match applies."""

_appended: dict[str, bytes] = {}
_appending = threading.Lock()


@dataclass(frozen=True)
class Bucket:
    """A `Place` in an object store."""

    url: str

    def __post_init__(self) -> None:
        """Reject an address without a bucket."""
        if not self.url.startswith(SCHEME) or not self._bucket:
            raise SweepError(f"{self.url!r} has no bucket name. Use s3://BUCKET/PREFIX.")

    @property
    def address(self) -> str:
        """The address, s3://bucket/prefix."""
        return self.url

    def __truediv__(self, name: str) -> Self:
        """Return the sub-prefix of that name."""
        return type(self)(f"{self.url}/{name}")

    def names(self) -> list[str]:
        """List the objects directly inside, sorted."""
        return sorted(name for name in self.entries() if name[0] != ".")

    def folders(self) -> list[str]:
        """List the prefixes directly inside, sorted."""
        return sorted(self._inside(self._listed()["common_prefixes"]))

    def entries(self) -> dict[str, Entry]:
        """Return an entry for each object directly inside, by name."""
        found = {each["path"]: each for each in self._listed()["objects"]}
        return {name: _entry(found[self._key(name)]) for name in self._inside(found)}

    def read(self, name: str) -> bytes:
        """Return the bytes of an object."""
        with _explained(self._at(name)):
            return bytes(self._store.get(self._key(name)).bytes())

    def create(self, name: str, data: bytes) -> bool:
        """Create an immutable object, unless the name is taken.

        If the response to a put was lost and the put was retried, the object found is our
        own: the method returns False, and the stored bytes are `data`.
        """
        for wait_s in CONFLICT_WAITS_S:
            with suppress(BlockingIOError):
                return self._created(name, data)
            time.sleep(wait_s)
        return self._created(name, data)

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write an object, replacing any of that name; always durable."""
        self._put(name, data)

    def append(self, name: str, line: bytes) -> None:
        """Append a line to an object that only this process writes.

        Objects cannot grow, so this process keeps the content in memory and writes all of
        it again with each line. Use it for short logs only.
        """
        at = self._at(name)
        with _appending:
            before = _appended[at] if at in _appended else self._read_if_there(name)
            self._put(name, before + line)
            _appended[at] = before + line

    def remove(self, name: str) -> None:
        """Remove an object, if it exists."""
        try:
            with _explained(self._at(name)):
                self._store.delete(self._key(name))
        except FileNotFoundError:
            pass
        _appended.pop(self._at(name), None)

    def set_aside(self, name: str) -> str:
        """Copy a damaged object into `damaged`, then remove it.

        An object of that name there is overwritten. An interruption between the two
        steps leaves both objects; the next call completes the move.
        """
        aside = self / DAMAGED
        with _explained(self._at(name)):
            self._store.copy(self._key(name), aside._key(name))
        self.remove(name)
        return aside._at(name)

    def absolute(self) -> Self:
        """Return the same place: an address means the same everywhere."""
        return self

    @property
    def _bucket(self) -> str:
        return self.url.removeprefix(SCHEME).partition("/")[0]

    @property
    def _prefix(self) -> str:
        """The common prefix of all keys inside: empty, or ending in a slash."""
        prefix = self.url.removeprefix(SCHEME).partition("/")[2].strip("/")
        return f"{prefix}/" if prefix else ""

    @property
    def _store(self) -> S3Store:
        return _client(self._bucket)

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _at(self, name: str) -> str:
        return f"{self.url}/{name}"

    def _listed(self) -> "ListResult[Sequence[ObjectMeta]]":
        with _explained(self.url):
            return self._store.list_with_delimiter(self._prefix.rstrip("/") or None)

    def _inside(self, keys: "Sequence[str] | dict[str, ObjectMeta]") -> list[str]:
        """Strip the prefix from keys; skip an object named like the prefix itself."""
        below = [key for key in keys if key.startswith(self._prefix)]
        return [key.removeprefix(self._prefix) for key in below]

    def _created(self, name: str, data: bytes) -> bool:
        try:
            self._put(name, data, only_new=True)
        except FileExistsError:
            return False
        return True

    def _put(self, name: str, data: bytes, *, only_new: bool = False) -> None:
        """Write an object in one request: an unfinished multipart upload would leave parts."""
        _appended.pop(self._at(name), None)
        with _explained(self._at(name)):
            self._store.put(
                self._key(name),
                data,
                mode="create" if only_new else "overwrite",
                use_multipart=False,
            )

    def _read_if_there(self, name: str) -> bytes:
        try:
            return self.read(name)
        except FileNotFoundError:
            return b""


@functools.cache
def _client(bucket: str) -> S3Store:
    """Return this process's client for a bucket; environment variables are read once.

    Objects are deleted one at a time: not all servers support bulk deletion.
    """
    config: S3Config = {**TIMEOUTS, "disable_bulk_delete": True}
    with _explained(f"{SCHEME}{bucket}"):
        return S3Store(bucket, config=config, retry_config=RETRIES)


def _entry(facts: "ObjectMeta") -> Entry:
    return Entry(facts["size"], facts["last_modified"].timestamp())


@contextmanager
def _explained(address: str) -> Generator[None]:
    """Turn an object store's error into an OSError that says what to do.

    Only a missing object is a FileNotFoundError: a missing bucket, or a server that is not
    an object store, must not look like an empty folder.
    """
    try:
        yield
    except AlreadyExistsError as error:
        if CONFLICT in str(error):
            raise BlockingIOError(errno.EAGAIN, _advice(CONFLICT), address) from None
        raise FileExistsError(errno.EEXIST, "Object exists", address) from None
    except (BaseError, OSError, ValueError) as error:
        why = str(error).partition("\n\nDebug source")[0]
        if "<Code>NoSuchKey<" in why:
            raise FileNotFoundError(errno.ENOENT, "No such object", address) from None
        raise OSError(errno.EIO, _advice(why), address) from None


def _advice(why: str) -> str:
    remedy = next(remedy for sign, remedy in REMEDIES if sign in why)
    return f"The object store failed. {remedy}. Its error: {' '.join(why.split())[:600]}"
