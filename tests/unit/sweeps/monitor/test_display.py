"""A run on the terminal: a table that is drawn, lines where there is no terminal."""

import io
import time
from dataclasses import replace

import pytest
from progress import tracker
from rich.console import Console
from small import Walk

from sweeps.monitor.display import (
    LiveDisplay,
    PlainDisplay,
    display,
    line,
    render,
    time_left,
)
from sweeps.monitor.snapshot import Snapshot
from sweeps.monitor.tracker import Tracker
from sweeps.plan.packs import Pack, packs
from sweeps.plan.plan import Plan, plan
from sweeps.store.trial_id import id_of
from sweeps.worker.progress import Progress


def terminal() -> tuple[Console, io.StringIO]:
    """A terminal that is wide enough, and what it shows."""
    shown = io.StringIO()
    return Console(file=shown, force_terminal=True, width=140, height=30), shown


def walking() -> Snapshot:
    """Two running walks, one of which has been checked."""
    trials = [Walk(width=width, seed=3) for width in (4, 8)]
    work = plan(trials, {}, 100)
    found = Tracker(work, packs(work, 1), "walks", cpus=2)
    found.report(1, Progress(id_of(trials[0]), 50, "distance", 0.12345, made=50))
    found.report(2, Progress(id_of(trials[1]), 1234567, "distance", None, made=10))
    return found.snapshot()


def test_on_a_terminal_a_table_is_drawn_in_place() -> None:
    console, shown = terminal()
    with display(console) as found:
        assert isinstance(found, LiveDisplay)
        found.show(walking())
        time.sleep(0.5)
        drawn = shown.getvalue()
    for words in (
        "walks: 0 of 2 trials done, 0 solved, 0 unsolved, 0 diverged, 0 failed",
        id_of(Walk(width=4, seed=3))[:12],
        "width 4",
        "width 8",
        "distance 0.123",
        "1,234,567",
        "on 2 workers",
    ):
        assert words in drawn
    assert "seed" not in drawn  # all have the same
    assert "\x1b[" in shown.getvalue()[len(drawn) :]  # it is wiped at the end


def test_a_table_shows_each_trial_under_way_and_no_other() -> None:
    console, shown = terminal()
    snapshot = walking()
    console.print(render(replace(snapshot, running=snapshot.running[:1], solved=1)))
    text = shown.getvalue()
    assert "width 4" in text
    assert "width 8" not in text
    assert "1 of 2 trials done, 1 solved" in text


def test_where_there_is_no_terminal_a_line_is_written_when_a_trial_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    now = [1000.0]
    monkeypatch.setattr("sweeps.monitor.display.time.monotonic", lambda: now[0])
    with display(Console(file=written)) as shown:
        assert isinstance(shown, PlainDisplay)
        snapshot = tracker().snapshot()
        for each in (snapshot, snapshot, replace(snapshot, solved=1)):
            shown.show(each)
        assert written.getvalue().splitlines() == [
            line(snapshot),
            line(replace(snapshot, solved=1)),
        ]
        now[0] += 20
        shown.show(replace(snapshot, solved=1))
        shown.show(replace(snapshot, solved=1, stopping=True))
    assert len(written.getvalue().splitlines()) == 4


def test_it_is_said_that_a_run_is_stopping_and_how_long_it_takes_at_most() -> None:
    snapshot = tracker().snapshot()
    assert time_left(snapshot) == "time left unknown"
    assert time_left(replace(snapshot, eta_s=125.0)) == "at most 2 min 5 s left"
    assert "stopping" in time_left(replace(snapshot, eta_s=125.0, stopping=True))


def test_names_of_a_users_that_look_like_markup_are_shown_as_they_are() -> None:
    console, shown = terminal()
    snapshot = walking()
    odd = replace(snapshot.running[0], about="mode [bold]x[/bold]", measurement="[red]e")
    console.print(render(replace(snapshot, running=[odd])))
    assert "mode [bold]x[/bold]" in shown.getvalue()
    assert "[red]e 0.123" in shown.getvalue()


def test_of_many_that_are_trained_at_once_one_is_shown_and_all_are_counted() -> None:
    trials = [Walk(seed=seed) for seed in range(5)]
    found = Tracker(*_one_pack(trials), "walks", cpus=1)
    found.report(1, Progress(id_of(trials[0]), 50, "distance", 0.5, made=90, together=4))
    snapshot = found.snapshot()
    assert "; 4 running, " in line(snapshot)
    console, shown = terminal()
    console.print(render(snapshot))
    assert "and 3 more" in shown.getvalue()


def _one_pack(trials: list[Walk]) -> tuple[Plan, list[Pack]]:
    work = plan(trials, {}, 100)
    return work, packs(work, 5)
