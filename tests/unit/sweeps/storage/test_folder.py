"""A folder keeps its promises when its process is killed and when the power fails."""

import errno
import os
import resource
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from crashing import LOSSES, Crash, CrashingSystem, Flaky, Loss, crash_points

from sweeps.storage.folder import TEMPORARY, Folder, System

OLD, NEW = b"old" * 1000, b"new" * 2000
Act = Callable[[Folder], object]


def read(folder: Folder, name: str) -> bytes | None:
    try:
        return folder.read(name)
    except FileNotFoundError:
        return None


def after_crashes(
    tmp_path: Path, act: Act, loss: Loss, *, old: bytes | None = None
) -> Iterator[tuple[Folder, bool]]:
    """Give the folder after each crash of an act and a power failure, and if it returned."""
    turns = count()
    path = tmp_path

    def attempt(system: CrashingSystem) -> None:
        nonlocal path
        path = tmp_path / f"{next(turns)}" / "results"
        if old is not None:
            Folder(path).create("part", old)
        act(Folder(path, system))

    for system in crash_points(attempt):
        system.lose_power(loss)
        yield Folder(path), system.returned


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return request.param


def test_a_created_file_is_whole_or_not_there(tmp_path: Path, loss: Loss) -> None:
    for folder, returned in after_crashes(tmp_path, lambda f: f.create("part", NEW), loss):
        assert read(folder, "part") in ({NEW} if returned else {None, NEW})
        assert set(folder.names()) <= {"part"}
        folder.create("part", NEW)
        assert folder.read("part") == NEW


def test_creating_leaves_what_is_there(tmp_path: Path, loss: Loss) -> None:
    found = after_crashes(tmp_path, lambda f: f.create("part", NEW), loss, old=OLD)
    for folder, _ in found:
        assert folder.read("part") == OLD


def test_a_replaced_file_is_the_old_or_the_new(tmp_path: Path, loss: Loss) -> None:
    found = after_crashes(tmp_path, lambda f: f.replace("part", NEW), loss, old=OLD)
    for folder, returned in found:
        assert folder.read("part") in ({NEW} if returned else {OLD, NEW})
        assert folder.names() == ["part"]


def test_a_file_put_for_the_first_time_is_whole_or_not_there(
    tmp_path: Path, loss: Loss
) -> None:
    for folder, returned in after_crashes(tmp_path, lambda f: f.replace("part", NEW), loss):
        assert read(folder, "part") in ({NEW} if returned else {None, NEW})


@pytest.mark.parametrize("loss", ["nothing", "names", "everything"])
def test_a_file_that_need_not_last_is_whole_unless_its_name_outlives_its_data(
    tmp_path: Path, loss: Loss
) -> None:
    def act(folder: Folder) -> None:
        folder.replace("part", NEW, durable=False)

    for folder, _ in after_crashes(tmp_path, act, loss, old=OLD):
        assert folder.read("part") in {OLD, NEW}


def test_a_removed_file_is_whole_or_gone(tmp_path: Path, loss: Loss) -> None:
    for folder, _ in after_crashes(tmp_path, lambda f: f.remove("part"), loss, old=OLD):
        assert read(folder, "part") in {OLD, None}


def test_a_file_that_is_set_aside_is_never_lost(tmp_path: Path, loss: Loss) -> None:
    for folder, returned in after_crashes(
        tmp_path, lambda f: f.set_aside("part"), loss, old=OLD
    ):
        here, aside = read(folder, "part"), read(folder / "damaged", "part")
        assert OLD in {here, aside}
        assert {here, aside} <= {OLD, None}
        assert not returned or (here, aside) == (None, OLD)


def test_lines_are_whole_but_for_the_last(tmp_path: Path, loss: Loss) -> None:
    def act(folder: Folder) -> None:
        for _ in range(3):
            folder.append("part", b"line\n")

    for folder, _ in after_crashes(tmp_path, act, loss, old=b"first\n"):
        assert b"first\nline\nline\nline\n".startswith(folder.read("part"))


@pytest.mark.parametrize("name", ["part", "other"])
def test_what_another_was_creating_when_it_was_killed_can_be_counted_on(
    tmp_path: Path, name: str
) -> None:
    """Its folders, or its file, may be there and not durable yet."""
    turns = count()
    path = tmp_path

    def attempt(system: CrashingSystem) -> None:
        nonlocal path
        path = tmp_path / f"{next(turns)}" / "results" / "parts"
        Folder(path, system).create("part", NEW)

    for system in crash_points(attempt):
        system.restart()
        Folder(path, system).create(name, NEW)
        system.lose_power("everything")
        assert Folder(path).read(name) == NEW


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "results")
    folder.create("part", NEW)
    folder.remove("part")
    folder.path.rmdir()
    assert folder.create("part", NEW)


def test_a_file_is_not_there_under_its_name_before_it_is_whole(tmp_path: Path) -> None:
    """The temporary file is beside it, and named so that a reader skips it."""
    folder = Folder(tmp_path)
    with folder._written(NEW) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(TEMPORARY)
        assert temporary.read_bytes() == NEW
        assert folder.names() == []
        assert list(folder.entries()) == [temporary.name]
    assert folder.entries() == {}


@pytest.mark.parametrize("put", [Folder.create, Folder.replace, Folder.append])
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664)])
def test_who_may_read_a_file_is_left_to_the_user(
    tmp_path: Path, put: Callable[..., object], umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        put(Folder(tmp_path), "part", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "part").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("put", [Folder.create, Folder.replace])
def test_a_file_that_cannot_be_put_leaves_nothing_behind(
    tmp_path: Path, put: Callable[..., object]
) -> None:
    class Full(System):
        def write(self, path: Path, data: bytes) -> None:
            super().write(path, data[:1])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(OSError, match="No space left"):
        put(Folder(tmp_path, Full()), "part", NEW)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_does_not_fit_is_not_added(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.append("log", b"12345678\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12, limits[1]))
    try:
        with pytest.raises(OSError, match="No space left for a whole line"):
            folder.append("log", b"12345678\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert folder.read("log") == b"12345678\n"


def test_entries_can_be_listed_while_others_write(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("part", b"")
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for number in range(20):
                folder.replace(f"{number}", b"", durable=False)
                folder.remove(f"{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all("part" in folder.entries() for _ in range(1000))
    finally:
        done.set()
        writer.join()


def test_what_has_a_name_has_an_entry(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"12345")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "results" / "lost").symlink_to(tmp_path / "nowhere")
    folder = Folder(tmp_path / "results")
    assert folder.names() == list(folder.entries()) == ["table"]
    assert folder.entries()["table"].size == 5


def test_a_dead_process_does_nothing_more(tmp_path: Path) -> None:
    folder = Folder(tmp_path, CrashingSystem(at=1))
    for _ in range(3):
        with pytest.raises(Crash):
            folder.create("part", NEW)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_file_is_what_not_fsyncing_leaves(tmp_path: Path) -> None:
    """The model of a power failure has teeth."""
    system = CrashingSystem()
    Folder(tmp_path, system).replace("part", NEW, durable=False)
    system.lose_power("half the data")
    assert Folder(tmp_path).read("part") == NEW[: len(NEW) // 2]


@pytest.mark.parametrize("seed", range(20))
def test_on_a_failing_disk_files_are_whole_and_what_returned_is_there(
    tmp_path: Path, seed: int
) -> None:
    folder, system = Folder(tmp_path), Flaky(seed, probability=0.1)
    for number in range(10):
        try:
            Folder(tmp_path, system).create(f"{number}", NEW)
        except OSError:
            assert read(folder, f"{number}") in {None, NEW}
        else:
            assert folder.read(f"{number}") == NEW
    assert system.failures
