"""One trial: spec, result, history, where it was trained, and how to train it alone."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sweeps.errors import ExperimentError, SweepError
from sweeps.report.sparklines import TextStyle, trace
from sweeps.spec.experiment_file import Experiment, load_experiment, names
from sweeps.spec.trial_type import TrialType
from sweeps.storage.address import place
from sweeps.storage.place import Place
from sweeps.store.attempts import read_events
from sweeps.store.columns import Columns
from sweeps.store.events import Session, TrialEvent
from sweeps.store.trial_id import SHOWN_DIGITS, id_of
from sweeps.terminal import sweep_command

DEFAULT_STYLE = TextStyle()


@dataclass(frozen=True)
class Found:
    """The results folder of a sweep, and its experiment if that can be loaded."""

    place: Place
    experiment: Experiment | None
    reference: str | None
    """The experiment as named by the last run."""

    @property
    def type(self) -> TrialType | None:
        """The type of its trials, if known."""
        return self.experiment.sweep.type if self.experiment else None

    @property
    def columns(self) -> Columns:
        """The columns of its table."""
        return self.type.columns if self.type else Columns()


def show(prefix: str, results: str, experiment: str | None = None) -> dict[str, Any]:
    """Find a trial by the beginning of its id, in all results and known experiments.

    Args:
        prefix: Its `trial_id`, or an unambiguous beginning.
        results: Folder with one subfolder per sweep.
        experiment: A file of the user's that the trial may be from.

    Raises:
        SweepError: If no trial or several trials begin so.
    """
    known_ones = _built_in()
    if experiment is not None:
        known_ones.append(load_experiment(experiment))
    specs = _known_specs(known_ones)
    rows = [(each, _rows(each, prefix)) for each in _found(place(results), known_ones)]
    stored = {row["trial_id"] for _, found in rows for row in found}
    known = {trial_id for trial_id in specs if trial_id.startswith(prefix)}
    matches = sorted(known | stored)
    if len(matches) != 1:
        raise SweepError(_not_one(prefix, matches))
    return _facts(matches[0], specs, rows)


def lines(facts: dict[str, Any], style: TextStyle = DEFAULT_STYLE) -> list[str]:
    """Return what is known about a trial, for a person."""
    found = [f"trial {facts['trial_id']}"]
    found += [f"  {name} = {value}" for name, value in facts["spec"].items()]
    for each in facts["results"]:
        found.append(f"result in {each['folder']}")
        found += [f"  {name} = {value}" for name, value in each["result"].items()]
        found += _history_lines(each, facts["spec"].get("check_every", 0), style)
        for event in each["attempts"]:
            error = f": {event['error']}" if "error" in event else ""
            found.append(f"  {event['time']}  {event['event']} on {event['host']}{error}")
            found += [f"    {line}" for line in event.get("text", "").splitlines()]
    if not facts["results"]:
        found.append("no result yet")
    return [
        *found,
        *(["train it alone with", f"  {facts['command']}"] if facts["command"] else []),
        *([f"history drawn in {facts['plot']}"] if facts["plot"] else []),
    ]


def _built_in() -> list[Experiment]:
    """Load the built-in experiments, except those whose packages are not installed."""
    found: list[Experiment] = []
    for name in names():
        with suppress(ExperimentError):
            found.append(load_experiment(name))
    return found


Specs = dict[str, tuple[str, dict[str, Any], Columns]]
"""The experiment, the fields and the columns of each known trial, by its id."""


def _facts(
    trial_id: str, specs: Specs, rows: list[tuple[Found, list[dict[str, Any]]]]
) -> dict[str, Any]:
    here = [
        (found, row) for found, each in rows for row in each if row["trial_id"] == trial_id
    ]
    spec = specs[trial_id][1] if trial_id in specs else {}
    for found, row in here:
        spec = spec or found.columns.known_fields(row)
    results = [_result(found, row) for found, row in here]
    return {
        "trial_id": trial_id,
        "spec": {name: value for name, value in spec.items() if name != "trial_id"},
        "differing": _differing(spec, trial_id, specs, here),
        "results": results,
        "command": _command(trial_id, specs, [found for found, _ in here]),
        "plot": None,
    }


def _differing(
    spec: dict[str, Any], trial_id: str, specs: Specs, here: list[tuple[Found, Any]]
) -> dict[str, Any]:
    """Return the fields that are not at their default; all where defaults are not known."""
    types = (
        [specs[trial_id][2]] if trial_id in specs else [found.columns for found, _ in here]
    )
    known = [each for each in types if each.kind is not None]
    fields = known[0].differing(spec) if known else spec
    return {name: value for name, value in fields.items() if name != "trial_id"}


def _result(found: Found, row: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored on a trial in one results folder."""
    of_trial = list(row)[: list(row).index("outcome")]
    folder = found.place
    return {
        "folder": folder.address,
        "result": {n: v for n, v in row.items() if n not in of_trial},
        "history": _history(found, row["trial_id"], row["numerics_id"]),
        "attempts": [
            event.as_json()
            for event in read_events(folder / "attempts")
            if isinstance(event, TrialEvent) and event.trial_id == row["trial_id"]
        ],
    }


def _history_lines(of: dict[str, Any], check_every: int, style: TextStyle) -> list[str]:
    outcome, updates = of["result"]["outcome"], of["result"]["updates"]
    if of["history"]["update"]:
        return trace(of["history"], style)
    if outcome == "diverged" and updates <= check_every:
        return [f"  no history: it diverged at update {updates}, before its first check"]
    return ["  its history is missing: a part of it is damaged or was removed"]


def _history(found: Found, trial_id: str, numerics_id: str) -> dict[str, list[Any]]:
    """Return the columns of a trial's checks, with what is shown first at the front."""
    from sweeps.store.store import open_store

    store = open_store(found.place, found.columns)
    checks = store.history_of(trial_id, numerics_id)
    kept = checks.drop_columns(["trial_id", "numerics_id"])
    columns: dict[str, list[Any]] = kept.to_pydict()
    headline = found.type.described.headline if found.type else None
    ahead = {"update": 0, str(headline): 1}
    order = sorted(columns, key=lambda name: ahead.get(name, 2))
    return {name: columns[name] for name in order}


def _command(trial_id: str, specs: Specs, found: list[Found]) -> str | None:
    """Return the command that trains one trial; a user's own experiment by its path."""
    reference = specs[trial_id][0] if trial_id in specs else None
    for each in found:
        reference = reference or each.reference
    if reference is None:
        return None
    folders = [each.place.address for each in found]
    quick = bool(folders) and all(each.split("/")[-2:-1] == ["quick"] for each in folders)
    argv = [reference, *(["--quick"] if quick else [])]
    return sweep_command("run", *argv, "--where", f'trial_id == "{trial_id}"')


def _known_specs(found: list[Experiment]) -> Specs:
    """Return the experiment and the fields of each known trial; of several, the smallest."""
    largest_first = sorted(found, key=lambda each: -len(each.sweep.trials))
    return {
        id_of(trial): (each.reference, columns.of_trial(trial), columns)
        for each in largest_first
        for columns in (each.sweep.type.columns,)
        for trial in each.sweep.trials
    }


def _found(results: Place, known: list[Experiment]) -> list[Found]:
    """List the results folders of sweeps: those inside a folder, and one level deeper."""
    near = [results / name for name in results.folders()]
    deep = [each / name for each in near for name in each.folders()]
    return [_with_experiment(e, known) for e in [*near, *deep] if (e / "parts").names()]


def _with_experiment(folder: Place, known: list[Experiment]) -> Found:
    """Find the experiment of a results folder, if it is among those that are known.

    A file named in a log is never loaded: reading untrusted results must not run code.
    """
    found = read_events(folder / "attempts")
    sessions = [each for each in found if isinstance(each, Session)]
    reference = sessions[-1].experiment if sessions else None
    own = [each for each in known if each.reference == reference]
    return Found(folder, own[0] if own else None, reference)


def _rows(found: Found, prefix: str) -> list[dict[str, Any]]:
    import pyarrow.compute as pc

    from sweeps.store.store import open_store

    table = open_store(found.place, found.columns).read()
    begin_so = pc.starts_with(table["trial_id"], prefix)  # pyright: ignore[reportAttributeAccessIssue]
    return table.filter(begin_so).to_pylist()


def _not_one(prefix: str, matches: list[str]) -> str:
    if not matches:
        return (
            f"No trial's id begins with {prefix!r}, in the results or in a known "
            "experiment. `sweep plan NAME --json` lists ids."
        )
    shown = ", ".join(match[:SHOWN_DIGITS] for match in matches[:5])
    return (
        f"{len(matches)} trials' ids begin with {prefix!r}: {shown}. Use a longer prefix."
    )
