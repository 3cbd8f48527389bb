"""Runs of a scheduler, one after another under one start, with what was heard of each.

python -c "import scheduling; scheduling.main()" FOLDER [REFUSED]    the same under Ray

A process can start one Ray: so that what is refused at the start is asked for in another.
"""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from cluster.processes import Offspring
from sweeps.errors import SweepError
from sweeps.plan.packs import packs
from sweeps.plan.plan import plan
from sweeps.spec.experiment_file import Experiment, load_experiment
from sweeps.spec.trial_type import Resources
from sweeps.spec.user_code import UserCode
from sweeps.storage.folder import Folder
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of
from sweeps.worker.assignment import Assignment, Parcel
from sweeps.worker.progress import Progress
from sweeps.worker.scheduler import Scheduler, Setup, Start

BUDGET = 100
WALKS = '''"""Where does a walk end?"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.spec.sweep import Sweep

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Walk:
    seed: int
    fate: str = ""
    check_every: int = 10
    numerics = "walk 1"

    def start(self, device):
        generator = np.random.default_rng(self.seed)
        return {"generator": generator, "x": generator.standard_normal(4)}

    def advance(self, state, updates):
        for _ in range(updates):
            state["x"] -= 0.1 * (state["x"] + state["generator"].standard_normal(4))
            if (HERE / "slow").exists():
                time.sleep(0.1)
        if self.fate == "raises":
            raise RuntimeError("the walk is on fire")
        if self.fate == "dies once" and not (HERE / "died").exists():
            (HERE / "died").touch()
            sys.exit("the walk leaves")
        if self.fate == "dies":
            sys.exit("the walk leaves for good")
        return state

    def check(self, state):
        return {"distance": float(np.linalg.norm(state["x"]))}


FATES = {"raises": 10, "dies once": 20, "dies": 30}
sweep = Sweep(
    name="walks",
    budget=100,
    trials=[Walk(seed=seed) for seed in range(6)]
    + [Walk(seed=seed, fate=fate) for fate, seed in FATES.items()],
)
'''


@dataclass
class Recorder:
    """Hears a run, and asks it to stop where it is to."""

    stop_when: Callable[[Progress], bool] = lambda progress: False
    reports: list[tuple[int, Progress]] = field(default_factory=list[tuple[int, Progress]])
    given_up: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    stopped: bool = False

    def report(self, number: int, progress: Progress) -> None:
        self.reports.append((number, progress))
        self.stopped = self.stopped or self.stop_when(progress)

    def gave_up(self, number: int, error: str, traceback: str) -> None:
        self.given_up.append((number, error, traceback))

    def asked(self) -> bool:
        return self.stopped


@dataclass(frozen=True)
class Heard:
    """What was heard of one run; what it has kept is in a folder of its name."""

    reports: list[tuple[int, Progress]]
    given_up: list[tuple[int, str, str]]

    def of(self, number: int) -> list[Progress]:
        return [progress for pack, progress in self.reports if pack == number]


def setup(workers: int = 2, resources: Resources | None = None) -> Setup:
    return Setup(
        name="sweep walks",
        metadata={"sweep": "walks"},
        workers=workers,
        limited=True,
        resources=resources or Resources(),
        offspring=Offspring(),
        lost=_lost,
        not_started=_lost,
    )


@functools.cache
def experiment(folder: Path) -> Experiment:
    """Load the experiment of a folder, once: loading it again makes another class."""
    return load_experiment(str(folder / "walks.py"))


def walks(folder: Path, *, fate: str = "", seeds: int = 0) -> list[Any]:
    """The trials of the experiment in a folder: some that walk, and one of a fate."""
    trials = experiment(folder).sweep.trials
    plain = [trial for trial in trials if not trial.fate][:seeds]
    return plain + [trial for trial in trials if fate and trial.fate == fate]


def every_run(start: Start, folder: Path) -> dict[str, Heard]:
    """Start a scheduler and let it do each run in turn."""
    write(folder)
    slow = folder / "slow"
    heard: dict[str, Heard] = {}

    def run(
        scheduler: Scheduler, name: str, trials: list[Any], size: int, **more: Any
    ) -> None:
        heard[name] = one_run(scheduler, folder, name, trials, size, **more)

    with start(setup()) as scheduler:
        run(scheduler, "all", walks(folder, seeds=5), 2)
        run(scheduler, "raises", walks(folder, seeds=2, fate="raises")[::-1], 3)
        run(scheduler, "dies once", walks(folder, seeds=2, fate="dies once"), 3)
        run(scheduler, "dies", walks(folder, seeds=2, fate="dies"), 1)
        run(scheduler, "no worker", walks(folder, seeds=1), 1, broken=True)
        slow.touch()
        run(scheduler, "stopped", walks(folder, seeds=3), 1, stop_when=_under_way)
        slow.unlink()
        heard["resumed"] = one_run(scheduler, folder, "stopped", walks(folder, seeds=3), 1)
    return heard


def one_run(
    scheduler: Scheduler,
    folder: Path,
    name: str,
    trials: list[Any],
    size: int,
    *,
    stop_when: Callable[[Progress], bool] = lambda progress: False,
    broken: bool = False,
) -> Heard:
    """Train some trials, in packs of a size."""
    kept = store(folder, name)
    kept.create()
    work = plan(trials, kept.standings(), BUDGET)
    of = _Broken if broken else Assignment
    assignment = of("walks", packs(work, size), kept, None, 1, frozenset(), Resources())
    code = UserCode.of(experiment(folder))
    recorder = Recorder(stop_when)
    scheduler.train(assignment, Parcel.of(assignment, code), recorder)
    return Heard(recorder.reports, recorder.given_up)


class _Broken(Assignment):
    """An assignment of which no worker can be made, as where a library is missing."""

    def worker(self) -> NoReturn:
        raise ImportError("no such library here")


def store(folder: Path, name: str) -> Store:
    return Store(Folder(folder / name), experiment(folder).sweep.type.columns)


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "walks.py").write_text(WALKS)


def refusal(start: Start) -> str:
    """Ask for a thousand GPUs; return what is said of it."""
    try:
        with start(setup(resources=Resources(1, 1000))):
            return "it started"
    except SweepError as error:
        return str(error)


def main() -> None:
    """Run all under Ray; write what was heard as JSON."""
    from sweeps.on_ray.scheduler import on_ray

    folder, *refused = map(Path, sys.argv[1:])
    if refused:
        refused[0].write_text(refusal(on_ray))
        return
    heard = every_run(on_ray, folder)
    facts = {
        "runs": {
            name: {
                "reports": [[number, asdict(each)] for number, each in one.reports],
                "given_up": one.given_up,
            }
            for name, one in heard.items()
        }
    }
    (folder / "heard.json").write_text(json.dumps(facts))


def read(folder: Path) -> dict[str, Heard]:
    """Read what `main` has written."""
    facts = json.loads((folder / "heard.json").read_text())
    return {
        name: Heard(
            [(number, Progress(**each)) for number, each in one["reports"]],
            [(number, error, text) for number, error, text in one["given_up"]],
        )
        for name, one in facts["runs"].items()
    }


def ids(trials: list[Any]) -> set[str]:
    return set(map(id_of, trials))


def _under_way(progress: Progress) -> bool:
    return 0 < progress.update < BUDGET


def _lost(why: str) -> NoReturn:
    raise SystemExit(why)
