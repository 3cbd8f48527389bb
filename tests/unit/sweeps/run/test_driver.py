"""A whole run in this process: planned, trained, shown, stopped, resumed, finished."""

import errno
import io
import json
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from sweeps.errors import SweepError
from sweeps.exit_codes import FAILED, INTERRUPTED, USAGE
from sweeps.run.driver import Driver, drive
from sweeps.run.interrupt import StopRequest
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Selection
from sweeps.storage.folder import Folder, System
from sweeps.storage.retrying import Patient
from sweeps.store.attempts import failed_trials, read_events
from sweeps.store.store import open_store
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.in_process import InProcess, in_process
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import Listener, Setup
from sweeps.worker.training import training

NETS = '''"""Does a small network get anywhere?"""

from rnnlab import TemporalOrder, Trial
from sweeps.spec.sweep import Sweep

sweep = Sweep(
    name="nets",
    budget=40,
    quick_budget=20,
    trials=[
        Trial(task=TemporalOrder(length=10), hidden=4, check_every=10, seed=seed, lr=lr)
        for lr in (0.01, 1e38)
        for seed in range(2)
    ],
)
'''
WALKS = '''"""Where does a walk end?"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.spec.sweep import Sweep

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Walk:
    seed: int
    width: int = 4
    check_every: int = 10
    numerics = "walk 1"

    def start(self, device):
        generator = np.random.default_rng(self.seed)
        return {"generator": generator, "x": generator.standard_normal(self.width)}

    def advance(self, state, updates):
        if (HERE / "broken").exists() and self.seed == 1:
            raise RuntimeError("the walk is on fire")
        if (HERE / "dying").exists() and self.seed == 1:
            raise SystemExit("the walk leaves")
        if (HERE / "fills").exists() and self.seed == 1:
            (HERE / "fills").rename(HERE / "full")
        if (HERE / "slow").exists():
            time.sleep(0.02)
        for _ in range(updates):
            step = state["x"] + state["generator"].standard_normal(self.width)
            state["x"] -= 0.1 * step
        return state

    def check(self, state):
        return {"distance": float(np.linalg.norm(state["x"]))}

    def outcome(self, checks):
        return "solved" if self.width == 1 and checks[-1]["distance"] < 1e6 else None


def draw(results):
    raise NotImplementedError


sweep = Sweep(
    name="walks",
    budget=40,
    trials=[Walk(seed=seed, width=width) for width in (1, 4) for seed in range(3)],
)
'''


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "walks.py").write_text(WALKS)


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report after every chunk of updates, however short."""

    def always(trial: Any, **words: Any) -> Any:
        words["chunk_s"] = 0.0
        return training(trial, **words)

    monkeypatch.setattr("sweeps.worker.worker.training", always)


often = pytest.mark.usefixtures("_often")


def run(
    experiment: str = "walks",
    *,
    where: str | None = None,
    budget: int | None = None,
    stop: StopRequest | None = None,
    start: Any = in_process,
    **options: Any,
) -> int:
    """Type `sweep run`, in this process."""
    engine = "plain" if experiment == "nets" else None
    selection = Selection(experiment=f"{experiment}.py", where=where, budget=budget)
    given: dict[str, Any] = {"cpus": 1, "engine": engine, **options}
    words = Driver(selection=selection, run=RunOptions(**given))
    return drive(words, stop or StopRequest(), start)


def results(name: str = "walks") -> Path:
    return Path("results") / name


def rows(name: str = "walks") -> list[dict[str, Any]]:
    return open_store(Folder(results(name))).read().to_pylist()


def table(name: str = "walks") -> bytes:
    return (results(name) / "table.parquet").read_bytes()


def happened(event: str, name: str = "walks") -> list[dict[str, Any]]:
    found = read_events(Folder(results(name) / "attempts"))
    return [each.as_json() for each in found if each.kind == event]


class Watched:
    """A listener that somebody looks over the shoulder of."""

    def __init__(self, inner: Listener, look: Callable[[Progress], None]) -> None:
        self.inner, self.look = inner, look

    def report(self, number: int, progress: Progress) -> None:
        self.inner.report(number, progress)
        self.look(progress)

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        self.inner.gave_up(number, error, traceback)

    def asked(self) -> bool:
        return self.inner.asked()


def watching(look: Callable[[Progress], None]) -> Any:
    """Start a scheduler that shows each report, once the driver has it."""

    class Watching(InProcess):
        def train(self, assignment: Assignment, parcel: Parcel, listener: Listener) -> None:
            super().train(assignment, parcel, Watched(listener, look))

    @contextmanager
    def start(setup: Setup) -> Generator[InProcess]:
        with in_process(setup):
            yield Watching(setup.workers)

    return start


def stopping(stop: StopRequest, when: Callable[[Progress], bool]) -> Any:
    """Start a scheduler under which somebody presses Ctrl-C at some point."""
    return watching(lambda progress: stop.ask() if when(progress) else None)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_a_run_says_its_plan_trains_all_and_says_what_was_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("nets") == 0
    output = said(capsys)
    assert "nets: 4 trials, 0 done, 4 to run to 40 updates" in output
    assert f"results in {results('nets')}" in output
    assert "all 4 trials have a result: 2 unsolved, 2 diverged; table in" in output
    assert "training used" in output
    assert sorted((row["outcome"], row["updates"]) for row in rows("nets"))[-1] == (
        "unsolved",
        40,
    )


def test_run_again_there_is_nothing_to_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    before = table()
    assert said(capsys)
    assert run(start=_never) == 0
    output = said(capsys)
    assert "6 trials, 6 done, 0 to run" in output
    assert "nothing to train" in output
    assert "all 6 trials have a result: 3 solved, 3 unsolved" in output
    assert table() == before
    assert len(happened("session")) == 1


def _never(setup: Setup) -> Any:
    raise AssertionError("nothing was to be started")


def test_it_tells_how_to_draw_what_can_be_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "draw it: sweep draw walks.py" in said(capsys)
    assert run("nets") == 0
    assert "draw it" not in said(capsys)


def test_a_users_own_trials_go_through_all_of_it() -> None:
    assert run() == 0
    found = rows()
    assert {(row["width"], row["outcome"], row["updates"]) for row in found} == {
        (1, "solved", 10),
        (4, "unsolved", 40),
    }
    assert all(row["distance"] > 0 for row in found)
    history = open_store(Folder(results())).history().to_pylist()
    assert len(history) == 3 * 1 + 3 * 4
    (checkpoints,) = [each for each in results().iterdir() if each.name == "checkpoints"]
    assert len(list(checkpoints.iterdir())) == 3  # of those that may go on


@pytest.mark.parametrize("options", [{"pack": 1}, {"pack": 4}, {"cpus": 3}, {}])
def test_the_table_does_not_depend_on_how_the_run_is_carried_out(
    options: dict[str, Any], tmp_path: Path
) -> None:
    assert run(**options) == 0
    bytes_ = table()
    results().rename("elsewhere")
    assert run(pack=6) == 0
    assert bytes_ == table()


def test_packs_are_as_large_as_is_asked_for() -> None:
    assert run(pack=4) == 0
    packs = {each["pack"] for each in happened("started")}
    assert len(packs) == 2


def test_a_part_is_trained_and_later_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(where="width == 1") == 0
    assert "3 trials, 0 done, 3 to run" in said(capsys)
    assert {row["width"] for row in rows()} == {1}
    assert run() == 0
    assert "6 trials, 3 done, 3 to run" in said(capsys)
    in_parts = table()
    results().rename("elsewhere")
    assert run() == 0
    assert table() == in_parts


def test_a_larger_budget_resumes_and_gives_the_same_as_at_once() -> None:
    assert run(budget=20) == 0
    assert run(budget=60) == 0
    made = [each["made"] for each in happened("finished")]
    assert sorted(made) == [10, 10, 10, 20, 20, 20, 40, 40, 40]
    raised = table()
    results().rename("elsewhere")
    assert run(budget=60) == 0
    assert table() == raised


def test_a_trial_that_fails_is_recorded_listed_and_tried_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("broken").touch()
    assert run() == FAILED
    output = said(capsys)
    assert "6 trials: 2 solved, 2 unsolved, 2 failed; table in" in output
    assert output.count("failed: RuntimeError: the walk is on fire") == 2
    assert f"tracebacks are in {results()}/attempts" in output
    failed = failed_trials(Folder(results() / "attempts"))
    assert all("in advance" in each.last.traceback for each in failed.values())
    Path("broken").unlink()
    assert run() == 0
    assert "6 trials, 4 done, 2 to run" in said(capsys)


def test_a_trial_that_fails_again_and_again_is_left_out_until_one_insists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("broken").touch()
    for _ in range(2):
        assert run(max_failures=2) == FAILED
    assert said(capsys)
    assert run(max_failures=2, start=_never) == FAILED
    output = said(capsys)
    assert "2 trials have failed 2 times and are skipped" in output
    assert "--max-failures 3 retries them once" in output
    Path("broken").unlink()
    assert run(max_failures=3) == 0


def test_a_worker_that_dies_again_and_again_costs_the_trial_that_ran(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("dying").touch()
    assert run(where="width == 4", pack=3) == FAILED
    assert "failed: SystemExit: the walk leaves" in said(capsys)
    (failed,) = failed_trials(Folder(results() / "attempts")).values()
    assert failed.times == 1
    Path("dying").unlink()
    assert run(where="width == 4", pack=3) == 0


def test_asked_to_stop_before_it_begins_it_trains_nothing() -> None:
    stop = StopRequest()
    stop.ask()
    assert run(stop=stop, start=_never) == INTERRUPTED
    assert not (results() / "table.parquet").exists()


@often
@pytest.mark.parametrize("updates", [0, 10, 30])
def test_stopped_in_the_middle_and_resumed_it_gives_the_same_table(updates: int) -> None:
    stop = StopRequest()

    stopped_at: list[int] = []

    def enough(progress: Progress) -> bool:
        if progress.ended == 1 and progress.update >= updates and progress.update < 40:
            stopped_at.append(progress.update)
        return bool(stopped_at)

    words: dict[str, Any] = {"where": "width == 4", "pack": 3}
    assert run(stop=stop, start=stopping(stop, enough), **words) == INTERRUPTED
    stopped = pd.read_parquet(results() / "table.parquet")
    assert stopped["updates"].tolist() == [40]  # what was finished is in the table
    assert run(**words) == 0
    made = sum(each["made"] for each in happened("finished"))
    assert made == 3 * 40 - stopped_at[0]  # what was made is not made again
    resumed = table()
    results().rename("elsewhere")
    assert run(**words) == 0
    assert table() == resumed


class Full(System):
    """A disk on which nothing can be written while there is a file `full` beside it."""

    def write(self, path: Path, data: bytes) -> None:
        _refuse_where_full(path)
        super().write(path, data)

    def append(self, path: Path, data: bytes) -> None:
        _refuse_where_full(path)
        super().append(path, data)


def _refuse_where_full(path: Path) -> None:
    if Path("full").exists():
        raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_a_disk_that_fills_up_halts_the_run_which_resumes_once_there_is_space(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_small_disk(address: str) -> Folder:
        return Folder(Path(address), Full())

    monkeypatch.setattr("sweeps.spec.selection.place", on_a_small_disk)
    monkeypatch.setattr("sweeps.store.store.Patient", partial(Patient, pauses_s=()))
    Path("fills").touch()
    assert run(pack=1) == FAILED
    output = said(capsys)
    assert "No space left on device" in output
    assert "have a result" not in output
    Path("full").unlink()
    assert run() == 0
    assert "all 6 trials have a result" in said(capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"where": "width == 9"}, "No trial of 'walks' matches"),
        ({"budget": 15}, "Choose a positive multiple of 10"),
        ({"pack": 0}, "--pack must be at least 1"),
        ({"engine": "plain"}, "--engine plain has no effect"),
        ({"experiment": "nets", "engine": "warp"}, "No engine is called 'warp'"),
    ],
)
def test_what_cannot_be_run_is_refused_and_leaves_no_trace(
    words: dict[str, Any], message: str
) -> None:
    with pytest.raises(SweepError, match=message):
        run(**words)
    assert not results().exists()
    assert not results("nets").exists()


def test_the_drivers_process_ends_with_the_code_of_a_wrong_use() -> None:
    words = [sys.executable, "-m", "sweeps.run.driver", "walks.py", "--where", "width == 9"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == USAGE
    assert "sweep: No trial of 'walks' matches" in done.stderr


def test_a_session_is_recorded_with_the_numerics_of_its_trials() -> None:
    assert run() == 0
    (session,) = happened("session")
    assert session["budget"] == 40
    assert session["experiment"] == str(Path("walks.py").resolve())
    assert session["run"] == 1
    assert session["numerics_ids"] == sorted({row["numerics_id"] for row in rows()})
    (ended,) = happened("ended")
    assert ended["worker_s"] >= 0


def test_what_has_changed_since_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(budget=20) == 0
    assert "numerics have changed" not in said(capsys)
    Path("walks.py").write_text(WALKS.replace("walk 1", "walk 2"))
    assert run() == 0
    output = said(capsys)
    assert "the numerics have changed since this sweep began: before Walk-" in output
    assert "6 of 6 results were made by the old code" in output
    assert "3 trials with a result at a smaller budget" in output
    assert len(happened("restarted")) == 3


def test_another_run_in_the_same_folder_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output: list[str] = []

    def second(progress: Progress) -> None:
        if not output and (results() / "progress.json").exists():
            run(where="width == 4 and seed == 2")
            output.append(said(capsys))

    assert run(start=watching(second), pack=1) == 0
    assert "is training in this folder too" in "".join(output)


@often
def test_where_it_stands_is_in_a_file_during_the_run_and_not_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweeps.monitor.heartbeat.HEARTBEAT_S", 0.01)
    Path("slow").touch()
    seen: list[dict[str, Any]] = []

    def look(progress: Progress) -> None:
        file = results() / "progress.json"
        if file.exists():
            seen.append(json.loads(file.read_text()))

    assert run(start=watching(look)) == 0
    assert not (results() / "progress.json").exists()
    assert {each["sweep"] for each in seen} == {"walks"}
    running = [each for snapshot in seen for each in snapshot["running"]]
    assert {each["about"] for each in running} >= {"width 4, seed 0", "width 1, seed 2"}
    assert any(each["measurement"] == "distance" and each["value"] for each in running)


@often
def test_lines_are_shown_while_it_runs_and_are_not_taken_for_the_trials_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.monitor.heartbeat.HEARTBEAT_S", 0.005)
    Path("slow").touch()
    assert run(pack=1) == 0
    output = said(capsys).splitlines()
    shown = [line for line in output if line.startswith("walks: ") and "updates/s" in line]
    assert len(shown) > 3
    assert (
        "walks: 6 of 6 trials done, 3 solved, 3 unsolved, 0 diverged, 0 failed" in shown[-1]
    )
    assert happened("printed") == []


@often
def test_on_a_terminal_a_table_of_what_is_trained_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=140, height=40)
    monkeypatch.setattr("sweeps.run.driver.Console", lambda **words: console)  # pyright: ignore[reportUnknownArgumentType]
    monkeypatch.setattr("sweeps.monitor.heartbeat.HEARTBEAT_S", 0.01)
    Path("slow").touch()
    assert run(budget=200) == 0
    text = drawn.getvalue()
    assert "last check" in text
    assert "width 4, seed" in text
    assert "distance " in text
    assert "of 6 trials done" in text


def test_a_trial_that_takes_more_cores_than_the_run_may_use_is_refused() -> None:
    wide = WALKS.replace('numerics = "walk 1"', 'numerics = "walk 1"\n    cpus = 3')
    Path("walks.py").write_text(wide)
    with pytest.raises(SweepError, match="needs 3 cores, but the run may use 2"):
        run(cpus=2)
    assert not results().exists()
    assert run(cpus=3) == 0
