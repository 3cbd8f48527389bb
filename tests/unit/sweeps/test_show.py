"""One trial is found by the beginning of its id, in results and in known experiments."""

import shlex
from itertools import chain
from pathlib import Path

import pytest
from small import result, store, trial

from sweeps.attempts import Attempts
from sweeps.columns import trial_columns, trial_types
from sweeps.errors import SweepError
from sweeps.experiment import load_experiment, names
from sweeps.selection import Selection, resolve
from sweeps.show import lines, show
from sweeps.store import Store

FIGURE7 = load_experiment("figure7").sweep.trials
MINE = trial(0)


def kept(folder: Path, seeds: int = 1) -> Store:
    """A folder of results of an experiment that nobody knows by name."""
    made = store(folder)
    made.commit([(trial(seed), result(trial(seed))) for seed in range(seeds)])
    return made


def test_a_known_trial_without_a_result_is_shown_by_its_spec(tmp_path: Path) -> None:
    one = FIGURE7[7]
    found = show(one.trial_id[:12], str(tmp_path))
    assert found["trial_id"] == one.trial_id
    assert {"trial_id": one.trial_id, **found["spec"]} == trial_columns(one)
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
    assert {"trial_id": one.trial_id, **found["spec"]} == trial_columns(one)
    (held,) = found["results"]
    assert held["folder"] == str(tmp_path / "it's")
    assert (held["result"]["outcome"], held["result"]["solved_at"]) == ("solved", 30)
    assert not set(held["result"]) & {"trial_id", *trial_types()}
    assert (found["command"] is not None) == known
    assert any("outcome = solved" in line for line in lines(found))


def test_a_trial_may_have_results_in_several_folders(tmp_path: Path) -> None:
    kept(tmp_path / "mine")
    kept(tmp_path / "quick" / "mine")
    folders = [each["folder"] for each in show(MINE.trial_id, str(tmp_path))["results"]]
    assert folders == [str(tmp_path / "mine"), str(tmp_path / "quick" / "mine")]


def test_an_experiment_of_ones_own_is_known_from_its_sessions(tmp_path: Path) -> None:
    made = kept(tmp_path / "quick" / "mine")
    Attempts(made.attempts).record("session", experiment="/a b/mine.py")
    words = shlex.split(show(MINE.trial_id, str(tmp_path))["command"])
    assert words[:4] == ["sweep", "run", "/a b/mine.py", "--quick"]
    assert words[4:] == ["--where", f'trial_id == "{MINE.trial_id}"']


def test_attempts_of_this_trial_are_told(tmp_path: Path) -> None:
    made = kept(tmp_path / "mine", seeds=2)
    log = Attempts(made.attempts)
    log.record("failed", trial_id=MINE.trial_id, error="RuntimeError: fire")
    log.record("failed", trial_id=trial(1).trial_id, error="RuntimeError: water")
    found = show(MINE.trial_id, str(tmp_path))
    assert [each["error"] for each in found["results"][0]["attempts"]] == [
        "RuntimeError: fire"
    ]
    assert any(line.endswith(": RuntimeError: fire") for line in lines(found))


def test_an_ambiguous_beginning_names_the_first_candidates(tmp_path: Path) -> None:
    kept(tmp_path / "mine", seeds=3)
    known = (load_experiment(name).sweep.trials for name in names())
    trials = [*(trial(seed) for seed in range(3)), *chain.from_iterable(known)]
    ids = sorted({each.trial_id for each in trials})
    with pytest.raises(SweepError) as caught:
        show("", str(tmp_path))
    assert str(caught.value) == (
        f"{len(ids)} trials' ids begin with '': {', '.join(name[:12] for name in ids[:5])}. "
        "Write more of it."
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
