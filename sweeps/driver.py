"""The driver: Ray Tune fans the packs out, one Tune trial a pack.

Started as `python -m sweeps.driver`, with the words of `sweep run`, by a backend of
`cluster`. It ends when its parent does.
"""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import tyro
from rich.console import Console

from cluster.local import follow_parent
from cluster.processes import adopt_orphans
from rnnlab.engines import Engine, choose
from sweeps.attempts import Attempts, circumstances, events, next_run
from sweeps.changes import changes
from sweeps.display import display
from sweeps.errors import SweepError, UnwritableError
from sweeps.finish import FAILED, finish, say
from sweeps.heartbeat import heartbeat
from sweeps.patience import Patient
from sweeps.plan import Pack, Plan, packs, packs_by_time
from sweeps.private import private_folder
from sweeps.ray_session import RaySession, ray_session
from sweeps.retry import plan_to_run
from sweeps.run_options import CONFIG, RunOptions, is_loopback
from sweeps.selection import Chosen, Selection, resolve, sweep_command
from sweeps.speeds import assumed, recorded
from sweeps.stop import INTERRUPTED, Stop
from sweeps.store import Store
from sweeps.supervise import LOST
from sweeps.tracker import Tracker


@dataclass(frozen=True, kw_only=True)
class Driver:
    """The words of `sweep run`."""

    selection: Selection
    run: RunOptions = field(default_factory=RunOptions)


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
    except OSError as error:
        if error.filename is None:  # nothing that the user could mend
            raise
        say(f"{error.filename}: {error.strerror}")
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
    before = list(events(store.attempts))
    attempts = Attempts(Patient(store.attempts), next_run(before))
    run = Run(chosen, work, words.run, store, known, attempts, stop)
    run.begin(before, engine)
    run.train(run.cut(before))
    if stop.halted:
        say(stop.halted)
        return FAILED
    if stop.asked:
        store.compact()
        return INTERRUPTED
    return finish(chosen)


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


@dataclass(frozen=True)
class Run:
    """One run of a sweep: what it has to do, and with what."""

    chosen: Chosen
    work: Plan
    options: RunOptions
    store: Store
    known: frozenset[str]
    """Names of the parts that the plan knew."""
    attempts: Attempts
    stop: Stop

    def begin(self, before: Sequence[Mapping[str, Any]], engine: Engine) -> None:
        """Write down that the run begins, and say what has changed since the last one."""
        here = circumstances()
        ids = {engine.numerics_id(trial) for trial in self.work.trials}
        for line in changes(self.work, before, ids, here["commit"]):
            say(line)
        self.attempts.record(
            "session",
            experiment=self.chosen.experiment.reference,
            budget=self.work.budget,
            argv=sys.argv[1:],
            numerics_ids=sorted(ids),
            **here,
        )

    def cut(self, before: Sequence[Mapping[str, Any]]) -> list[Pack]:
        """Cut the work into packs, by number or by how long its trials last."""
        if self.options.pack is not None:
            return packs(self.work, self.options.pack)
        trials, engine = self.work.trials, self.options.engine
        speeds = recorded(before, trials) or assumed(engine)
        return packs_by_time(self.work, speeds.typical, self.options.workers)

    def train(self, assigned: list[Pack]) -> None:
        """Start Ray, let Tune train the packs, and show how they get on."""
        with (
            private_folder() as private,
            self._ray(len(assigned), private) as session,
        ):
            signal.signal(signal.SIGINT, self.stop)
            signal.signal(signal.SIGTERM, self.stop)
            _announce(session, self.options.dashboard_host)
            workers = min(self.options.cpus or session.cpus, len(assigned))
            tracker = Tracker(self.work, assigned, self._name, workers, session.dashboard)
            with (
                display(Console(stderr=True)) as shown,
                heartbeat(tracker, self.store.place, shown, self.stop),
            ):
                self._tune(tracker, private / "tune")
            with suppress(UnwritableError):  # worth nothing where the disk is full
                self.attempts.record("ended", **asdict(tracker.efficiency()))

    def _tune(self, tracker: Tracker, scratch: Path) -> None:
        from sweeps.trainable import Assignment
        from sweeps.tuning import tune_packs

        if self.stop.asked:
            return
        assignment = Assignment(
            self._name,
            tracker.packs,
            Store(self.store.place.absolute()),
            self.options.engine,
            self.attempts.run,
            self.known,
        )
        tune_packs(
            tracker,
            assignment,
            asked=lambda: self.stop.asked,
            halt=self.stop.halt,
            scratch=scratch,
        )

    def _ray(self, packs: int, private: Path) -> AbstractContextManager[RaySession]:
        """Start Ray, or join it, under the sweep's name."""
        options = self.options
        return ray_session(
            name=f"sweep {self._name}",
            metadata={
                "sweep": self._name,
                "results": self.store.place.absolute().address,
                "trials": str(len(self.work.to_run)),
            },
            cpus=min(options.workers, packs),
            address=options.address,
            dashboard=None if options.no_dashboard else options.dashboard_host,
            private=private,
            offspring=self.stop.offspring,
            lost=self._leave,
        )

    def _leave(self, why: str) -> NoReturn:
        """Leave a run whose Ray has gone; what waits for Ray would wait for ever."""
        words = (*self.chosen.selection.argv(), *self.options.argv())
        again = sweep_command("run", *words)
        say(f"{why}: the run ends here. Nothing committed is lost; go on with\n  {again}")
        self.stop.end_at_once(LOST)

    @property
    def _name(self) -> str:
        return self.chosen.experiment.sweep.name


def _announce(session: RaySession, host: str) -> None:
    if session.dashboard is None:
        return
    token = f", token in {session.token_file}" if session.token_file else ""
    say(f"Ray dashboard at {session.dashboard}{token}")
    if session.token_file and not is_loopback(host):
        port = session.dashboard.rpartition(":")[2]
        say(f"others can reach it too, at {host}, port {port}; they need the token")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
