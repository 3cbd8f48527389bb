"""What is special to an object store: its failures are reported, with what to do."""

import http.server
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from object_store import NOWHERE, free_port

from sweeps.errors import SweepError
from sweeps.storage import bucket
from sweeps.storage.address import place
from sweeps.storage.bucket import Bucket
from sweeps.storage.place import Place

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
CONFLICT = (409, f"<Error><Code>{bucket.CONFLICT}</Code></Error>")
ACTS = {
    "names": lambda where: where.names(),
    "folders": lambda where: where.folders(),
    "entries": lambda where: where.entries(),
    "read": lambda where: where.read("part"),
    "create": lambda where: where.create("part", b""),
    "replace": lambda where: where.replace("part", b""),
    "append": lambda where: where.append("part", b""),
    "remove": lambda where: where.remove("part"),
    "set_aside": lambda where: where.set_aside("part"),
}


@pytest.fixture(autouse=True)
def _no_client_is_kept() -> Iterator[None]:
    bucket._client.cache_clear()
    yield
    bucket._client.cache_clear()


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Place:
    """A bucket at an endpoint without a server."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    facts = {"AWS_ENDPOINT_URL": NOWHERE, "AWS_METADATA_ENDPOINT": NOWHERE}
    for name, value in (KEYS | facts | {"AWS_ALLOW_HTTP": "true"}).items():
        monkeypatch.setenv(name, value)
    return place("s3://mine/results")


def failure(where: Place, act: str) -> OSError:
    """Give the error of an act, which is never that a file is missing or there."""
    with pytest.raises(OSError, match="The object store failed") as raised:
        ACTS[act](where)
    assert type(raised.value) is OSError
    assert raised.value.filename.startswith(where.address)
    return raised.value


@pytest.mark.parametrize("address", ["s3://", "s3:///results", "results"])
def test_an_address_without_a_bucket_is_refused(address: str) -> None:
    with pytest.raises(SweepError, match=r"has no bucket name\. Use s3://BUCKET/PREFIX"):
        Bucket(address)


def test_a_slash_at_the_end_changes_nothing() -> None:
    assert (
        place("s3://mine/results/")
        == place("s3://mine/results")
        == Bucket("s3://mine/results")
    )
    assert place("s3://mine/") == Bucket("s3://mine")


def test_a_bucket_may_be_a_place_itself(bucket_url: str) -> None:
    whole = place(bucket_url.rpartition("/")[0])
    whole.replace("ready", b"")
    assert whole.names() == ["ready"]
    (whole / bucket_url.rpartition("/")[2]).create("part", b"data")
    assert bucket_url.rpartition("/")[2] in whole.folders()


def test_planning_loads_no_client() -> None:
    program = "import sys, sweeps.storage.place; sys.exit('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_only_the_address_is_sent(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(OSError, match="failed"):
        where.read("part")
    assert len(pickle.dumps(where)) < 200


def test_dead_endpoints_are_reported_within_fifteen_seconds(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses connections, and one that takes none."""
    with silent() as endpoint, ThreadPoolExecutor(2) as threads:
        bucket._client("mine")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        bucket._client("other")
        began = time.monotonic()
        refused = threads.submit(failure, where, "names")
        unheard = threads.submit(failure, place("s3://other/results"), "names")
        for error, at in ((refused.result(), NOWHERE), (unheard.result(), endpoint)):
            assert "Check the network, AWS_ENDPOINT_URL and AWS_REGION" in str(error)
            assert at in str(error)
        assert time.monotonic() - began < 15


def test_a_server_that_comes_back_is_waited_for(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(monkeypatch, (200, "data"), after_s=1.5):
        assert where.read("part") == b"data"


@pytest.mark.parametrize("act", ACTS)
def test_a_bucket_that_does_not_exist_is_no_empty_folder(bucket_url: str, act: str) -> None:
    error = failure(place("s3://no-such-bucket/results"), act)
    assert "Create the bucket, or correct its name" in str(error)


REFUSED = (
    "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated "
    "does not match the signature you provided.</Message></Error>"
)


@pytest.mark.parametrize("act", ["names", "read", "create", "remove"])
def test_wrong_keys_are_reported(
    where: Place, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Amazon's words: moto's server takes any keys."""
    with answering(monkeypatch, (403, REFUSED)):
        error = failure(where, act)
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(error)


def test_missing_keys_are_reported(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    with answering(monkeypatch, (404, ""), at="AWS_METADATA_ENDPOINT"):
        error = failure(where, "read")
    assert "No credentials were found. Set AWS_ACCESS_KEY_ID" in str(error)


def test_plain_http_must_be_allowed(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    assert "set AWS_ALLOW_HTTP=true" in str(failure(where, "read"))


@pytest.mark.parametrize("act", ACTS)
def test_what_is_no_object_store_is_no_empty_folder(
    where: Place, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(monkeypatch, (404, "Not here")):
        assert "the server there is not an object store" in str(failure(where, act))


@pytest.mark.parametrize(("last", "made"), [((200, ""), True), ((412, ""), False)])
def test_a_conflict_says_nothing_of_what_is_there(
    where: Place, last: tuple[int, str], made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amazon's answer if an object is removed while it is created again."""
    with answering(monkeypatch, CONFLICT, CONFLICT, last):
        assert where.create("part", b"data") == made


def test_endless_conflicts_are_reported(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = [CONFLICT] * (1 + len(bucket.CONFLICT_WAITS_S))
    with (
        answering(monkeypatch, *tries),
        pytest.raises(BlockingIOError, match="Another process was writing or removing it"),
    ):
        where.create("part", b"data")


@pytest.mark.parametrize("prefix", ["a//b", "a/../b", "a\nb"])
def test_an_invalid_prefix_is_reported(where: Place, prefix: str) -> None:
    inside = where / prefix
    assert "Choose a prefix without" in str(failure(inside, "create"))
    assert "Choose a prefix without" in str(failure(inside, "names"))


@contextmanager
def silent() -> Generator[str]:
    """Be an endpoint at which a connection is neither taken nor refused."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for waiting in (first, second):  # who comes after them hears nothing at all
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def answering(
    monkeypatch: pytest.MonkeyPatch,
    *answers: tuple[int, str],
    at: str = "AWS_ENDPOINT_URL",
    after_s: float = 0,
) -> Generator[None]:
    """Be an endpoint that gives these answers, one to a request, and is gone then."""
    port = free_port()
    monkeypatch.setenv(at, f"http://127.0.0.1:{port}")
    server = threading.Timer(after_s, _answer, (port, iter(answers), len(answers)))
    server.start()
    try:
        yield
    finally:
        server.join()


def _answer(port: int, answers: Iterator[tuple[int, str]], count: int) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = next(answers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Last-Modified", "Mon, 23 Nov 2026 08:00:00 GMT")
            self.send_header("ETag", '"1"')
            self.end_headers()
            self.wfile.write(text.encode())

        do_PUT = do_DELETE = do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Answer) as server:
        server.timeout = 20
        for _ in range(count):
            server.handle_request()
