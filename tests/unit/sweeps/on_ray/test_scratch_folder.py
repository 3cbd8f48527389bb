"""A run's folder goes with the run, or with the next one."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sweeps.on_ray.scratch_folder import PREFIX, private_folder, remove_abandoned

HOLD = """
from sweeps.on_ray.scratch_folder import private_folder
with private_folder() as folder:
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_only_its_owner_can_enter_it_and_it_goes_with_the_run() -> None:
    with private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "ray-token").write_text("secret")
    assert not folder.exists()


def test_the_folder_of_a_killed_run_goes_and_that_of_a_live_one_stays() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        with private_folder() as ours:
            remove_abandoned()
            assert theirs.exists()
            assert ours.exists()
            other.kill()
            other.wait()
            assert theirs.exists()
            with private_folder() as next_one:
                assert not theirs.exists()
                assert ours.exists()
                assert next_one != ours


def test_what_is_no_folder_of_ours_stays(temporary: Path) -> None:
    kept = temporary / "kept"
    kept.mkdir()
    (temporary / f"{PREFIX}link").symlink_to(kept)
    (temporary / f"{PREFIX}file").touch()
    (temporary / "sweep-mine").mkdir()
    remove_abandoned()
    assert {each.name for each in temporary.iterdir()} == {
        "kept",
        "sweep-mine",
        f"{PREFIX}link",
        f"{PREFIX}file",
    }
