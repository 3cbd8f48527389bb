"""Experiments: figure7 has the paper's settings; a sweep refuses what cannot be meant."""

from collections import Counter
from pathlib import Path

import pytest
from small import trial

from rnnlab import TemporalOrder, Trial
from sweeps.experiment import load_experiment
from sweeps.selection import Selection, resolve
from sweeps.sweep import Sweep


def test_figure7_is_the_papers_grid() -> None:
    sweep = load_experiment("figure7").sweep
    cells = Counter(
        (t.init, t.task.length, t.clip_norm, t.omega_weight) for t in sweep.trials
    )
    assert len(cells) == 36
    assert set(cells.values()) == {5}
    assert {t.task.length for t in sweep.trials} == {50, 100, 150, 200}
    assert {(t.clip_norm, t.omega_weight) for t in sweep.trials} == {
        (None, 0.0),
        (1.0, 0.0),
        (1.0, 4.0),
    }
    fixed = {(t.hidden, t.lr, t.batch, t.check_every, t.stop) for t in sweep.trials}
    assert fixed == {(50, 0.01, 20, 2000, "below_1_percent")}
    assert not any(t.repair_nonfinite for t in sweep.trials)
    assert all(isinstance(t.task, TemporalOrder) for t in sweep.trials)
    assert sweep.budget == 5_000_000


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trials": [trial(0), trial(1), trial(0)]}, "repeats 1 trials, first "),
        ({"trials": []}, "has no trials"),
        ({"trials": (trial(s) for s in range(2))}, "in square brackets"),
        ({"budget": 4e2}, "Write 5_000_000 rather than 5e6"),
        ({"quick_where": "sed == 1"}, "its quick_where: No column is called 'sed'"),
        ({"name": "a/b"}, "letters, digits, _ and -"),
        ({"name": ".."}, "letters, digits, _ and -"),
        ({"name": ""}, "letters, digits, _ and -"),
        ({"budget": 15}, "positive multiple of 10"),
        ({"quick_budget": 0}, "positive multiple of 10"),
        ({"trials": [trial(0), Trial(check_every=15)]}, "positive multiple of 30"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused(
    fields: dict[str, object], message: str
) -> None:
    given = {"name": "s", "trials": [trial()], "budget": 100, "quick_budget": 10} | fields
    with pytest.raises(ValueError, match=message):
        Sweep(**given)  # type: ignore[arg-type]


def test_a_selection_written_as_words_is_read_again(tmp_path: Path) -> None:
    selection = Selection(
        experiment="figure7",
        where="init == 'sigmoid' and seed < 2",
        budget=4000,
        quick=True,
        results=tmp_path / "with space",
    )
    assert selection.argv() == [
        "figure7",
        "--where",
        "init == 'sigmoid' and seed < 2",
        "--budget",
        "4000",
        "--quick",
        "--results",
        str(tmp_path / "with space"),
    ]
    assert Selection(experiment="figure7").argv() == ["figure7"]


def test_the_quick_preset_is_a_part_of_the_grid_kept_apart(tmp_path: Path) -> None:
    chosen = resolve(Selection(experiment="figure7", quick=True, results=tmp_path))
    assert len(chosen.trials) == 15
    assert chosen.folder == tmp_path / "quick" / "figure7"
    assert chosen.budget == 30_000
    assert list(tmp_path.iterdir()) == []
