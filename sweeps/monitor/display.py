"""Show a run: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.monitor.snapshot import Running, Snapshot
from sweeps.store.trial_id import SHOWN_DIGITS
from sweeps.terminal import duration

PLAIN_EVERY_S = 15.0


class Display(Protocol):
    """Something that shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the status of the run."""
        ...


@contextmanager
def display(console: Console) -> Generator[Display]:
    """Return the display for a console, for the duration of a run."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield LiveDisplay(live)
    else:
        yield PlainDisplay(console)


class LiveDisplay:
    """A table that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        """Draw into a Rich `Live`."""
        self._live = live

    def show(self, snapshot: Snapshot) -> None:
        """Redraw the table."""
        self._live.update(render(snapshot))


class PlainDisplay:
    """A line every minute or so, and one for every trial that ends."""

    def __init__(self, console: Console) -> None:
        """Write lines to a console."""
        self._console = console
        self._shown_at = 0.0
        self._shown_state = (-1, False)

    def show(self, snapshot: Snapshot) -> None:
        """Write a line if a trial has ended or some time has passed."""
        now = time.monotonic()
        state = (snapshot.ended, snapshot.stopping)
        if state == self._shown_state and now - self._shown_at < PLAIN_EVERY_S:
            return
        self._shown_at, self._shown_state = now, state
        self._console.print(line(snapshot), highlight=False, soft_wrap=True)


def line(snapshot: Snapshot) -> str:
    """Return a snapshot as one line."""
    return (
        f"{snapshot.sweep}: {snapshot.done_before + snapshot.ended} of {snapshot.trials} "
        f"trials done, {counts(snapshot)}; {snapshot.in_training} running, "
        f"{snapshot.updates_per_s:,.0f} updates/s, {time_left(snapshot)}"
    )


def others(each: Running) -> str:
    """Return the number of trials trained with this one as text; empty if there are none."""
    return f" and {each.together - 1} more" if each.together > 1 else ""


def counts(snapshot: Snapshot) -> str:
    """Return the counts of trials that ended in this run, as text."""
    return (
        f"{snapshot.solved} solved, {snapshot.unsolved} unsolved, "
        f"{snapshot.diverged} diverged, {snapshot.failed} failed"
    )


def time_left(snapshot: Snapshot) -> str:
    """Return the maximum time left as text, or that the run is stopping."""
    if snapshot.stopping:
        return "stopping: workers save checkpoints (Ctrl-C again to kill)"
    if snapshot.eta_s is None:
        return "time left unknown"
    return f"at most {duration(snapshot.eta_s)} left"


def render(snapshot: Snapshot) -> Group:
    """Return a snapshot as a table of the running trials between two lines."""
    done = snapshot.done_before + snapshot.ended
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("trial")
    table.add_column("what")
    table.add_column("update", justify="right")
    table.add_column("")
    table.add_column("last check", justify="right")
    table.add_column("updates/s", justify="right")
    for each in snapshot.running:
        value = "" if each.value is None else f"{each.measurement} {each.value:.3g}"
        table.add_row(
            each.trial_id[:SHOWN_DIGITS],
            Text(each.about + others(each)),  # no markup: text of the user
            f"{each.update:,}",
            ProgressBar(total=snapshot.budget, completed=each.update, width=16),
            Text(value),
            f"{each.updates_per_s:,.0f}",
        )
    head = Text(
        f"{snapshot.sweep}: {done} of {snapshot.trials} trials done, {counts(snapshot)}"
    )
    foot = Text(
        f"{snapshot.updates_per_s:,.0f} updates/s on {snapshot.cpus} workers, "
        f"{duration(snapshot.elapsed_s)} so far, {time_left(snapshot)}",
        style="dim",
    )
    return Group(head, table, foot)
