"""The examples, run as their readers run them: interrupted, extended, verified, drawn."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from commands import Folder, driver_of, wait_until

from sweeps.cli import call
from sweeps.exit_codes import INTERRUPTED
from sweeps.maintenance.retrain import verify_one
from sweeps.maintenance.verify import sample
from sweeps.report.draw import draw
from sweeps.run.driver import Driver, drive
from sweeps.run.interrupt import StopRequest
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Selection, resolve
from sweeps.store.checkpoints import glance
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.in_process import in_process
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import Listener, Scheduler, Setup, Start

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES = 60
"""What a researcher has to write is shorter than this."""


@dataclass(frozen=True)
class Example:
    """An example, and a part of it that trains in seconds."""

    name: str
    where: str
    budget: int

    @property
    def file(self) -> Path:
        return EXAMPLES / f"{self.name}.py"

    def selection(self, results: Path, budget: int | None = None) -> Selection:
        return Selection(
            experiment=str(self.file),
            where=self.where,
            budget=budget or self.budget,
            results=str(results),
        )


DIGITS = Example("digits", "width == 32 and lr >= 0.1 and seed == 0", 200)
ALL = (
    DIGITS,
    Example("characters", "context <= 2 and seed == 0", 100),
    Example("salesman", "cooling >= 0.01 and seed == 0", 2000),
)
every_example = pytest.mark.parametrize("example", ALL, ids=lambda each: each.name)


@dataclass
class Interrupting:
    """A listener that asks the run to stop after some reports."""

    listener: Listener
    stop: StopRequest
    reports: int

    def report(self, number: int, progress: Progress) -> None:
        self.listener.report(number, progress)
        self.reports -= 1
        if not self.reports:
            self.stop.ask()

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        self.listener.gave_up(number, error, traceback)

    def asked(self) -> bool:
        return self.listener.asked()


@dataclass(frozen=True)
class Interrupted:
    """Trains update by update, and stops after some reports."""

    scheduler: Scheduler
    stop: StopRequest
    reports: int
    dashboard = None
    token_file = None

    @property
    def workers(self) -> int:
        return self.scheduler.workers

    def train(self, assignment: Assignment, parcel: Parcel, listener: Listener) -> None:
        listener = Interrupting(listener, self.stop, self.reports)
        self.scheduler.train(UpdateByUpdate(**vars(assignment)), parcel, listener)


class UpdateByUpdate(Assignment):
    """An assignment whose workers report after each update."""

    def worker(self):  # pyright: ignore[reportMissingParameterType]
        return replace(super().worker(), chunk_s=0.0)


def interrupted(stop: StopRequest, reports: int) -> Start:
    @contextmanager
    def start(setup: Setup) -> Generator[Scheduler]:
        with in_process(setup) as scheduler:
            yield Interrupted(scheduler, stop, reports)

    return start


def run(selection: Selection, reports: int | None = None) -> int:
    """Run an example in this process, two trials in turns; stop after some reports if asked."""
    stop = StopRequest()
    words = Driver(selection=selection, run=RunOptions(cpus=2, pack=1))
    return drive(words, stop, in_process if reports is None else interrupted(stop, reports))


def tables(selection: Selection) -> tuple[bytes, list[dict[str, object]]]:
    """Return the bytes of the table, and the history."""
    chosen = resolve(selection)
    file = Path(chosen.place.address) / "table.parquet"
    history = chosen.store.history().to_pylist()
    return file.read_bytes(), sorted(history, key=lambda r: (r["trial_id"], r["update"]))


@every_example
def test_an_example_is_short(example: Example) -> None:
    assert example.file.read_text().count("\n") < LINES


def test_every_example_is_tested() -> None:
    assert {each.stem for each in EXAMPLES.glob("*.py")} == {each.name for each in ALL}


@every_example
def test_an_example_is_planned(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["plan", str(example.file), "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    trials = len(resolve(Selection(experiment=str(example.file))).trials)
    assert said.startswith(f"{example.name}: {trials} trials, 0 done, {trials} to run")
    assert list(tmp_path.iterdir()) == []


@every_example
def test_an_interrupted_example_resumes_to_the_same_bytes(
    example: Example, tmp_path: Path
) -> None:
    undisturbed = example.selection(tmp_path / "undisturbed")
    disturbed = example.selection(tmp_path / "disturbed")
    assert run(undisturbed) == 0
    for reports in (7, 60):
        assert run(disturbed, reports) == INTERRUPTED
    kept = (tmp_path / "disturbed").rglob("checkpoints/*.npz")
    places = [glance(each.read_bytes())[2] for each in kept]
    assert len(places) == 2
    assert all(0 < place < example.budget for place in places)
    assert run(disturbed) == 0
    assert tables(disturbed) == tables(undisturbed)


@every_example
def test_an_example_whose_budget_is_extended_equals_one_run_directly(
    example: Example, tmp_path: Path
) -> None:
    direct = example.selection(tmp_path / "direct")
    assert run(direct) == 0
    assert run(example.selection(tmp_path / "extended", example.budget // 2)) == 0
    extended = example.selection(tmp_path / "extended")
    assert run(extended) == 0
    assert tables(extended) == tables(direct)


@every_example
def test_an_example_is_verified_and_drawn(example: Example, tmp_path: Path) -> None:
    selection = example.selection(tmp_path)
    assert run(selection) == 0
    chosen = resolve(selection)
    for kept in sample(chosen, 2, seed=0):
        found = verify_one(kept)
        assert (found.verdict, found.global_generators) == ("equal", ())
        assert found.made_by == found.ours
    svg, png = map(Path, draw(chosen))
    assert "<svg" in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")


WITHOUT_RNNLAB = """
import sys
from importlib.abc import MetaPathFinder


class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "rnnlab":
            raise ImportError(f"{name} is refused here")


sys.meta_path.insert(0, Refuse())

from sweeps.cli import call
from sweeps.run.driver import Driver, drive
from sweeps.run.interrupt import StopRequest
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Selection
from sweeps.worker.in_process import in_process

file, where, budget = sys.argv[1:]
same = [file, "--where", where, "--budget", budget]
selection = Selection(experiment=file, where=where, budget=int(budget))
assert call(["plan", *same]) == 0
assert drive(Driver(selection=selection, run=RunOptions(cpus=1)), StopRequest(), in_process) == 0
assert call(["status", *same]) == 0
assert call(["draw", *same]) == 0
assert "rnnlab" not in sys.modules
"""


def test_the_digits_need_no_rnnlab(tmp_path: Path) -> None:
    words = [str(DIGITS.file), DIGITS.where, str(DIGITS.budget)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RNNLAB, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digits: 2 trials, 0 done, 2 to run to 200 updates")
    assert (tmp_path / "results/digits/digits.svg").exists()


@pytest.mark.ray
def test_the_digits_survive_the_death_of_their_driver(tmp_path: Path) -> None:
    shutil.copy(DIGITS.file, tmp_path)
    folder, parts = Folder(tmp_path), tmp_path / "results/digits/parts"
    part = ("--where", "width == 8 and seed < 2", "--budget", "1000")
    words = ("run", "./digits.py", *part, "--pack", "1", "--no-dashboard")
    first = folder.start(*words)
    wait_until(lambda: parts.exists() and any(parts.iterdir()))
    os.kill(driver_of(first.pid), signal.SIGKILL)
    first.communicate(timeout=60)
    assert first.returncode not in (0, None)
    assert not (parts.parent / "table.parquet").exists()
    again = folder.sweep("run", "./digits.py", *part, "--pack", "1", "--in-process")
    assert again.returncode == 0, again.stderr
    here = replace(DIGITS, where=part[1], budget=1000).selection(tmp_path / "here")
    assert run(here) == 0
    table = (tmp_path / "here/digits/table.parquet").read_bytes()
    assert (parts.parent / "table.parquet").read_bytes() == table
