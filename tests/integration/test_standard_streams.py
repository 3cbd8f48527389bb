"""The command under streams that a user's shell closes, or whose encoding is narrow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import write_experiment

SWEEP = [sys.executable, "-m", "sweeps"]


def sweep(
    folder: Path, closed: tuple[int, ...], *argv: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, with some of the standard streams closed."""
    command = " ".join(["exec", '"$@"', *(f"{number}<&-" for number in closed)])
    return subprocess.run(
        ["bash", "-c", command, "bash", *SWEEP, *argv],
        cwd=folder,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_a_run_trains_with_closed_streams(tmp_path: Path, closed: tuple[int, ...]) -> None:
    folder = write_experiment(tmp_path, budget=200).path
    done = sweep(folder, closed, "run", "./small.py", "--in-process")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    status = sweep(folder, (), "status", "./small.py", "--json")
    assert '"waiting": 0' in status.stdout, status.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_stream_cannot_encode_is_a_question_mark(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    monkeypatch.setenv("PYTHONUTF8", "0")
    command = [*SWEEP, "list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("Ω" if encoding == "utf-8" else "?") in done.stdout.decode(encoding)
