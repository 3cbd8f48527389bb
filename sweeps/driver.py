"""The driver: Ray Tune fans the packs out, one Tune trial a pack.

Started as `python -m sweeps.driver`, with the words of `sweep run`, by a backend of
`cluster`. It ends when its parent does.
"""

import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

import tyro
from rich.console import Console

from cluster.local import follow_parent
from cluster.processes import Offspring, adopt_orphans
from rnnlab.engines import Engine, choose
from sweeps.attempts import Attempts, circumstances, events, next_run
from sweeps.changes import changes
from sweeps.display import Display, display
from sweeps.errors import SweepError, UnwritableError
from sweeps.finish import FAILED, finish, say
from sweeps.patience import Patient
from sweeps.plan import Pack, Plan, packs, packs_by_time
from sweeps.private import private_folder
from sweeps.ray_session import RaySession, ray_session
from sweeps.retry import plan_to_run
from sweeps.run_options import CONFIG, RunOptions, is_loopback
from sweeps.selection import Chosen, Selection, resolve, sweep_command
from sweeps.speeds import assumed, recorded
from sweeps.store import Store
from sweeps.supervise import LOST
from sweeps.tracker import HEARTBEAT_S, Tracker, drop_snapshot, write_snapshot

INTERRUPTED = 130
INSIST_AFTER_S = 20.0
"""How long a clean stop may take once the parent has gone."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """The words of `sweep run`."""

    selection: Selection
    run: RunOptions = field(default_factory=RunOptions)


class Stop:
    """Whether the run has been asked to stop; a second signal does not wait."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False
        self.halted = ""
        self.offspring = Offspring()

    def __getstate__(self) -> dict[str, object]:
        """Leave the processes out: Tune pickles its stopper, though nobody reads it back."""
        return {"asked": self.asked, "halted": self.halted}

    def ask(self) -> None:
        """Ask the run to stop; asking again changes nothing."""
        self.asked = True

    def halt(self, why: str) -> None:
        """Ask the run to stop because nothing can be kept any more."""
        self.halted = self.halted or why
        self.ask()

    def ask_and_insist(self) -> None:
        """Ask, and end all of it where asking has not helped in time."""
        self.ask()
        time.sleep(INSIST_AFTER_S)
        self.end_at_once(INTERRUPTED)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal: ask, or where one has asked before, end all of it at once."""
        if self.asked:
            self.end_at_once(INTERRUPTED)
        self.ask()

    def end_at_once(self, code: int) -> NoReturn:
        """Kill what this process started, wherever it is by now, and leave."""
        self.offspring.end()
        os._exit(code)


def main() -> None:
    """Run the driver and leave with its exit code."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Ray's own words are no data
    logging.basicConfig(format="sweep: %(message)s")
    words = tyro.cli(Driver, prog="sweeps.driver", config=CONFIG)
    stop = Stop()
    adopt_orphans()
    signal.signal(signal.SIGINT, stop)
    follow_parent(stop.ask_and_insist)
    try:
        code = drive(words, stop)
    except SweepError as error:
        say(str(error))
        code = 2
    finally:
        stop.offspring.end()
    sys.exit(code)


def drive(words: Driver, stop: Stop) -> int:
    """Train what a selection has left to train and give the exit code."""
    chosen = resolve(words.selection)
    store = Store(chosen.place)
    known = frozenset(store.parts.names())  # before the plan: it knows at least these
    work = plan_to_run(chosen, words.run.max_failures)
    if not work.to_run:
        return finish(chosen)
    store.create()
    engine = prepare(words.run.engine, stop)
    if stop.asked or engine is None:
        return INTERRUPTED
    begun = _begin(chosen, work, engine, store)
    run_packs(chosen, work, words.run, store, known, begun, stop)
    if stop.halted:
        say(stop.halted)
        return FAILED
    if stop.asked:
        store.compact()
        return INTERRUPTED
    return finish(chosen)


def _begin(chosen: Chosen, work: Plan, engine: Engine, store: Store) -> Attempts:
    """Write down that a run begins, and say what has changed since the one before."""
    before, here = list(events(store.attempts)), circumstances()
    for line in changes(work, before, engine.numerics_id, here["commit"]):
        say(line)
    attempts = Attempts(Patient(store.attempts), next_run(before))
    attempts.record(
        "session",
        experiment=chosen.experiment.reference,
        budget=work.budget,
        argv=sys.argv[1:],
        numerics_id=engine.numerics_id,
        **here,
    )
    return attempts


def prepare(engine: str, stop: Stop) -> Engine | None:
    """Let the engine compile what it must, and say so, before workers start.

    Compiling cannot be asked to stop: Ctrl-C breaks it off.

    Raises:
        SweepError: If there is no place for compiled code.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return choose(engine)
    except OSError as error:
        raise SweepError(str(error)) from None
    except KeyboardInterrupt:
        stop.ask()
        return None
    finally:
        signal.signal(signal.SIGINT, stop)


def run_packs(
    chosen: Chosen,
    work: Plan,
    options: RunOptions,
    store: Store,
    known: frozenset[str],
    attempts: Attempts,
    stop: Stop,
) -> None:
    """Start Ray, let Tune train the packs, and show how they get on."""
    name = chosen.experiment.sweep.name
    assigned = _cut(work, options, store)
    with (
        private_folder() as private,
        _ray(chosen, work, options, len(assigned), private, stop) as session,
    ):
        from sweeps.trainable import Assignment
        from sweeps.tuning import tune_packs

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        _announce(session, options.dashboard_host)
        workers = min(options.cpus or session.cpus, len(assigned))
        tracker = Tracker(work, assigned, name, workers, session.dashboard)
        with (
            display(Console(stderr=True)) as shown,
            _heartbeat(tracker, store, shown, stop),
        ):
            if not stop.asked:
                tune_packs(
                    tracker,
                    Assignment(
                        name,
                        assigned,
                        Store(store.place.absolute()),
                        options.engine,
                        attempts.run,
                        known,
                    ),
                    asked=lambda: stop.asked,
                    halt=stop.halt,
                    scratch=private / "tune",
                )
        with suppress(UnwritableError):  # worth nothing where the disk is full
            attempts.record("ended", **asdict(tracker.efficiency()))


def _cut(work: Plan, options: RunOptions, store: Store) -> list[Pack]:
    """Cut the work into packs, by number or by how long its trials last."""
    if options.pack is not None:
        return packs(work, options.pack)
    speeds = recorded(events(store.attempts), work.trials) or assumed(options.engine)
    return packs_by_time(work, speeds.typical, options.workers)


def _ray(
    chosen: Chosen,
    work: Plan,
    options: RunOptions,
    packs: int,
    private: Path,
    stop: Stop,
) -> AbstractContextManager[RaySession]:
    """Start Ray, or join it, under the sweep's name."""
    name = chosen.experiment.sweep.name
    again = sweep_command("run", *chosen.selection.argv(), *options.argv())
    return ray_session(
        name=f"sweep {name}",
        metadata={
            "sweep": name,
            "results": chosen.place.absolute().address,
            "trials": str(len(work.to_run)),
        },
        cpus=min(options.workers, packs),
        address=options.address,
        dashboard=None if options.no_dashboard else options.dashboard_host,
        private=private,
        offspring=stop.offspring,
        lost=partial(_leave, stop, again),
    )


def _leave(stop: Stop, again: str, why: str) -> NoReturn:
    """Leave a run whose Ray has gone; what waits for Ray would wait for ever."""
    say(f"{why}: the run ends here. Nothing committed is lost; go on with\n  {again}")
    stop.end_at_once(LOST)


def _announce(session: RaySession, host: str) -> None:
    if session.dashboard is None:
        return
    token = f", token in {session.token_file}" if session.token_file else ""
    say(f"Ray dashboard at {session.dashboard}{token}")
    if session.token_file and not is_loopback(host):
        port = session.dashboard.rpartition(":")[2]
        say(f"others can reach it too, at {host}, port {port}; they need the token")


@contextmanager
def _heartbeat(
    tracker: Tracker, store: Store, shown: Display, stop: Stop
) -> Generator[None]:
    """Show and write a snapshot now and then, and drop it at the end."""
    done = threading.Event()

    def beat() -> None:
        while True:
            tracker.stopping = stop.asked
            snapshot = tracker.snapshot()
            with suppress(OSError, SystemExit):  # nobody looks any more
                shown.show(snapshot)
            with suppress(OSError):  # worth nothing where the disk is full
                write_snapshot(snapshot, store.place)
            if done.wait(HEARTBEAT_S):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with suppress(OSError, SystemExit):
            shown.show(tracker.snapshot())
        drop_snapshot(store.place)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
