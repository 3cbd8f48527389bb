"""Files are whole or not there, and nothing is left beside them."""

from pathlib import Path

import pytest

from sweeps import files


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_committed_file_is_never_changed(tmp_path: Path) -> None:
    path = tmp_path / "part"
    assert files.commit(path, b"first")
    assert not files.commit(path, b"second")
    assert path.read_bytes() == b"first"
    assert listed(tmp_path) == ["part"]


def test_a_derived_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "table"
    for data in (b"first", b"", b"third"):
        files.replace(path, data)
        assert path.read_bytes() == data
    assert listed(tmp_path) == ["table"]


@pytest.mark.parametrize("put", [files.commit, files.replace])
def test_others_may_read_a_file(tmp_path: Path, put: object) -> None:
    put(tmp_path / "part", b"")  # type: ignore[operator]
    assert (tmp_path / "part").stat().st_mode & 0o777 == 0o644


def test_a_file_that_cannot_be_put_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "table" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="table"):
        files.replace(tmp_path / "table", b"data")
    assert listed(tmp_path) == ["table"]


def test_a_file_is_not_there_under_its_name_before_it_is_whole(tmp_path: Path) -> None:
    """The temporary file is named so that a reader skips it."""
    with files._written(tmp_path / "part.parquet", b"data") as temporary:
        assert listed(tmp_path) == [temporary.name]
        assert temporary.name.startswith(files.TEMPORARY)
        assert temporary.parent == tmp_path
        assert temporary.read_bytes() == b"data"
    assert listed(tmp_path) == []
