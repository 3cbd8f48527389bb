"""The `sweep` command: data on stdout, progress on stderr.

Exit codes: 0 everything has a result, 1 some trials failed or differ, 2 usage, 130 interrupted.
"""

import json
import logging
import math
import os
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Annotated, Any

import tyro

from sweeps.errors import SweepError
from sweeps.exit_codes import INTERRUPTED, USAGE
from sweeps.plan.forecast import forecast, plan_line, unused_gpus, workers
from sweeps.plan.plan import plan_of
from sweeps.plan.speeds import Speeds
from sweeps.spec.experiment_file import load_experiment, names
from sweeps.spec.run_options import CONFIG, RunOptions
from sweeps.spec.selection import Selection, resolve
from sweeps.spec.user_code import UserCode
from sweeps.store.trial_id import id_of

Json = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True, kw_only=True)
class List:
    """Every experiment and its question."""

    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print one line an experiment."""
        found = [load_experiment(name) for name in names()]
        rows = [
            {
                "name": each.reference,
                "question": each.question,
                "trials": len(each.sweep.trials),
                "budget": each.sweep.budget,
                "quick_budget": each.sweep.quick_budget,
            }
            for each in found
        ]
        width = max(len(each.reference) for each in found)
        lines = [f"{each.reference:<{width}} {each.question}" for each in found]
        _print(rows, lines, self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `run` would train; changes nothing."""

    selection: Selection
    pilot: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure for some seconds how fast trials train here."""
    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Cores to plan for; without it, every core of this machine."""
    gpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """GPUs to plan for, where the engine takes one; without it, every GPU of this machine."""
    engine: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """What trains, where the trials have several engines."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print the plan."""
        options = RunOptions(
            cpus=self.cpus, gpus=self.gpus, pilot=self.pilot, engine=self.engine
        )
        options.require_possible()
        chosen = resolve(self.selection)
        engine = chosen.type.engine(options.engine)
        work = plan_of(chosen)

        def measure() -> Speeds:
            from sweeps.worker.pilot import pilot

            code = UserCode.of(chosen.experiment)
            device = options.asked_device
            return pilot(work, engine, workers(chosen, options), code, device=device)

        found = forecast(chosen, work, options, measure=measure)
        facts = {
            "sweep": chosen.experiment.sweep.name,
            "trials": len(work.trials),
            "done": work.done,
            "to_run": len(work.to_run),
            "budget": work.budget,
            "results": chosen.place.address,
            "estimate": asdict(found) if found else None,
            "to_run_ids": [id_of(trial) for trial in work.to_run],
        }
        lines = [plan_line(chosen, work, found)]
        if unused := unused_gpus(chosen, work, options):
            lines.append(unused)
        if found is None and work.to_run:
            lines.append("nothing is known of its speed yet: --pilot measures it")
        _print(facts, lines, self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """Train what has no result yet, here and now; run it again at any time."""

    selection: Selection
    run: RunOptions = field(default_factory=RunOptions)

    def __call__(self) -> int:
        """Print the plan, then submit the driver to the local backend and wait."""
        from sweeps.run.launch import launch

        return launch(self.selection, self.run)


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the trials stand: solved, unsolved, diverged, failed, running."""

    selection: Selection
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print the counts, the running trials and the time left."""
        from sweeps.monitor.status import lines, status

        facts = status(resolve(self.selection))
        _print(facts, lines(facts), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Show:
    """One trial: spec, result, history, provenance, and how to train it alone."""

    trial_id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ID")]
    """Its id, or the beginning of it."""
    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder that holds a folder for each sweep, or s3://BUCKET/PREFIX."""
    experiment: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """The experiment's file, for a trial of your own."""
    plot: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw its history too, as SVG, PNG or PDF by the ending of the file's name."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print the trial."""
        from sweeps.report.show_trial import lines, show
        from sweeps.report.sparklines import TextStyle

        facts = show(self.trial_id, self.results, self.experiment)
        if self.plot is not None:
            from sweeps.report.plot_trial import plot

            facts["plot"] = plot(facts, self.plot)
        _print(facts, lines(facts, TextStyle.of(sys.stdout)), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Draw the experiment's figure from its table."""

    selection: Selection
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Write the figure as SVG and PNG beside the table."""
        from sweeps.report.draw import draw

        paths = draw(resolve(self.selection))
        _print({"figures": paths}, paths, self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The paper's claims beside what was found, as one page."""

    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder that holds a folder for each sweep, or s3://BUCKET/PREFIX."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Judge every claim by the tables, and write DIR/claims.md."""
        from sweeps.report.claims_page import facts, lines, write_claims

        address, rows = write_claims(self.results)
        _print({"page": address, "claims": facts(rows)}, lines(address, rows), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Train random finished trials again and compare all numbers, bit for bit."""

    selection: Selection
    sample: Annotated[int, tyro.conf.arg(metavar="K")] = 5
    """How many trials."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Draws the same trials again; without it, others every time."""
    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Trials at a time, one core each; without it, every core of this machine."""
    adopt: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Where all are equal though the numerics have changed, let unsolved trials go on."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print a verdict for each trial; the exit code is 1 where one differs."""
        from sweeps.maintenance.verify import lines, verify_sample

        facts = verify_sample(
            resolve(self.selection),
            self.sample,
            self.seed,
            RunOptions(cpus=self.cpus),
            to_adopt=self.adopt,
        )
        _print(facts, lines(facts), self.json)
        return 1 if facts["different"] else 0


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Join the results of several machines; what they hold stays as it is."""

    sources: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FROM... INTO")
    ]
    """Results folders of one sweep, such as results/figure7; the last takes all in."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print what came in."""
        from sweeps.maintenance.merge import lines, merge

        if len(self.sources) < 2:
            raise SweepError("Name at least two folders: sweep merge FROM... INTO.")
        facts = merge(self.sources[:-1], self.sources[-1])
        _print(asdict(facts), lines(facts), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Clean:
    """What takes space in the results; removes what is derived or abandoned if asked."""

    selection: Selection
    remove: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Remove it; results, history, logs and useful checkpoints always stay."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print what takes space."""
        from sweeps.maintenance.clean import clean, lines

        facts = clean(resolve(self.selection), remove=self.remove)
        _print(facts, lines(facts), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """What a run finds here: cores, memory, GPUs, versions, caches, disks, ports."""

    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder that holds a folder for each sweep, or s3://BUCKET/PREFIX."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print what is found."""
        from sweeps.report.doctor import doctor, lines

        kinds = [load_experiment(name).sweep.type for name in names()]
        caches = {
            name: path for kind in kinds for name, path in kind.described.caches().items()
        }
        facts = doctor(self.results, caches)
        _print(facts, lines(facts), self.json)
        return 0


Verbs = List | Plan | Run | Status | Show | Draw | Claims | Verify | Merge | Clean | Doctor


def main() -> None:
    """Run the `sweep` command and leave with its exit code."""
    sys.exit(call(sys.argv[1:]))


def call(words: list[str]) -> int:
    """Parse words, do what they say and give the exit code.

    An error that the user can mend is one line on stderr and exit code 2.

    Args:
        words: The command line after `sweep`.

    Raises:
        SystemExit: After `--help`, and with code 2 for words that cannot be parsed.
    """
    logging.basicConfig(format="sweep: %(message)s")
    if words == ["--version"]:
        print(f"sweep {metadata.version('rnnlab')}")
        return 0
    verb = tyro.cli(
        Verbs,  # pyright: ignore[reportArgumentType]
        args=words,
        prog="sweep",
        description="Train grids of recurrent networks, keep every result, draw the "
        "figure. `sweep VERB --help` tells more, `sweep --version` which this is.",
        config=CONFIG,
    )
    try:
        return verb()
    except SweepError as error:
        print(f"sweep: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"sweep: {error.filename}: {error.strerror or error}", file=sys.stderr)
        return USAGE


def _print(facts: Any, lines: list[str], as_json: bool) -> None:
    """Print facts for a program, or lines for a person."""
    if as_json:
        print(json.dumps(_for_json(facts), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines))


def _for_json(facts: Any) -> Any:
    """Write NaN and infinity as words: JSON has no such numbers."""
    if isinstance(facts, dict):
        return {name: _for_json(value) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_for_json(value) for value in facts]
    if isinstance(facts, float) and not math.isfinite(facts):
        return str(facts)
    return facts
