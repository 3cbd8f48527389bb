"""A selection is looked up without a trace, and written as the words that give it."""

from pathlib import Path

import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st
from small import result, store

from rnnlab import TemporalOrder, Trial
from sweeps.errors import SweepError
from sweeps.plan.forecast import plan_line
from sweeps.plan.plan import plan_of
from sweeps.spec.run_options import CONFIG
from sweeps.spec.selection import Selection, resolve

MINE = """
from rnnlab import TemporalOrder, Trial
from sweeps.spec.sweep import Sweep

sweep = Sweep(
    name="mine",
    trials=[
        Trial(task=TemporalOrder(length=length), check_every=10, seed=seed)
        for length in (10, 20)
        for seed in range(3)
    ],
    budget=40,
    quick_budget=20,
    quick_where="length == 10",
)
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Selection:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    return Selection(experiment="mine.py")


def short(seed: int) -> Trial:
    return Trial(task=TemporalOrder(length=10), check_every=10, seed=seed)


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def chosen(selection: Selection, **fields: object) -> Selection:
    return Selection(**(vars(selection) | fields))  # type: ignore[arg-type]


def test_looking_up_and_planning_change_nothing(mine: Selection, tmp_path: Path) -> None:
    before = everything(tmp_path)
    assert len(plan_of(resolve(mine)).to_run) == 6
    assert everything(tmp_path) == before
    kept = store(tmp_path / "results" / "mine")
    kept.commit([(short(0), result(short(0), 20))])
    kept.commit([(short(1), result(short(1), 20, "solved"))])
    before = everything(tmp_path)
    work = plan_of(resolve(mine))
    assert (work.done, len(work.to_run)) == (1, 5)
    assert everything(tmp_path) == before


def test_the_budget_decides_what_is_done(mine: Selection) -> None:
    kept = store(Path("results/mine"))
    kept.commit([(short(0), result(short(0), 20))])
    assert plan_of(resolve(chosen(mine, budget=20))).done == 1
    assert plan_of(resolve(chosen(mine, budget=40))).done == 0


def test_where_keeps_a_part_of_the_trials(mine: Selection) -> None:
    found = resolve(chosen(mine, where="length == 20 and seed > 0"))
    assert [(t.task.length, t.seed) for t in found.trials] == [(20, 1), (20, 2)]
    assert (found.budget, found.place.address) == (40, "results/mine")


def test_quick_is_a_part_with_a_budget_and_a_folder_of_its_own(mine: Selection) -> None:
    found = resolve(chosen(mine, quick=True, where="seed > 0", results="else"))
    assert [(t.task.length, t.seed) for t in found.trials] == [(10, 1), (10, 2)]
    assert (found.budget, found.place.address) == (20, "else/quick/mine")
    assert resolve(chosen(mine, quick=True, budget=30)).budget == 30


def test_a_quick_preset_that_is_not_there_is_named(mine: Selection) -> None:
    Path("mine.py").write_text(MINE.replace("quick_budget=20,", ""))
    with pytest.raises(SweepError, match=r"'mine' has no quick preset\. Omit --quick"):
        resolve(chosen(mine, quick=True))
    assert resolve(mine).budget == 40


def test_figure7s_quick_preset_is_all_of_its_trials(tmp_path: Path) -> None:
    found = resolve(Selection(experiment="figure7", quick=True, results=str(tmp_path)))
    assert len(found.trials) == 180
    assert found.place.address == str(tmp_path / "quick" / "figure7")
    assert found.budget == 20_000
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_may_be_written_short(
    mine: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = resolve(chosen(mine, results="~/kept"))
    assert found.place.address == str(tmp_path / "kept" / "mine")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"where": "seed > 9"},
            "No trial of 'mine' matches --where 'seed > 9'. `sweep plan",
        ),
        ({"quick": True, "where": "length == 20"}, "No trial of 'mine' matches --where"),
        ({"budget": 15}, "The budget is 15 updates, but checks come every 10"),
        ({"budget": 0}, "The budget is 0 updates"),
        ({"where": "sed == 1"}, "No column is called 'sed'"),
        ({"experiment": "nowhere.py"}, "There is no experiment file"),
    ],
)
def test_a_selection_that_cannot_be_is_refused(
    mine: Selection, tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    before = everything(tmp_path)
    with pytest.raises(SweepError) as caught:
        resolve(chosen(mine, **fields))
    assert str(caught.value).startswith(message)
    assert everything(tmp_path) == before


def test_a_selection_is_written_as_few_words_as_say_it(tmp_path: Path) -> None:
    selection = Selection(
        experiment="figure7",
        where="init == 'sigmoid' and seed < 2",
        budget=4000,
        quick=True,
        results=str(tmp_path / "with space"),
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


def read_again(selection: Selection) -> Selection:
    return tyro.cli(Selection, args=selection.argv(), config=CONFIG)


@settings(max_examples=15)
@given(
    st.builds(
        Selection,
        experiment=st.sampled_from(["figure7", "./mine.py", "a b/it's.py"]),
        where=st.sampled_from(
            [None, "", "seed < 2", "-1 < seed", "-1<seed", "a\nb", 'init == "x"']
        ),
        budget=st.sampled_from([None, 0, -10, 4000]),
        quick=st.booleans(),
        results=st.sampled_from(["results", ".", "~/x y", "é/$X", "s3://b/c"]),
    )
)
def test_a_selection_written_as_words_is_read_again(selection: Selection) -> None:
    assert read_again(selection) == selection


@pytest.mark.parametrize(
    "selection",
    [
        Selection(experiment="figure7", results="-x"),
        Selection(experiment="figure7", where="--quick"),
    ],
    ids=["results", "where"],
)
def test_words_that_begin_with_a_dash_are_read_again(selection: Selection) -> None:
    assert read_again(selection) == selection


def test_a_plan_is_one_line(mine: Selection) -> None:
    found = resolve(chosen(mine, budget=2_000_000))
    assert plan_line(found, plan_of(found), None) == (
        "mine: 6 trials, 0 done, 6 to run to 2,000,000 updates; results in results/mine"
    )
