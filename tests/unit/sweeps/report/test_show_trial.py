"""One trial is found by the beginning of its id, in results and in known experiments."""

import json
import shlex
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from made_up_events import failed, session
from small import RECURRENT, result, store, trial

from rnnlab import Outcome
from sweeps.errors import SweepError
from sweeps.report.show_trial import lines, show
from sweeps.report.sparklines import PLAIN, TextStyle, trace
from sweeps.spec.experiment_file import load_experiment, names
from sweeps.spec.selection import Selection, resolve
from sweeps.store.attempts import Attempts
from sweeps.store.events import Started
from sweeps.store.store import Store

FIGURE7 = load_experiment("figure7").sweep.trials
MINE = trial(0)
COLUMNS = RECURRENT.columns


def kept(folder: Path, seeds: int = 1) -> Store:
    """A results folder of an experiment that is not built in."""
    made = store(folder)
    made.commit([(trial(seed), result(trial(seed))) for seed in range(seeds)])
    return made


def test_a_known_trial_without_a_result_is_shown_by_its_spec(tmp_path: Path) -> None:
    one = FIGURE7[7]
    found = show(one.trial_id[:12], str(tmp_path))
    assert found["trial_id"] == one.trial_id
    assert {"trial_id": one.trial_id, **found["spec"]} == COLUMNS.of_trial(one)
    assert found["results"] == []
    assert "no result yet" in lines(found)
    assert list(tmp_path.iterdir()) == []


def test_the_command_selects_this_trial_alone(tmp_path: Path) -> None:
    one = FIGURE7[7]
    words = shlex.split(show(one.trial_id, str(tmp_path))["command"])
    assert words[:4] == ["sweep", "run", "figure7", "--where"]
    selection = Selection(experiment="figure7", where=words[4], results=str(tmp_path))
    assert resolve(selection).trials == [one]
    assert len(words) == 5


@pytest.mark.parametrize("known", [True, False])
def test_a_stored_trial_is_shown_with_its_result(tmp_path: Path, known: bool) -> None:
    one = FIGURE7[0] if known else MINE
    store(tmp_path / "it's").commit([(one, result(one, 30, "solved"))])
    found = show(one.trial_id[:10], str(tmp_path))
    whole = COLUMNS.of_trial(one)
    if not known:  # it may be of any type: a null may be a field of another class
        whole = {name: value for name, value in whole.items() if value is not None}
    assert {"trial_id": one.trial_id, **found["spec"]} == whole
    (held,) = found["results"]
    assert held["folder"] == str(tmp_path / "it's")
    assert (held["result"]["outcome"], held["result"]["solved_at"]) == ("solved", 30)
    assert not set(held["result"]) & {"trial_id", *COLUMNS.trial_types()}
    assert (found["command"] is not None) == known
    assert any("outcome = solved" in line for line in lines(found))


def test_a_trial_may_have_results_in_several_folders(tmp_path: Path) -> None:
    kept(tmp_path / "mine")
    kept(tmp_path / "quick" / "mine")
    folders = [each["folder"] for each in show(MINE.trial_id, str(tmp_path))["results"]]
    assert folders == [str(tmp_path / "mine"), str(tmp_path / "quick" / "mine")]


def test_an_experiment_of_ones_own_is_known_from_its_sessions(tmp_path: Path) -> None:
    made = kept(tmp_path / "quick" / "mine")
    Attempts(made.attempts).record(session(experiment="/a b/mine.py"))
    words = shlex.split(show(MINE.trial_id, str(tmp_path))["command"])
    assert words[:4] == ["sweep", "run", "/a b/mine.py", "--quick"]
    assert words[4:] == ["--where", f'trial_id == "{MINE.trial_id}"']


def test_the_history_is_shown_as_columns_and_as_lines(tmp_path: Path) -> None:
    made, one = kept(tmp_path / "mine", seeds=3), trial(1)
    longer = result(one, 40)
    made.commit([(one, longer)], committed=made.standings())
    found = show(one.trial_id, str(tmp_path))
    (held,) = found["results"]
    columns = {name: [c[name] for c in longer.checks] for name in longer.checks[0]}
    assert held["history"] == columns
    page = TextStyle(90, PLAIN)
    assert "\n".join(trace(held["history"], page)) in "\n".join(lines(found, page))


def test_a_history_is_of_the_numerics_of_its_result(tmp_path: Path) -> None:
    made = kept(tmp_path / "mine")
    other = result(MINE, 40, loss=7.0, numerics_id="plain-111111111111")
    made.commit([(MINE, other)], committed=made.standings())
    (held,) = show(MINE.trial_id, str(tmp_path))["results"]
    assert held["result"]["numerics_id"] == "plain-111111111111"
    assert held["history"]["loss"] == [7.0] * 4


def test_each_result_has_the_history_of_its_folder(tmp_path: Path) -> None:
    kept(tmp_path / "mine").commit([(MINE, result(MINE, 30))])
    kept(tmp_path / "quick" / "mine")
    found = show(MINE.trial_id, str(tmp_path))
    updates = [each["history"]["update"] for each in found["results"]]
    assert updates == [[10, 20, 30], [10, 20]]
    heads = [line for line in lines(found) if line.startswith("  history: ")]
    assert heads == [
        "  history: 3 checks, at 10 to 30 updates",
        "  history: 2 checks, at 10 to 20 updates",
    ]


@pytest.mark.parametrize("updates", [3, 10])
def test_a_trial_that_diverged_before_its_first_check_says_so(
    tmp_path: Path, updates: int
) -> None:
    early = replace(result(MINE, 3, "diverged"), updates=updates)
    store(tmp_path / "mine").commit([(MINE, early)])
    found = show(MINE.trial_id, str(tmp_path))
    assert found["results"][0]["history"]["update"] == []
    said = f"  no history: it diverged at update {updates}, before its first check"
    assert said in lines(found)


@pytest.mark.parametrize(("updates", "outcome"), [(10, "unsolved"), (20, "diverged")])
def test_a_missing_history_is_reported(
    tmp_path: Path, updates: int, outcome: Outcome
) -> None:
    store(tmp_path / "mine").commit([(MINE, result(MINE, updates, outcome))])
    for part in (tmp_path / "mine" / "history").iterdir():
        part.unlink()
    said = "  its history is missing: a part of it is damaged or was removed"
    assert said in lines(show(MINE.trial_id, str(tmp_path)))


def test_attempts_of_this_trial_are_shown(tmp_path: Path) -> None:
    made = kept(tmp_path / "mine", seeds=2)
    log = Attempts(made.attempts)
    log.record(failed(MINE.trial_id, "RuntimeError: fire"))
    log.record(failed(trial(1).trial_id, "RuntimeError: water"))
    found = show(MINE.trial_id, str(tmp_path))
    assert [each["error"] for each in found["results"][0]["attempts"]] == [
        "RuntimeError: fire"
    ]
    assert any(line.endswith(": RuntimeError: fire") for line in lines(found))


def test_attempts_are_shown_as_their_log_has_them(tmp_path: Path) -> None:
    made = kept(tmp_path / "mine")
    log = Attempts(made.attempts)
    log.record(failed(MINE.trial_id))
    log.record(Started(trial_id=MINE.trial_id, pack="p"))
    written = [json.loads(line) for line in made.attempts.read(log.name).splitlines()]
    assert show(MINE.trial_id, str(tmp_path))["results"][0]["attempts"] == written


def test_an_ambiguous_beginning_names_the_first_candidates(tmp_path: Path) -> None:
    kept(tmp_path / "mine", seeds=3)
    known = (load_experiment(name).sweep.trials for name in names())
    trials = [*(trial(seed) for seed in range(3)), *chain.from_iterable(known)]
    ids = sorted({each.trial_id for each in trials})
    with pytest.raises(SweepError) as caught:
        show("", str(tmp_path))
    assert str(caught.value) == (
        f"{len(ids)} trials' ids begin with '': {', '.join(name[:12] for name in ids[:5])}. "
        "Use a longer prefix."
    )


def test_one_trial_in_two_places_is_not_ambiguous(tmp_path: Path) -> None:
    one = FIGURE7[0]
    store(tmp_path / "figure7").commit([(one, result(one))])
    assert show(one.trial_id, str(tmp_path))["trial_id"] == one.trial_id


@pytest.mark.parametrize("prefix", ["zzz", MINE.trial_id.upper() + "x", "*", "0" * 40])
def test_an_id_that_begins_no_trials_is_refused(tmp_path: Path, prefix: str) -> None:
    kept(tmp_path / "mine")
    with pytest.raises(SweepError, match="No trial's id begins with"):
        show(prefix, str(tmp_path))
