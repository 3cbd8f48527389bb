"""Verify: a retrained trial gives the same bits, or the differences are listed."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from commands import write_experiment
from small import RECURRENT, result, store, trial

from rnnlab import Trial
from sweeps.cli import call
from sweeps.errors import SweepError
from sweeps.maintenance.retrain import Kept, differing, verify_one
from sweeps.maintenance.verify import lines, sample
from sweeps.spec.selection import Chosen, Selection, resolve
from sweeps.storage.folder import Folder
from sweeps.store.result import Result
from sweeps.worker.training import result_of, training

TRAINER = RECURRENT.described.trainer("fused_cpu", "cpu")
DIVERGING = trial(5, lr=1e38)


def kept(one: Trial, made: Result, folder: Path) -> Kept:
    """Give a result as a store gives it back."""
    into = store(folder / "store")
    into.commit([(one, made)])
    (row,) = into.read().to_pylist()
    return Kept(one, row, tuple(into.history().to_pylist()))


def trained(one: Trial, budget: int = 30) -> Result:
    *_, last = training(one, budget=budget, trainer=TRAINER)
    return result_of(one, last, TRAINER, budget)


@pytest.mark.parametrize("one", [trial(1), DIVERGING, replace(trial(2), omega_weight=2.0)])
def test_what_was_trained_here_is_equal(one: Trial, tmp_path: Path) -> None:
    verified = verify_one(kept(one, trained(one), tmp_path))
    assert (verified.verdict, verified.differences) == ("equal", ())
    assert verified.made_by == verified.ours == TRAINER.numerics_id(one)


def test_the_last_bit_of_one_column_is_noticed(tmp_path: Path) -> None:
    found = kept(trial(1), trained(trial(1)), tmp_path)
    off = math.nextafter(found.row["loss"], 2.0)
    verified = verify_one(replace(found, row=found.row | {"loss": off}))
    assert verified.verdict == "different"
    (what,) = verified.differences
    assert what == f"loss: kept {off!r}, found {found.row['loss']!r}"


def test_the_last_bit_of_an_earlier_check_is_noticed(tmp_path: Path) -> None:
    found = kept(trial(1), trained(trial(1)), tmp_path)
    first, *others = found.history
    off = first | {"omega": math.nextafter(first["omega"], 2.0)}
    verified = verify_one(replace(found, history=(off, *others)))
    assert verified.verdict == "different"
    assert verified.differences[0].startswith("omega at update 10: kept")
    lost = verify_one(replace(found, history=tuple(others)))
    assert "checks: kept 2, found 3" in lost.differences


def test_a_result_that_was_made_up_is_different(tmp_path: Path) -> None:
    forged = replace(result(trial(1), 20), numerics_id=TRAINER.numerics_id(trial(1)))
    forged = replace(forged, engine="fused_cpu")
    verified = verify_one(kept(trial(1), forged, tmp_path))
    assert verified.verdict == "different"
    assert any(
        each.startswith("spectral_radius: kept 0.95") for each in verified.differences
    )


@pytest.mark.parametrize("engine", ["plain", "warp"])
def test_other_numerics_are_not_comparable_and_no_failure(
    engine: str, tmp_path: Path
) -> None:
    foreign = replace(result(trial(1)), engine=engine, numerics_id=f"{engine}-0123")
    verified = verify_one(kept(trial(1), foreign, tmp_path))
    assert verified.verdict == "not comparable"
    assert verified.made_by == f"{engine}-0123"
    assert verified.differences == ()


def test_a_whole_number_in_a_column_of_others_is_equal(tmp_path: Path) -> None:
    """Another trial measured a fraction, so the column holds floats."""
    found = kept(trial(1), trained(trial(1)), tmp_path)
    made = trained(trial(1))
    whole = replace(made, summary={**made.summary, "omega": 2})
    row = {**found.row, "omega": 2.0}
    assert list(differing(replace(found, row=row), whole)) == []
    assert list(differing(replace(found, row={**row, "omega": 3.0}), whole)) == [
        "omega: kept 3.0, found 2.0"
    ]
    true = replace(made, summary={**made.summary, "omega": True})
    assert list(differing(replace(found, row={**row, "omega": 1.0}), true))


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Four trials of which three are finished."""
    monkeypatch.chdir(write_experiment(tmp_path, budget=400).path)
    chosen = resolve(Selection(experiment="./small.py"))
    finished = [(one, trained(one, 400)) for one in chosen.trials[:3]]
    chosen.store.commit(finished)
    return chosen


def test_a_sample_is_of_finished_trials_without_repetition(done: Chosen) -> None:
    finished = set(done.store.standings())
    drawn = [{each.trial.trial_id for each in sample(done, 2, seed)} for seed in range(20)]
    assert all(len(each) == 2 and each <= finished for each in drawn)
    assert len({tuple(sorted(each)) for each in drawn}) == 3
    everything = sample(done, 100, 0)
    assert {each.trial.trial_id for each in everything} == finished
    assert [e.trial for e in sample(done, 2, 7)] == [e.trial for e in sample(done, 2, 7)]


def test_nothing_finished_is_said(done: Chosen, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"nothing to verify. `sweep run` trains them"):
        sample(replace(done, place=Folder(tmp_path / "none")), 1, 0)


def test_the_exit_code_of_the_command_distinguishes_equal_from_different(
    done: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", "./small.py", "--sample", "3", "--seed", "1", "--cpus", "1"]
    assert call([*words, "--json"]) == 0
    printed = capsys.readouterr()
    facts = json.loads(printed.out)
    assert (facts["equal"], facts["different"], facts["seed"]) == (3, 0, 1)
    assert "--seed 1 draws the same sample" in printed.err

    last = done.trials[3]
    ours = TRAINER.numerics_id(last)
    forged = replace(result(last, 400), engine="fused_cpu", numerics_id=ours)
    done.store.commit([(last, forged)])
    assert call([*words[:2], "--sample", "4", "--cpus", "2"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "4 trials retrained: 3 equal, 1 different, 0 not comparable"
    assert any(line.startswith(f"{last.trial_id[:12]} DIFFERS in") for line in said)


@pytest.mark.parametrize("words", [["--sample", "0"], ["--cpus", "0"]])
def test_impossible_options_are_refused(
    done: Chosen, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["verify", "./small.py", *words]) == 2
    assert "must be at least 1, got 0" in capsys.readouterr().err


def test_what_is_not_comparable_names_both_numerics() -> None:
    facts = {
        "equal": 0,
        "different": 0,
        "not comparable": 1,
        "trials": [
            {
                "trial_id": "0" * 32,
                "verdict": "not comparable",
                "differences": (),
                "made_by": "plain-1",
                "ours": "plain-2",
                "global_generators": (),
            }
        ],
    }
    assert "was made by plain-1; the current id is plain-2" in lines(facts)[1]


def test_what_a_gpu_made_is_not_comparable_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    one = trial()
    row = {**result(one).row(), "engine": "fused_gpu", "numerics_id": "fused_gpu-0"}
    found = verify_one(Kept(one, row, ()))
    assert (found.verdict, found.made_by) == ("not comparable", "fused_gpu-0")
