"""Every sentence of `Place` holds for every place, on a real disk and a real server."""

import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from sweeps.storage.address import place
from sweeps.storage.place import Entry, Place, joined

ODD = ["a b", "it's", 'say "a"', "ünï-日本", "100%", "%41", "a+b", "a#b", "a&b=c;d", "~x"]

RACE = """
import pickle, sys, time
where, me, start = pickle.loads(bytes.fromhex(sys.argv[1])), sys.argv[2], float(sys.argv[3])
where.names()
time.sleep(max(0, start - time.time()))
print(*(k for k in range(12) if where.create(f"part-{k}", me.encode() * 1000)))
"""

REPLACE = """
import itertools, pickle, sys
where = pickle.loads(bytes.fromhex(sys.argv[1]))
for version in itertools.cycle(range(256)):
    where.replace("table", bytes([version]) * 300_000)
"""


VERSIONS = 40
"""How many versions of a file a reader must have seen while they were replaced."""


@pytest.fixture(params=["folder", "bucket"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place in which nothing is yet."""
    if request.param == "folder":
        return place(str(tmp_path / "results" / "small"))
    return place(request.getfixturevalue("bucket_url"))


def started(program: str, where: Place, *words: str) -> "subprocess.Popen[str]":
    """Start a Python process that does something at a place."""
    command = [sys.executable, "-c", program, pickle.dumps(where).hex(), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def put_many(where: Place, names: list[str]) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: where.replace(name, b"x", durable=False), names))


def test_what_is_created_is_there(where: Place) -> None:
    assert where.create("part", b"data")
    assert where.read("part") == b"data"
    assert where.names() == ["part"]


def test_a_created_file_is_never_changed(where: Place) -> None:
    assert where.create("part", b"first")
    assert not where.create("part", b"second")
    assert where.read("part") == b"first"


def test_folders_on_the_way_are_made(where: Place) -> None:
    for put in (Place.create, Place.replace, Place.append):
        deep = where / "a" / put.__name__
        getattr(deep, put.__name__)("file", b"data")
        assert deep.read("file") == b"data"


def test_of_threads_that_create_one_file_exactly_one_does(where: Place) -> None:
    for name in "abcd":
        create = partial(where.create, name)
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(create, [b"%d" % number for number in range(8)]))
        assert made.count(True) == 1
        assert where.read(name) == b"%d" % made.index(True)


def test_of_processes_that_create_one_file_exactly_one_does(where: Place) -> None:
    start = str(time.time() + 2)
    racers = {me: started(RACE, where, me, start) for me in "abcdefgh"}
    made = {me: racer.communicate()[0].split() for me, racer in racers.items()}
    assert sorted(chain(*made.values())) == sorted(str(k) for k in range(12))
    for me, mine in made.items():
        assert {where.read(f"part-{k}") for k in mine} <= {me.encode() * 1000}


def test_a_file_is_replaced(where: Place) -> None:
    for data in (b"first", b"", b"third"):
        where.replace("table", data)
        assert where.read("table") == data
    where.replace("table", b"fourth", durable=False)
    assert where.read("table") == b"fourth"


def test_a_created_file_can_be_replaced(where: Place) -> None:
    where.create("file", b"first")
    where.replace("file", b"second")
    assert where.read("file") == b"second"
    assert not where.create("file", b"third")


def test_a_reader_sees_only_whole_versions(where: Place) -> None:
    where.replace("table", b"\0" * 300_000)
    seen: set[bytes] = set()
    with started(REPLACE, where) as writer:
        try:
            while len(seen) < VERSIONS:
                data = where.read("table")
                assert len(data) == 300_000
                assert data == data[:1] * 300_000
                assert where.names() == ["table"]
                assert writer.poll() is None
                seen.add(data[:1])
        finally:
            writer.kill()


def test_nothing_is_left_beside_the_files(where: Place) -> None:
    where.create("part", b"data")
    where.create("part", b"other")
    where.replace("table", b"data")
    where.replace("table", b"data", durable=False)
    where.append("log", b"line\n")
    assert sorted(where.entries()) == ["log", "part", "table"]
    assert where.folders() == []


def test_names_are_sorted(where: Place) -> None:
    put_many(where, ["b", "a", "B", "10", "9", "é"])
    assert where.names() == ["10", "9", "B", "a", "b", "é"]


def test_files_that_are_being_written_are_no_names_but_entries(where: Place) -> None:
    put_many(where, [".tmp-1", "part"])
    assert where.names() == ["part"]
    assert sorted(where.entries()) == [".tmp-1", "part"]


def test_only_what_is_directly_inside_is_listed(where: Place) -> None:
    where.replace("part", b"")
    (where / "parts").replace("deep", b"")
    (where / "parts" / "more").replace("deeper", b"")
    (where / "other").replace("deep", b"")
    assert where.names() == list(where.entries()) == ["part"]
    assert where.folders() == ["other", "parts"]
    assert (where / "parts").folders() == ["more"]
    assert (where / "part").names() == []


def test_where_nothing_is_nothing_is_listed(where: Place) -> None:
    assert where.names() == []
    assert where.folders() == []
    assert where.entries() == {}


def test_more_names_are_listed_than_a_server_gives_at_once(where: Place) -> None:
    names = [f"{number:04}" for number in range(2500)]
    put_many(where, names)
    assert where.names() == names


def test_entries_have_size_and_time(where: Place) -> None:
    where.replace("empty", b"")
    where.replace("table", b"x" * 12_345)
    found = where.entries()
    assert {name: entry.size for name, entry in found.items()} == {
        "empty": 0,
        "table": 12_345,
    }
    assert all(isinstance(entry, Entry) for entry in found.values())
    assert all(abs(entry.modified_at - time.time()) < 60 for entry in found.values())


def test_a_file_that_is_not_there_cannot_be_read(where: Place) -> None:
    with pytest.raises(FileNotFoundError, match="part"):
        where.read("part")
    where.create("other", b"")
    with pytest.raises(FileNotFoundError, match="part"):
        where.read("part")


def test_a_file_is_removed(where: Place) -> None:
    where.create("part", b"data")
    where.remove("part")
    assert where.names() == []
    assert where.create("part", b"other")


def test_a_file_that_is_not_there_is_removed_too(where: Place) -> None:
    where.remove("part")
    where.create("other", b"")
    where.remove("part")
    assert where.names() == ["other"]


def test_lines_are_appended(where: Place) -> None:
    for number in range(5):
        where.append("log", b"line %d\n" % number)
        assert where.read("log").count(b"\n") == number + 1
    assert where.read("log").splitlines()[-1] == b"line 4"


@pytest.mark.parametrize("forget", [Place.remove, Place.set_aside])
def test_lines_that_are_gone_do_not_come_back(
    where: Place, forget: Callable[[Place, str], object]
) -> None:
    where.append("log", b"first\n")
    getattr(where, forget.__name__)("log")
    where.append("log", b"second\n")
    assert where.read("log") == b"second\n"


def test_lines_are_appended_to_what_is_there(where: Place) -> None:
    where.append("log", b"first\n")
    where.replace("log", b"other\n")
    where.append("log", b"second\n")
    assert where.read("log") == b"other\nsecond\n"


def test_a_harmed_file_is_set_aside(where: Place) -> None:
    where.create("part", b"harmed")
    assert where.set_aside("part") == joined(where / "damaged", "part")
    assert where.names() == []
    assert where.folders() == ["damaged"]
    assert (where / "damaged").read("part") == b"harmed"
    assert where.create("part", b"whole")


def test_what_was_set_aside_before_gives_way(where: Place) -> None:
    for data in (b"first", b"second"):
        where.replace("part", data)
        where.set_aside("part")
    assert (where / "damaged").read("part") == b"second"


def test_a_file_that_is_not_there_cannot_be_set_aside(where: Place) -> None:
    with pytest.raises(FileNotFoundError, match="part"):
        where.set_aside("part")


def test_a_file_may_be_empty(where: Place) -> None:
    assert where.create("empty", b"")
    assert not where.create("empty", b"data")
    assert where.read("empty") == b""
    assert where.names() == ["empty"]


@pytest.mark.parametrize("name", ODD)
def test_names_are_kept_as_they_are(where: Place, name: str) -> None:
    inside = where / f"folder {name}"
    assert inside.create(name, name.encode())
    assert not inside.create(name, b"")
    assert inside.read(name) == name.encode()
    assert inside.names() == list(inside.entries()) == [name]
    assert where.folders() == [f"folder {name}"]
    inside.set_aside(name)
    assert (inside / "damaged").names() == [name]
    (inside / "damaged").remove(name)
    assert (inside / "damaged").names() == []


def test_odd_names_stay_apart(where: Place) -> None:
    put_many(where, ODD)
    assert where.names() == sorted(ODD)


def test_bytes_come_back_as_they_were(where: Place) -> None:
    data = bytes(range(256)) * 40_000  # more than some servers take in one piece
    where.create("part", data)
    assert where.read("part") == data


def test_a_place_is_the_same_elsewhere(
    where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = where if "://" in where.address else place("results/small")
    here.replace("part", b"data")
    absolute = here.absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert absolute.read("part") == b"data"
    assert type(absolute) is type(here)


def test_a_place_can_be_sent_to_another_process(where: Place) -> None:
    where.replace("part", b"data")
    sent = pickle.loads(pickle.dumps(where))
    assert sent == where
    assert hash(sent) == hash(where)
    assert sent.read("part") == b"data"


def test_an_address_leads_to_the_same_place(where: Place) -> None:
    inside = where / "parts"
    inside.replace("part", b"data")
    assert inside.address == joined(where, "parts")
    assert place(inside.address) == inside
    assert place(inside.address).read("part") == b"data"
