"""Misuse: one line that names the value and the remedy, exit code 2, nothing written."""

from pathlib import Path

import pytest
from commands import Folder, write_experiment


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return write_experiment(tmp_path / "a folder")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "figure8"],
            "No experiment is called 'figure8'. Known: any_length, clip_threshold, figure7,",
        ),
        (["run", "figure8"], "Did you mean figure7?"),
        (["run", "nowhere.py"], "There is no experiment file"),
        (["plan", "figure7", "--where", "lenght < 100"], "Did you mean"),
        (
            ["run", "figure7", "--where", "__import__('os').system('touch x')"],
            "Compare columns",
        ),
        (["run", "figure7", "--where", "length < 10"], "No trial of 'figure7' matches"),
        (["run", "figure7", "--where", "length < 'ten'"], "which is a number"),
        (["run", "figure7", "--where", "length <"], "cannot be read"),
        (["run", "figure7", "--budget", "0"], "Choose a positive multiple of 2000"),
        (["run", "figure7", "--budget", "-2000"], "Choose a positive multiple of 2000"),
        (["run", "figure7", "--budget", "3000"], "Choose a positive multiple of 2000"),
        (["run", "figure7", "--results", "small.py/x"], "cannot be written"),
        (["run", "figure7", "--cpus", "0"], "--cpus must be at least 1, got 0."),
        (["run", "figure7", "--pack", "0"], "--pack must be at least 1, got 0."),
        (
            ["run", "figure7", "--max-restarts", "-1"],
            "must not be negative, got -1. 0 starts",
        ),
        (
            ["run", "figure7", "--dashboard-host", "8.8.8.8"],
            "--dashboard-host '8.8.8.8' is not an address of this machine",
        ),
        (["run", "figure7", "--dashboard-host", "no such host"], "Use 127.0.0.1 to keep"),
        (["run", "figure7", "--dashboard-host", ""], "is not an address of this machine"),
        (
            ["run", "figure7", "--dashboard-host", "0.0.0.0", "--no-dashboard"],
            "--dashboard-host has no effect with --no-dashboard",
        ),
        (
            ["run", "figure7", "--dashboard-host", "0.0.0.0", "--address", "h:1"],
            "--dashboard-host has no effect with --address",
        ),
        (
            ["run", "figure7", "--engine", "warp"],
            "No engine is called 'warp'. Known: fused_cpu, plain, fused_gpu.",
        ),
        (["show", "zzz"], "No trial's id begins with 'zzz'"),
        (["show", ""], "trials' ids begin with ''"),
        (["show", "6dc9db67ae26", "--plot", "a.jpeg"], "ends in .svg, .png or .pdf"),
        (["show", "6dc9db67ae26", "--plot", "a.png"], "has no check to draw"),
        (["draw", "small.py"], "defines no `draw`"),
        (["draw", "figure7"], "There is no result in results/figure7."),
    ],
)
def test_misuse_is_one_line_with_the_remedy_and_writes_nothing(
    folder: Folder, words: list[str], message: str
) -> None:
    done = folder.sweep(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("sweep: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert [path.name for path in folder.path.iterdir()] == ["small.py"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("task=TemporalOrder(length=5)", "TemporalOrder.length is 5, but the two symbols"),
        ("lr=-1", "lr must be positive, got -1."),
        ("clip_norm=0", "To train without clipping, set Trial.clip_norm to None."),
        ("colour='red'", "unexpected keyword argument 'colour'"),
    ],
)
def test_a_bad_value_in_an_experiment_file_is_named_with_its_line(
    tmp_path: Path, fields: str, message: str
) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from rnnlab import TemporalOrder, Trial\n"
        "from sweeps.spec.sweep import Sweep\n"
        f"trial = Trial({fields})\n"
    )
    done = folder.sweep("run", "mine.py")
    assert done.returncode == 2
    assert f"{tmp_path / 'mine.py'}:3: " in done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["run"], ["run", "figure7", "--bugdet", "1"]]
)
def test_words_that_cannot_be_parsed_exit_with_2(folder: Folder, words: list[str]) -> None:
    done = folder.sweep(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["list", "plan", "run", "status", "show", "draw"])
def test_every_verb_has_one_screen_of_help(folder: Folder, verb: str) -> None:
    done = folder.sweep(verb, "--help")
    assert done.returncode == 0
    assert done.stdout.count("\n") < 50
    assert f"usage: sweep {verb}" in done.stdout
