"""A real object store for tests: moto's server on this machine."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError

from sweeps.storage import bucket

MOTO = Path(sys.executable).with_name("moto_server")
BUCKET = "rnnlab-tests"
NOWHERE = "http://127.0.0.1:9"
"""An endpoint without a server."""


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
    """Run a server, with a log in a folder."""
    port = free_port()
    command = [str(MOTO), "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    server = ObjectStore(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait_until_it_stores(server, process, folder / "log")
        yield server
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Find a port of this machine without a server."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_until_it_stores(
    server: ObjectStore, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    deadline = time.monotonic() + 60
    while not _stores(server):
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, f"The object store did not start:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def _stores(server: ObjectStore) -> bool:
    """Make the bucket, where the server is ready for that."""
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="tests",
        aws_secret_access_key="secret",
    )
    try:
        client.create_bucket(Bucket=BUCKET)
    except BotoCoreError:
        return False
    return True
