"""Ray that does not start, or must start in an awkward place: one line, never a traceback."""

from pathlib import Path

import pytest
from commands import write_experiment

pytestmark = pytest.mark.ray


def test_a_ray_that_does_not_start_is_started_again_twice_and_then_reported(
    tmp_path: Path,
) -> None:
    folder = write_experiment(tmp_path, budget=200)
    done = folder.sweep("run", "./small.py", more={"RAY_TMPDIR": "/dev/null/x"})
    assert done.returncode == 1
    assert done.stderr.count("Ray has not started") == 3
    assert "Not a directory: '/dev/null/x'" in done.stderr
    assert "logs are in /dev/null/x/ray" in done.stderr
    assert "starting Ray again, 2 of at most 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_long_folder_for_temporary_files_is_no_obstacle(tmp_path: Path) -> None:
    folder = write_experiment(tmp_path, budget=200, seeds=1)
    long = tmp_path / ("x" * 80)
    long.mkdir()
    done = folder.sweep("run", "./small.py", "--no-dashboard", more={"TMPDIR": str(long)})
    assert done.returncode == 0, done.stderr
    assert folder.table.exists()
    assert "Traceback" not in done.stderr
