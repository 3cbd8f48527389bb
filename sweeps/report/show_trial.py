"""One trial: spec, result, history, where it was trained, and how to train it alone."""

from typing import Any

from rnnlab.spec import SHOWN_DIGITS
from sweeps.errors import SweepError
from sweeps.report.sparklines import Paper, trace
from sweeps.spec.experiment_file import load_experiment, names
from sweeps.storage.address import place
from sweeps.storage.place import Place
from sweeps.store.attempts import read_events
from sweeps.store.columns import fields_of, trial_columns, trial_types
from sweeps.store.events import Session, TrialEvent
from sweeps.terminal import sweep_command

A_PAGE = Paper()


def show(prefix: str, results: str) -> dict[str, Any]:
    """Find a trial by the beginning of its id, in all results and known experiments.

    Args:
        prefix: Its `trial_id`, or an unambiguous beginning.
        results: The folder that holds a folder for each sweep.

    Raises:
        SweepError: If no trial or several trials begin so.
    """
    folders = _folders(place(results))
    specs = _known_specs()
    rows = {each.address: _rows(each, prefix) for each in folders}
    stored = {
        row["trial_id"]: (folder, row) for folder, found in rows.items() for row in found
    }
    known = {trial_id for trial_id in specs if trial_id.startswith(prefix)}
    matches = sorted(known | stored.keys())
    if len(matches) != 1:
        raise SweepError(_not_one(prefix, matches))
    return _facts(matches[0], specs, rows)


def lines(facts: dict[str, Any], paper: Paper = A_PAGE) -> list[str]:
    """Write what is known about a trial for a person."""
    found = [f"trial {facts['trial_id']}"]
    found += [f"  {name} = {value}" for name, value in facts["spec"].items()]
    for each in facts["results"]:
        found.append(f"result in {each['folder']}")
        found += [f"  {name} = {value}" for name, value in each["result"].items()]
        found += _history_lines(each, facts["spec"]["check_every"], paper)
        for event in each["attempts"]:
            error = f": {event['error']}" if "error" in event else ""
            found.append(f"  {event['time']}  {event['event']} on {event['host']}{error}")
    if not facts["results"]:
        found.append("no result yet")
    return [
        *found,
        *(["train it alone with", f"  {facts['command']}"] if facts["command"] else []),
        *([f"history drawn in {facts['plot']}"] if facts["plot"] else []),
    ]


def _facts(
    trial_id: str, specs: dict[str, tuple[str, dict[str, Any]]], rows: dict[str, Any]
) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    spec: dict[str, Any] = specs[trial_id][1] if trial_id in specs else {}
    for folder, found in rows.items():
        for row in found:
            if row["trial_id"] != trial_id:
                continue
            spec = spec or fields_of(row)
            of_trial = {"trial_id", *trial_types()}
            result = {n: v for n, v in row.items() if n not in of_trial}
            results.append(
                {
                    "folder": folder,
                    "result": result,
                    "history": _history(folder, trial_id, row["numerics_id"]),
                    "attempts": _attempts(folder, trial_id),
                }
            )
    return {
        "trial_id": trial_id,
        "spec": {name: value for name, value in spec.items() if name != "trial_id"},
        "results": results,
        "command": _command(trial_id, specs, [each["folder"] for each in results]),
        "plot": None,
    }


def _history_lines(of: dict[str, Any], check_every: int, paper: Paper) -> list[str]:
    outcome, updates = of["result"]["outcome"], of["result"]["updates"]
    if of["history"]["update"]:
        return trace(of["history"], paper)
    if outcome == "diverged" and updates <= check_every:
        return [f"  no history: it diverged at update {updates}, before its first check"]
    return ["  its history is missing: a part of it is damaged or gone"]


def _history(folder: str, trial_id: str, numerics_id: str) -> dict[str, list[Any]]:
    """Give the columns of a trial's checks."""
    from sweeps.store.store import Store

    table = Store(place(folder)).history_of(trial_id, numerics_id)
    return table.drop_columns(["trial_id", "numerics_id"]).to_pydict()


def _command(
    trial_id: str, specs: dict[str, tuple[str, dict[str, Any]]], folders: list[str]
) -> str | None:
    """Write the command that trains one trial; an experiment of one's own by its path."""
    reference = specs[trial_id][0] if trial_id in specs else None
    for folder in folders:
        found = read_events(place(folder) / "attempts")
        sessions = [each for each in found if isinstance(each, Session)]
        if reference is None and sessions:
            reference = sessions[-1].experiment
    if reference is None:
        return None
    quick = bool(folders) and all(each.split("/")[-2:-1] == ["quick"] for each in folders)
    words = [reference, *(["--quick"] if quick else [])]
    return sweep_command("run", *words, "--where", f'trial_id == "{trial_id}"')


def _attempts(folder: str, trial_id: str) -> list[dict[str, Any]]:
    """Return the events of a trial as their log has them."""
    found = read_events(place(folder) / "attempts")
    of_trials = (event for event in found if isinstance(event, TrialEvent))
    return [event.as_json() for event in of_trials if event.trial_id == trial_id]


def _known_specs() -> dict[str, tuple[str, dict[str, Any]]]:
    """Give the experiment and the fields of each known trial; of several, the smallest."""
    found = [load_experiment(name) for name in names()]
    largest_first = sorted(found, key=lambda each: -len(each.sweep.trials))
    return {
        trial.trial_id: (each.reference, trial_columns(trial))
        for each in largest_first
        for trial in each.sweep.trials
    }


def _folders(results: Place) -> list[Place]:
    """List the folders of sweeps: in the results folder, and one deeper."""
    near = [results / name for name in results.folders()]
    deep = [each / name for each in near for name in each.folders()]
    return [each for each in [*near, *deep] if (each / "parts").names()]


def _rows(folder: Place, prefix: str) -> list[dict[str, Any]]:
    import pyarrow.compute as pc

    from sweeps.store.store import Store

    table = Store(folder).read()
    begin_so = pc.starts_with(table["trial_id"], prefix)  # pyright: ignore[reportAttributeAccessIssue]
    return table.filter(begin_so).to_pylist()


def _not_one(prefix: str, matches: list[str]) -> str:
    if not matches:
        return (
            f"No trial's id begins with {prefix!r}, in the results or in a known "
            "experiment. `sweep plan NAME --json` lists ids."
        )
    shown = ", ".join(match[:SHOWN_DIGITS] for match in matches[:5])
    return f"{len(matches)} trials' ids begin with {prefix!r}: {shown}. Write more of it."
