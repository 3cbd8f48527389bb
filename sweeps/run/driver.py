"""The driver: plan, let a scheduler train the packs, show their progress, finish.

Started as `python -m sweeps.run.driver`, with the arguments of `sweep run`, by a backend of
`cluster`. It ends when its parent does.
"""

import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import NoReturn

import tyro
from rich.console import Console

from cluster.local import follow_parent
from cluster.processes import adopt_orphans
from sweeps.errors import SweepError, UnwritableError
from sweeps.exit_codes import FAILED, INTERRUPTED, LOST, NOT_STARTED, USAGE
from sweeps.monitor.display import display
from sweeps.monitor.heartbeat import heartbeat
from sweeps.monitor.snapshot import read_snapshot
from sweeps.monitor.tracker import Tracker
from sweeps.on_ray.scheduler import on_ray
from sweeps.plan.crews import Crew
from sweeps.plan.division import Division, divide
from sweeps.plan.estimate import Estimate
from sweeps.plan.forecast import (
    compared,
    forecast,
    plan_line,
    unused_gpus,
)
from sweeps.plan.packs import Pack, in_one_queue, packs, packs_by_time, packs_for_slots
from sweeps.plan.plan import Plan
from sweeps.plan.requirements import require_resources
from sweeps.plan.retry import left_out, plan_to_run
from sweeps.plan.speeds import Speeds, assumed, recorded
from sweeps.run.code_changes import changes
from sweeps.run.finish import finish
from sweeps.run.interrupt import StopRequest
from sweeps.run.listener import RunListener
from sweeps.run.provenance import circumstances
from sweeps.spec.run_options import CONFIG, RunOptions, is_loopback
from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.spec.trainer import Trainer
from sweeps.spec.user_code import UserCode
from sweeps.store.attempts import Attempts, next_run, read_events
from sweeps.store.events import Ended, Event, Session
from sweeps.store.repair import repair
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.terminal import say, sweep_command
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.in_process import in_process
from sweeps.worker.pilot import pilot
from sweeps.worker.scheduler import Scheduler, Setup, Start


@dataclass(frozen=True, kw_only=True)
class Driver:
    """The arguments of `sweep run`."""

    selection: Selection
    run: RunOptions = field(default_factory=RunOptions)


def main() -> None:
    """Run the driver and exit with its code."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Ray's output must not reach stdout
    logging.basicConfig(format="sweep: %(message)s")
    command = tyro.cli(Driver, prog="sweeps.run.driver", config=CONFIG)
    stop = StopRequest()
    adopt_orphans()
    signal.signal(signal.SIGINT, stop)
    follow_parent(stop.ask_and_insist)
    try:
        code = drive(command, stop, in_process if command.run.in_process else on_ray)
    except SweepError as error:
        say(str(error))
        code = USAGE
    except OSError as error:
        if error.filename is None:  # nothing that the user could fix
            raise
        say(f"{error.filename}: {error.strerror}")
        code = USAGE
    finally:
        stop.offspring.end()
    sys.exit(code)


def drive(command: Driver, stop: StopRequest, start: Start = on_ray) -> int:
    """Train the trials of a selection that have no result, and return the exit code.

    Args:
        command: The selection and the options.
        stop: Whether a stop was requested.
        start: Starts the scheduler.

    Raises:
        SweepError: If the selection cannot be run; nothing was written then.
    """
    command.run.require_possible()
    chosen = resolve(command.selection)
    require_resources(chosen, command.run)
    store = chosen.store
    for line in repair(store):
        say(line)
    known = frozenset(store.parts.names())  # before the plan: it knows at least these
    work = plan_to_run(chosen, command.run.max_failures)
    division = divide(chosen, command.run)
    device, trainers = command.run.asked_device, None
    if work.to_run and any(crew.resources.device != "cpu" for crew in division.crews):
        trainers = prepare(chosen, division, device, stop)  # first: there may be no device
    if work.to_run:
        Store(chosen.place).create()  # without retries: nothing is lost yet
    code, predicted = UserCode.of(chosen.experiment), None
    with _interruptible(stop):
        predicted = _say_plan(chosen, work, command.run, division, code)
    if not work.to_run:
        say("nothing to train")
        return finish(chosen)
    trainers = None if stop.asked else trainers or prepare(chosen, division, device, stop)
    if trainers is None:
        return INTERRUPTED
    began_at = time.monotonic()
    before = read_events(store.attempts)
    attempts = Attempts(store.attempts, next_run(before))
    run = Run(chosen, work, command.run, division, code, store, known, attempts, stop)
    run.begin(before, trainers)
    run.train(run.cut(before), start)
    if stop.halted:
        say(stop.halted)
        return FAILED
    if stop.asked:
        store.compact()
        return INTERRUPTED
    exit_code = finish(chosen)
    if predicted and exit_code == 0:
        say(compared(predicted, time.monotonic() - began_at))
    return exit_code


def _say_plan(
    chosen: Chosen,
    work: Plan,
    options: RunOptions,
    division: Division,
    code: UserCode | None,
) -> Estimate | None:
    """Print what will be trained, how long it takes, and which other run is active."""

    def measure(crew: Crew, part: Plan) -> Speeds:
        return pilot(part, crew.engine, crew.workers, code, device=options.asked_device)

    predicted = forecast(chosen, work, options, measure=measure, measure_if_long=True)
    say(plan_line(chosen, work, predicted))
    if divided := division.summary(work):
        say(divided)
    if unused := unused_gpus(chosen, work, options):
        say(unused)
    for line in left_out(work, options.max_failures):
        say(line)
    other = read_snapshot(chosen.place)
    if other is not None:
        say(
            f"process {other['pid']} on {other['host']} is training in this folder too. "
            "That is safe: each result is stored once. But some trials may be trained twice; "
            "see `sweep status`"
        )
    return predicted


def prepare(
    chosen: Chosen, division: Division, device: str | None, stop: StopRequest
) -> Mapping[str | None, Trainer] | None:
    """Let the engines compile before workers start; return None if interrupted.

    Raises:
        SweepError: If compiled code cannot be stored, or there is no such device.
    """
    try:
        with _interruptible(stop):
            return {
                crew.engine: chosen.type.trainer(crew.engine, chosen.trials, device)
                for crew in division.crews
            }
    except (OSError, RuntimeError, ImportError) as error:
        raise SweepError(str(error)) from None
    return None


@contextmanager
def _interruptible(stop: StopRequest) -> Generator[None]:
    """Let Ctrl-C interrupt this block, and turn it into a request to stop the run."""
    if signal.getsignal(signal.SIGINT) is not stop:  # as in a test, or another thread
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        stop.ask()
    finally:
        signal.signal(signal.SIGINT, stop)


@dataclass(frozen=True)
class Run:
    """One run of a sweep: its plan, and all that it uses."""

    chosen: Chosen
    work: Plan
    options: RunOptions
    division: Division
    code: UserCode | None
    store: Store
    known: frozenset[str]
    """Names of the parts that the plan knew."""
    attempts: Attempts
    stop: StopRequest

    def begin(
        self, before: Sequence[Event], trainers: Mapping[str | None, Trainer]
    ) -> None:
        """Record the start of the run, and print what has changed since the last one."""
        here = circumstances()
        trials = self.chosen.experiment.sweep.trials  # all: others may have other ids
        engines = {id_of(trial): self.division.crew_of(trial).engine for trial in trials}
        now = {
            id_of(trial): trainers[engines[id_of(trial)]].numerics_id(trial)
            for trial in trials
        }
        for line in changes(self.work, before, now, here["commit"]):
            say(line)
        session = Session(
            experiment=self.chosen.experiment.reference,
            budget=self.work.budget,
            argv=tuple(sys.argv[1:]),
            numerics_ids=tuple(sorted({now[id_of(trial)] for trial in self.work.to_run})),
            **here,
        )
        self.attempts.record(session)

    def cut(self, before: Sequence[Event]) -> list[Pack]:
        """Cut the work into packs: of one crew, or of two in one queue."""
        shares = self.division.shares(self.work)
        if len(self.division.crews) == 1:
            return [pack for share in shares for pack in self._cut(*share, before)]
        cut = [(crew, self._cut(crew, part, before)) for crew, part in shares]
        return in_one_queue(cut, self.work.failed)

    def _cut(self, crew: Crew, part: Plan, before: Sequence[Event]) -> list[Pack]:
        """Cut the work of a crew: into packs of a given size, or of about equal duration.

        Of two crews, the one on GPUs gets one pack for each, whatever size is given.
        """
        slots, alone = crew.resources.slots, len(self.division.crews) == 1
        if self.options.pack is not None and (alone or not crew.resources.gpus):
            return packs(part, self.options.pack)
        if slots > 1 and self.options.address and not self.options.gpus:
            return packs(part, 2 * slots)  # the number of workers is not known
        if slots > 1:
            return packs_for_slots(part, crew.workers)
        found = recorded(before, self.division.timed(crew, self.work.trials))
        speeds = found or assumed(self.chosen.type, crew.engine)
        return packs_by_time(part, speeds.typical, crew.workers)

    def train(self, assigned: list[Pack], start: Start) -> None:
        """Let the scheduler train the packs, and show their progress."""
        with start(self._setup(assigned)) as scheduler:
            _listen_to_signals(self.stop)
            _announce(scheduler, self.options.dashboard_host)
            count = min(scheduler.workers, len(assigned))
            tracker = Tracker(self.work, assigned, self._name, count, scheduler.dashboard)
            listener = RunListener(tracker, self.store, self.attempts, self.stop)
            assignment = self._assignment(assigned)
            with (
                display(Console(file=sys.stderr)) as shown,
                heartbeat(tracker, self.store.place, shown, listener.asked),
            ):
                if not self.stop.asked:
                    parcel = Parcel.of(assignment, self.code)
                    scheduler.train(assignment, parcel, listener)
            with suppress(UnwritableError):  # not needed if the disk is full
                self.attempts.record(Ended(**asdict(tracker.efficiency())))

    def _assignment(self, assigned: list[Pack]) -> Assignment:
        absolute = Store(self.store.place.absolute(), self.store.columns)
        crew = self._crews[0]
        return Assignment(
            self._name,
            assigned,
            absolute,
            crew.engine,
            self.attempts.run,
            self.known,
            crew.resources,
        )

    def _setup(self, assigned: Sequence[Pack]) -> Setup:
        """Describe the run to its scheduler."""
        options, crews = self.options, self._crews
        first, *others = (
            replace(crew, workers=min(crew.workers, self._packs_of(crew, assigned)))
            for crew in crews
        )
        return Setup(
            name=f"sweep {self._name}",
            metadata={
                "sweep": self._name,
                "results": self.store.place.absolute().address,
                "trials": str(len(self.work.to_run)),
            },
            workers=first.workers,
            limited=options.cpus is not None or options.gpus is not None,
            resources=first.resources,
            second=others[0] if others else None,
            address=options.address,
            dashboard=None if options.no_dashboard else options.dashboard_host,
            offspring=self.stop.offspring,
            lost=self._leave,
            not_started=self._not_started,
        )

    def _leave(self, why: str) -> NoReturn:
        """Exit because Ray has died: code that waits for Ray would wait for ever."""
        argv = (*self.chosen.selection.argv(), *self.options.argv())
        again = sweep_command("run", *argv)
        say(f"{why}: the run ends here. Nothing committed is lost; resume with\n  {again}")
        self.stop.end_at_once(LOST)

    def _not_started(self, why: str) -> NoReturn:
        """Exit because Ray has not started; the launcher tries again, unless a stop was asked."""
        if self.stop.asked:
            self.stop.end_at_once(INTERRUPTED)
        say(f"{why}. The machine may be busy. Nothing was trained")
        self.stop.end_at_once(NOT_STARTED)

    def _packs_of(self, crew: Crew, assigned: Sequence[Pack]) -> int:
        """Return how many packs a crew trains; one that names none is of the only crew."""
        return sum(pack.crew in (None, crew) for pack in assigned)

    @property
    def _crews(self) -> list[Crew]:
        """The crews that have something to train."""
        return [crew for crew, _ in self.division.shares(self.work)]

    @property
    def _name(self) -> str:
        return self.chosen.experiment.sweep.name


def _listen_to_signals(stop: StopRequest) -> None:
    """Let SIGINT and SIGTERM request a stop: Ray has replaced the handlers."""
    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, stop)


def _announce(scheduler: Scheduler, host: str) -> None:
    if scheduler.dashboard is None:
        return
    token = f", token in {scheduler.token_file}" if scheduler.token_file else ""
    say(f"Ray dashboard at {scheduler.dashboard}{token}")
    if scheduler.token_file and not is_loopback(host):
        port = scheduler.dashboard.rpartition(":")[2]
        say(f"other machines can reach it at {host}, port {port}, with the token")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
