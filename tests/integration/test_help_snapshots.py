"""The exact output of the command line; `UPDATE_SNAPSHOTS=1` updates it."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from commands import SWEEP

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("help", ["--help"]),
        ("run_help", ["run", "--help"]),
        ("typo", ["run", "figure7", "--bugdet", "2000"]),
        ("missing_experiment", ["plan"]),
        ("unknown_column", ["plan", "figure7", "--where", "lenght < 100"]),
    ],
)
def test_the_words_are_those_of_the_snapshot(
    name: str, words: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [str(SWEEP), *words],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = re.sub(r"[ \t]+$", "", done.stdout + done.stderr, flags=re.MULTILINE)
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(said)
    assert said == path.read_text()
