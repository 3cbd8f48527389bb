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
from tyro.conf import subcommand

from sweeps.errors import SweepError
from sweeps.exit_codes import INTERRUPTED, USAGE
from sweeps.plan.crews import Crew
from sweeps.plan.division import divide
from sweeps.plan.forecast import forecast, plan_line, unused_gpus
from sweeps.plan.plan import Plan, plan_of
from sweeps.plan.speeds import Speeds
from sweeps.spec.experiment_file import load_experiment, names
from sweeps.spec.run_options import CONFIG, RunOptions
from sweeps.spec.selection import Selection, resolve
from sweeps.spec.user_code import UserCode
from sweeps.standard_streams import prepare
from sweeps.store.trial_id import id_of

Json = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True, kw_only=True)
class ListCommand:
    """List all experiments and their questions."""

    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print one line per experiment."""
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
class PlanCommand:
    """Show what `run` would train; change nothing."""

    selection: Selection
    pilot: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure for some seconds how fast trials train on this machine."""
    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Cores to plan for; if omitted, all cores of this machine."""
    gpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """GPUs to plan for, if the engine needs one; if omitted, all GPUs of this machine."""
    engine: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """The engine, if the trials have several; if omitted, the fastest on cores. Two with a comma
    divide the trials."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print the plan."""
        options = RunOptions(
            cpus=self.cpus, gpus=self.gpus, pilot=self.pilot, engine=self.engine
        )
        options.require_possible()
        chosen = resolve(self.selection)
        division, work = divide(chosen, options), plan_of(chosen)

        def measure(crew: Crew, part: Plan) -> Speeds:
            from sweeps.worker.pilot import pilot

            code, device = UserCode.of(chosen.experiment), options.asked_device
            return pilot(part, crew.engine, crew.workers, code, device=device)

        found = forecast(chosen, work, options, measure=measure)
        facts = {
            "sweep": chosen.experiment.sweep.name,
            "trials": len(work.trials),
            "done": work.done,
            "to_run": len(work.to_run),
            "budget": work.budget,
            "results": chosen.place.address,
            "estimate": asdict(found) if found else None,
            "engines": division.counts(work),
            "to_run_ids": [id_of(trial) for trial in work.to_run],
        }
        lines = [plan_line(chosen, work, found)]
        if divided := division.summary(work):
            lines.append(divided)
        if unused := unused_gpus(chosen, work, options):
            lines.append(unused)
        if found is None and work.to_run:
            lines.append("its speed is not known yet: --pilot measures it")
        _print(facts, lines, self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class RunCommand:
    """Train all trials that have no result yet; safe to repeat at any time."""

    selection: Selection
    run: RunOptions = field(default_factory=RunOptions)

    def __call__(self) -> int:
        """Print the plan, then submit the driver to the local backend and wait."""
        from sweeps.run.launch import launch

        return launch(self.selection, self.run)


@dataclass(frozen=True, kw_only=True)
class StatusCommand:
    """Count solved, unsolved, diverged, failed and running trials."""

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
class ShowCommand:
    """Show one trial: spec, result, history, provenance, command to train it alone."""

    trial_id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ID")]
    """Its id, or an unambiguous prefix of it."""
    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder with one subfolder per sweep, or s3://BUCKET/PREFIX."""
    experiment: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """The file of your own experiment that the trial belongs to."""
    plot: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Also draw its history to a file that ends in .svg, .png or .pdf."""
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
class DrawCommand:
    """Draw the experiment's figure from its table."""

    selection: Selection
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Write the figure as SVG and PNG next to the table."""
        from sweeps.report.draw import draw

        paths = draw(resolve(self.selection))
        _print({"figures": paths}, paths, self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class ClaimsCommand:
    """Compare the paper's claims with the results, on one page."""

    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder with one subfolder per sweep, or s3://BUCKET/PREFIX."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Judge every claim by the tables, and write DIR/claims.md."""
        from sweeps.report.claims_page import facts, lines, write_claims

        address, rows = write_claims(self.results)
        _print({"page": address, "claims": facts(rows)}, lines(address, rows), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class VerifyCommand:
    """Retrain random finished trials and compare all numbers bit for bit."""

    selection: Selection
    sample: Annotated[int, tyro.conf.arg(metavar="K")] = 5
    """Number of trials to retrain."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Seed of the random sample; if omitted, a new one, which is printed."""
    cpus: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Trials at a time, one core each; if omitted, all cores of this machine."""
    adopt: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """If all match, reuse checkpoints of unsolved trials under the changed code."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print a verdict for each trial; the exit code is 1 if one differs."""
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
class MergeCommand:
    """Merge the results of several machines; the sources do not change."""

    sources: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FROM... INTO")
    ]
    """Results folders of one sweep, such as results/figure7; the last one is the target."""
    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Merge results of experiments with different names too."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print what was added."""
        from sweeps.maintenance.merge import lines, merge

        if len(self.sources) < 2:
            raise SweepError("Name at least two folders: sweep merge FROM... INTO.")
        facts = merge(self.sources[:-1], self.sources[-1], force=self.force)
        _print(asdict(facts), lines(facts), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class CleanCommand:
    """Show what takes space in the results, and what can be removed."""

    selection: Selection
    remove: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Remove it. Results, history, logs and useful checkpoints are always kept."""
    json: Json = False
    """Print JSON."""

    def __call__(self) -> int:
        """Print what takes space."""
        from sweeps.maintenance.clean import clean, lines

        facts = clean(resolve(self.selection), remove=self.remove)
        _print(facts, lines(facts), self.json)
        return 0


@dataclass(frozen=True, kw_only=True)
class DoctorCommand:
    """Show what a run finds here: cores, memory, GPUs, versions, caches, disks, ports."""

    results: Annotated[str, tyro.conf.arg(metavar="DIR")] = "results"
    """Folder with one subfolder per sweep, or s3://BUCKET/PREFIX."""
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


Verbs = (
    Annotated[ListCommand, subcommand("list")]
    | Annotated[PlanCommand, subcommand("plan")]
    | Annotated[RunCommand, subcommand("run")]
    | Annotated[StatusCommand, subcommand("status")]
    | Annotated[ShowCommand, subcommand("show")]
    | Annotated[DrawCommand, subcommand("draw")]
    | Annotated[ClaimsCommand, subcommand("claims")]
    | Annotated[VerifyCommand, subcommand("verify")]
    | Annotated[MergeCommand, subcommand("merge")]
    | Annotated[CleanCommand, subcommand("clean")]
    | Annotated[DoctorCommand, subcommand("doctor")]
)


def main() -> None:
    """Run the `sweep` command and exit with its code."""
    prepare()
    sys.exit(call(sys.argv[1:]))


def call(argv: list[str]) -> int:
    """Parse a command line, execute it and return the exit code.

    An error that the user can fix is one line on stderr and exit code 2.

    Args:
        argv: The command line after `sweep`.

    Raises:
        SystemExit: After `--help`, and with code 2 if it cannot be parsed.
    """
    logging.basicConfig(format="sweep: %(message)s")
    if argv == ["--version"]:
        print(f"sweep {metadata.version('rnnlab')}")
        return 0
    verb = tyro.cli(
        Verbs,  # pyright: ignore[reportArgumentType]
        args=argv,
        prog="sweep",
        description="Train grids of recurrent networks, keep every result, draw the "
        "figure. `sweep VERB --help` describes a verb, `sweep --version` prints the version.",
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
    """Write NaN and infinity as strings: JSON has no such numbers."""
    if isinstance(facts, dict):
        return {name: _for_json(value) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_for_json(value) for value in facts]
    if isinstance(facts, float) and not math.isfinite(facts):
        return str(facts)
    return facts
