"""A place that fails briefly is retried; one that keeps failing says what to do."""

import errno
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sweeps.errors import UnwritableError
from sweeps.storage.folder import Folder, System
from sweeps.storage.retrying import Patient

QUICK = (0.0, 0.0, 0.0)


@dataclass
class Failing(System):
    """Fails to make files durable, so many times."""

    times: int
    error: int = errno.EIO
    tried: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def fsync(self, path: Path) -> None:
        self.tried.append(path.name)
        if self.times:
            self.times -= 1
            raise OSError(self.error, "out of order", str(path))
        super().fsync(path)


def patient(folder: Path, system: System) -> Patient:
    return Patient(Folder(folder, system), QUICK)


@pytest.mark.parametrize("times", [0, 1, 3])
def test_what_fails_for_a_moment_succeeds(tmp_path: Path, times: int) -> None:
    place = patient(tmp_path, Failing(times))
    place.replace("a", b"1")
    assert place.create("b", b"2")
    assert [place.read(name) for name in place.names()] == [b"1", b"2"]
    assert len(place.entries()) == 2


def test_a_file_that_a_failed_try_had_put_is_there(tmp_path: Path) -> None:
    """It fails after the link: the second try finds the name taken."""
    system = Failing(0)
    place = patient(tmp_path, system)
    place.create("before", b"")
    system.times = 1
    assert not place.create("a", b"1") or place.read("a") == b"1"
    assert place.read("a") == b"1"


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_lasting_failure_names_the_place_and_the_remedy(
    tmp_path: Path, error: int
) -> None:
    system = Failing(100, error)
    with pytest.raises(UnwritableError, match="run the same command again") as caught:
        patient(tmp_path, system).replace("a", b"1")
    assert str(tmp_path) in str(caught.value)
    assert "out of order" in str(caught.value)
    assert len(system.tried) == 4


def test_what_waiting_cannot_mend_is_not_waited_for(tmp_path: Path) -> None:
    system = Failing(100, errno.EROFS)
    with pytest.raises(UnwritableError):
        patient(tmp_path, system).replace("a", b"1")
    assert len(system.tried) == 2
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError):
        patient(tmp_path, system).read("none")
    with pytest.raises(IsADirectoryError):
        patient(tmp_path, system).read("folder")


def test_folders_inside_and_copies_are_as_patient(tmp_path: Path) -> None:
    place = patient(tmp_path, Failing(2)) / "in"
    place.append("log", b"1\n")
    place.replace("a", b"1")
    assert place.absolute().read("log") == b"1\n"
    assert place.set_aside("a") == str(tmp_path / "in" / "damaged" / "a")
    place.remove("log")
    assert (place.names(), place.folders()) == ([], ["damaged"])
    assert place.address == str(tmp_path / "in")
