"""Merge the results of several machines: copy the parts that are missing."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from sweeps.errors import SweepError
from sweeps.spec.experiment_file import load_experiment, names
from sweeps.storage.address import place
from sweeps.storage.place import Place
from sweeps.store.attempts import read_events
from sweeps.store.checkpoints import glance
from sweeps.store.columns import Columns
from sweeps.store.events import Session
from sweeps.store.newest_rows import newest_rows
from sweeps.store.parts import Parts
from sweeps.store.repair import repair
from sweeps.store.store import TRIAL, Store, open_store

ENDING = ".npz"


@dataclass(frozen=True)
class Joined:
    """What was added to a results folder."""

    into: str
    """The address of the folder."""
    parts: int
    """Number of new parts."""
    checkpoints: int
    """Number of checkpoints that were new or had more updates."""
    logs: int
    """Number of new logs of attempts."""
    damaged: tuple[str, ...]
    """Addresses of damaged parts and checkpoints, which were skipped."""
    trials: int
    """Number of trials with a result after the merge."""


def merge(sources: Iterable[str], into: str, *, force: bool = False) -> Joined:
    """Merge results of one sweep into a folder; the sources do not change.

    May be interrupted and repeated: existing files are skipped.

    Args:
        sources: Results folders of the sweep, such as `laptop/results/figure7`.
        into: The target, created if missing.
        force: Merge results of experiments with different names too.

    Raises:
        SweepError: If a source holds no results, or those of another experiment.
        NondeterminismError: If two places contradict each other; nothing is copied then.
    """
    sources = list(sources)
    places = [place(each) for each in (*sources, into)]
    began = {each.address: _experiments(each) for each in places}
    if not force:
        _require_one_experiment(began)
    columns = _columns(began.values())
    target = open_store(place(into), columns)
    stores = [_store(address, columns) for address in sources]
    _require_agreement([*stores, target])
    repair(target)
    parts = checkpoints = logs = 0
    damaged: list[str] = []
    for each in stores:
        _put_parts(each.history_parts, target.history_parts, damaged)
        parts += _put_parts(each.parts, target.parts, damaged)
        checkpoints += _put_checkpoints(each, target, damaged)
        logs += _put_logs(each.attempts, target.attempts)
    results = target.read()
    target.compact()
    return Joined(into, parts, checkpoints, logs, tuple(damaged), len(results))


def lines(found: Joined) -> list[str]:
    """Return the facts as lines of text."""
    return [
        *(f"skipped, damaged: {address}" for address in found.damaged),
        f"{found.parts} parts, {found.checkpoints} checkpoints and {found.logs} logs were "
        f"added to {found.into}; {found.trials} trials have a result there",
    ]


def _experiments(place: Place) -> list[str]:
    """Return the experiments that were run in a folder, by name or file, oldest first."""
    events = read_events(place / "attempts")
    return [event.experiment for event in events if isinstance(event, Session)]


def _columns(began: Iterable[Sequence[str]]) -> Columns:
    """Return the columns of the built-in experiment that the results belong to, if any.

    A user's own file is not loaded: the results may be from an untrusted source. The columns
    of its table are then those of its parts.
    """
    for experiments in began:
        if experiments and experiments[-1] in names():
            return load_experiment(experiments[-1]).sweep.type.columns
    return Columns()


def _require_one_experiment(began: Mapping[str, Sequence[str]]) -> None:
    """Refuse results whose logs name no common experiment; one without a log may be of any.

    Raises:
        SweepError: If two have none in common; naming both.
    """
    known = {
        address: {PurePath(each).stem for each in experiments}
        for address, experiments in began.items()
        if experiments
    }
    for (one, its), (other, others) in itertools.combinations(known.items(), 2):
        if not its & others:
            raise SweepError(
                f"{one} has results of {', '.join(sorted(its))}, and {other} of "
                f"{', '.join(sorted(others))}. Merge the folders of one experiment, or "
                "use --force if it was renamed."
            )


def _store(address: str, columns: Columns) -> Store:
    found = open_store(place(address), columns)
    if not found.parts.names() and not (found.place / "checkpoints").names():
        raise SweepError(
            f"{address} holds no results. Name the folder of a sweep, such as "
            "results/figure7, that holds `parts`."
        )
    return found


def _require_agreement(stores: list[Store]) -> None:
    tables, first = [each.read() for each in stores], stores[0]
    typed = first.columns.kind is not None
    newest_rows(first.results.concat(tables), TRIAL, typed=typed)


def _put_parts(source: Parts, target: Parts, damaged: list[str]) -> int:
    """Copy missing parts that are not damaged; return which are damaged."""
    harmed, there = source.damaged(), set(target.names())
    damaged += [damage.address for damage in harmed.values()]
    put = [
        target.place.create(name, source.place.read(name))
        for name in source.names()
        if name not in harmed and name not in there
    ]
    return sum(put)


def _put_checkpoints(source: Store, target: Store, damaged: list[str]) -> int:
    """Copy checkpoints that are missing or have more updates, under one numerics id."""
    here, there = (each.place / "checkpoints" for each in (source, target))
    put = 0
    for name in here.names():
        if not name.endswith(ENDING):
            continue
        data = here.read(name)
        try:
            if _is_newer(data, there, name):
                there.replace(name, data)
                put += 1
        except ValueError:
            damaged.append(f"{here.address}/{name}")
    return put


def _is_newer(data: bytes, there: Place, name: str) -> bool:
    """Return whether a checkpoint has more updates than the current one.

    Raises:
        ValueError: If it is damaged.
    """
    _, made_by, update = glance(data)
    try:
        _, its_maker, its_update = glance(there.read(name))
    except (FileNotFoundError, ValueError):
        return True
    return made_by == its_maker and update > its_update


def _put_logs(source: Place, target: Place) -> int:
    there = set(target.names())
    put = [
        target.create(name, source.read(name))
        for name in source.names()
        if name not in there
    ]
    return sum(put)
