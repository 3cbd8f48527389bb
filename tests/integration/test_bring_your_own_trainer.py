"""The page on one's own trainer: its file is the example, its commands do what it shows."""

import contextlib
import io
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import sweeps
from sweeps.cli import call
from sweeps.maintenance.verify import lines
from sweeps.run.driver import Driver, drive
from sweeps.run.interrupt import StopRequest
from sweeps.spec.experiment_file import load_experiment
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Selection
from sweeps.store.not_kept import refusal
from sweeps.store.trial_id import id_of
from sweeps.worker.in_process import in_process

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/bring-your-own-trainer.md").read_text()
EXAMPLE = ROOT / "examples/digits.py"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def code(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def shown(command: str) -> str:
    """Return what the page shows after a command, up to the next one."""
    found = re.search(
        rf"^\$ {re.escape(command)}\n(.*?)(?=^\$ |^```)", PAGE, re.MULTILINE | re.DOTALL
    )
    assert found, command
    return found[1]


def test_the_blocks_of_the_page_are_the_example_from_first_line_to_last() -> None:
    *parts, outcome = blocks("python")
    assert code("".join(parts)) == code(EXAMPLE.read_text())
    assert outcome.startswith("def outcome(self, checks):")
    assert f"`examples/digits.py`, {len(EXAMPLE.read_text().splitlines())} lines" in PAGE


def test_what_the_page_quotes_is_what_is_said() -> None:
    drawn, kept = (block.strip() for block in blocks("text"))
    counts = {"equal": 0, "different": 0, "not comparable": 0}
    trial = {
        "trial_id": "0",
        "verdict": "different",
        "differences": (),
        "made_by": "",
        "ours": "",
        "global_generators": ("torch",),
    }
    assert drawn in lines({**counts, "trials": [trial]})
    assert kept == str(refusal({1, 2}, 'state["seen"]'))


def test_the_plan_is_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert call(["plan", "./digits.py"]) == 0
    assert capsys.readouterr().out == shown("sweep plan ./digits.py")


def test_a_trial_can_be_tried_in_an_interpreter() -> None:
    typed, printed = shown("python -i digits.py").rsplit(">>> ", 1)[0], io.StringIO()
    last, answer = shown("python -i digits.py").rsplit(">>> ", 1)[1].splitlines()
    known = {"trials": load_experiment(str(EXAMPLE)).sweep.trials}
    with contextlib.redirect_stdout(printed):
        exec(typed.replace(">>> ", ""), known)
        exec(f"print({last})", known)
    assert printed.getvalue().strip() == answer


@pytest.mark.slow
def test_the_page_can_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    whole = Selection(experiment="./digits.py")
    for selection in (whole, replace(whole, budget=4000, where="width == 32")):
        words = Driver(selection=selection, run=RunOptions())
        assert drive(words, StopRequest(), in_process) == 0
    printed = capsys.readouterr().err.replace("sweep: sweep: ", "sweep: ")
    for line in shown("sweep run ./digits.py").splitlines():
        assert line in printed
    assert call(["verify", "./digits.py", "--sample", "3", "--seed", "1"]) == 0
    assert capsys.readouterr().out == shown("sweep verify ./digits.py --sample 3 --seed 1")
    assert call(["draw", "./digits.py"]) == 0
    assert capsys.readouterr().out == shown("sweep draw ./digits.py")
    table = sweeps.load("./digits.py")
    found = table.pivot_table(index="lr", columns="width", values="accuracy")
    rows = re.findall(r"^(\d\.\d\d)((?:   ?\d\.\d{3})+)$", PAGE, re.MULTILINE)
    for lr, values in rows:
        assert list(found.loc[float(lr)]) == pytest.approx(
            [float(each) for each in values.split()], abs=0.02
        )
    assert len(rows) == len(found) == 3


def test_the_trials_that_the_page_verifies_are_those_that_the_seed_draws() -> None:
    trials = list(load_experiment(str(EXAMPLE)).sweep.trials)
    shuffled = random.Random(1).sample(trials, len(trials))
    drawn = [id_of(trial)[:12] for trial in shuffled[:3]]
    assert re.findall(r"^(\w{12})  equal$", PAGE, re.MULTILINE) == sorted(drawn)
