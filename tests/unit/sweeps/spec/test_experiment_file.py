"""Experiments: figure7 has the paper's settings; a file of one's own is loaded by path."""

from collections import Counter
from pathlib import Path

import pytest

from rnnlab import TemporalOrder
from sweeps.errors import ExperimentError, UnknownNameError
from sweeps.spec.experiment_file import load_experiment, names

MINE = '''"""Is it small?

More about it.
"""

from rnnlab import TemporalOrder, Trial
from sweeps.spec.sweep import Sweep

trial = Trial(task=TemporalOrder(length=10), check_every=10)
sweep = Sweep(name="mine", trials=[trial], budget=20, quick_budget=10)
'''


def written(folder: Path, text: str) -> Path:
    path = folder / "my own file.py"
    path.write_text(text)
    return path


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
    assert len({t.trial_id for t in sweep.trials}) == 180


def test_an_experiment_of_the_package_is_loaded_by_name() -> None:
    assert "figure7" in names()
    for name in names():
        found = load_experiment(name)
        assert (found.reference, found.sweep.name) == (name, name)
        assert found.question.endswith("?")
        assert found.draw is not None
        assert found.path.name == f"{name}.py"


@pytest.mark.parametrize("relative", [True, False])
def test_a_file_of_ones_own_is_loaded_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    path = written(tmp_path, MINE)
    monkeypatch.chdir(tmp_path)
    found = load_experiment(path.name if relative else str(path))
    assert (found.reference, found.path) == (str(path), path)
    assert found.question == "Is it small?"
    assert (found.sweep.name, found.draw) == ("mine", None)


def test_a_file_that_has_changed_is_loaded_as_it_is_now(tmp_path: Path) -> None:
    path = written(tmp_path, MINE)
    load_experiment(str(path))
    path.write_text(MINE.replace("budget=20", "budget=40"))
    assert load_experiment(str(path)).sweep.budget == 40


def test_without_a_question_the_sweeps_name_stands_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, MINE.partition('"""\n\n')[2])
    assert load_experiment(str(path)).question == "mine"


def test_what_a_file_prints_is_not_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_experiment(str(written(tmp_path, "print('hello')\n" + MINE)))
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("Trial(lr=-1)", "PATH:12: lr must be positive, got -1. A usual value is 0.01."),
        ("Trial(colour=1)", "PATH:12: TypeError: "),
        ("import nothing_of_the_kind", "PATH:12: ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "PATH:12: SystemExit: 3"),
        ("raise ValueError('a\\n  b')", "PATH:12: a b"),
        ("def f():\n  return 1/0\nf()", "PATH:13: ZeroDivisionError: division by zero"),
        ("def f(:", "PATH:12: invalid syntax."),
        ("sweep = 5", "PATH defines no `sweep`. Write sweep = Sweep("),
        ("del sweep", "PATH defines no `sweep`."),
    ],
)
def test_what_a_file_does_wrong_is_one_line_that_says_where(
    tmp_path: Path, more: str, message: str
) -> None:
    path = written(tmp_path, f"{MINE}\n{more}\n")
    with pytest.raises(ExperimentError) as caught:
        load_experiment(str(path))
    said = str(caught.value)
    assert said.startswith(message.replace("PATH", str(path)))
    assert "\n" not in said


@pytest.mark.parametrize(
    ("more", "where"),
    [("compile('\\n\\n(', 'other.py', 'exec')", "other.py"), ("'\0'", "my own file.py")],
    ids=["in another file", "without a line"],
)
def test_a_place_that_is_not_a_line_of_the_file_is_not_named_as_one(
    tmp_path: Path, more: str, where: str
) -> None:
    path = written(tmp_path, f"{MINE}\n{more}\n")
    with pytest.raises(ExperimentError) as caught:
        load_experiment(str(path))
    said = str(caught.value)
    assert where in said
    assert f"{path}:3:" not in said
    assert f"{path}:None:" not in said


@pytest.mark.parametrize("name", ["nowhere.py", "no/where", "figure7.py", "folder.py"])
def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "folder.py").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="There is no experiment file") as caught:
        load_experiment(name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_without_the_ending_of_python_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, MINE).rename(tmp_path / "mine.txt")
    with pytest.raises(ExperimentError, match=r"mine\.txt is not a Python file"):
        load_experiment(str(path))


@pytest.mark.parametrize(
    ("name", "near"), [("figure8", " Did you mean figure7?"), ("", ""), ("os", "")]
)
def test_a_name_that_is_not_known_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_experiment(name)
    known = ", ".join(names())
    said = f"No experiment is called {name!r}. Known: {known}.{near}"
    assert str(caught.value) == said
