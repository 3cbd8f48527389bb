"""Joining the results of two machines: as if one had trained them all."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from small import Walk, checkpoints, path_of, result, store, table_bytes, trial

from rnnlab import Trial
from sweeps.cli import call
from sweeps.errors import NondeterminismError, SweepError
from sweeps.maintenance.merge import merge
from sweeps.store.attempts import Attempts
from sweeps.store.checkpoints import Position, name_of
from sweeps.store.events import Session, Started
from sweeps.store.result import Result
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of

NAME = trial(5).trial_id


def finished(*seeds: int, updates: int = 20) -> list[tuple[Trial, Result]]:
    return [(trial(seed), result(trial(seed), updates)) for seed in seeds]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Store, Store]:
    """Two stores with a part in common."""
    a, b = store(tmp_path / "a"), store(tmp_path / "b")
    a.commit(finished(0, 1))
    for each in (a, b):
        each.commit(finished(2))
    b.commit(finished(3))
    b.commit(finished(0, updates=40))
    return a, b


def test_joined_results_are_those_of_one_machine(
    two: tuple[Store, Store], tmp_path: Path
) -> None:
    sources = [each.place.address for each in two]
    before = {p: p.read_bytes() for s in two for p in path_of(s).rglob("*.*")}
    found = merge(sources, str(tmp_path / "all"))
    assert (found.parts, found.trials, found.damaged) == (4, 4, ())
    joined, whole = store(tmp_path / "all"), store(tmp_path / "whole")
    whole.commit(finished(1, 2, 3) + finished(0, updates=40))
    assert table_bytes(joined) == table_bytes(whole)
    assert joined.history().equals(whole.history())
    assert before == {p: p.read_bytes() for p in before}
    assert merge(sources, str(tmp_path / "all")).parts == 0
    assert merge([sources[0]], sources[1]).parts == 1
    assert table_bytes(two[1]) == table_bytes(whole)


def test_a_contradiction_is_noticed_before_anything_is_put(
    two: tuple[Store, Store], tmp_path: Path
) -> None:
    two[1].commit([(trial(1), result(trial(1), loss=9.0))])
    with pytest.raises(NondeterminismError, match="loss"):
        merge([each.place.address for each in two], str(tmp_path / "all"))
    assert not (tmp_path / "all").exists()


def test_damaged_parts_are_left_out_and_named(
    two: tuple[Store, Store], tmp_path: Path
) -> None:
    (name, *_) = set(two[1].parts.names()) - set(two[0].parts.names())
    victim = path_of(two[1]) / "parts" / name
    victim.write_bytes(victim.read_bytes()[:-1])
    found = merge([each.place.address for each in two], str(tmp_path / "all"))
    assert found.damaged == (str(victim),)
    assert victim.name not in store(tmp_path / "all").parts.names()


@pytest.mark.parametrize(
    ("there", "taken"),
    [(None, True), (("plain-1", 5), True), (("plain-1", 50), False), (("x-1", 5), False)],
)
def test_the_further_checkpoint_of_the_same_numerics_is_kept(
    two: tuple[Store, Store], there: tuple[str, int] | None, taken: bool
) -> None:
    def keep(kept: Store, numerics_id: str, update: int) -> bytes:
        position = Position(update, {"x": np.arange(9.0)})
        checkpoints(path_of(kept) / "checkpoints").save(NAME, numerics_id, position)
        return (kept.place / "checkpoints").read(name_of(NAME))

    a, b = two
    ours, theirs = keep(a, "plain-1", 20), keep(b, *there) if there else b""
    found = merge([a.place.address], b.place.address)
    assert found.checkpoints == taken
    assert (b.place / "checkpoints").read(name_of(NAME)) == (ours if taken else theirs)


def test_a_damaged_part_there_is_set_aside_and_comes_in_again(
    two: tuple[Store, Store],
) -> None:
    a, b = two
    (name,) = set(a.parts.names()) & set(b.parts.names())
    (path_of(b) / "parts" / name).write_bytes(b"harmed")
    assert merge([a.place.address], b.place.address).parts == 2
    assert b.parts.damaged() == {}
    assert len(b.read()) == 4


def test_logs_come_along(two: tuple[Store, Store], tmp_path: Path) -> None:
    Attempts(two[0].attempts, name="x.jsonl").record(Started(trial_id="a"))
    assert merge([two[0].place.address], str(tmp_path / "all")).logs == 1
    assert store(tmp_path / "all").attempts.names() == ["x.jsonl"]


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="holds no results"):
        merge([str(tmp_path)], str(tmp_path / "all"))


def test_the_command_says_what_came_in(
    two: tuple[Store, Store], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [each.place.address for each in two]
    shutil.copytree(tmp_path / "a", tmp_path / "all")
    assert call(["merge", *words, str(tmp_path / "all"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"] == 2
    assert call(["merge", *words]) == 0
    assert "1 parts" in capsys.readouterr().out
    assert call(["merge", words[0]]) == 2
    assert "at least two folders" in capsys.readouterr().err


@dataclass(frozen=True, kw_only=True)
class Slow(Walk):
    """A user's trial with a later field."""

    momentum: float = 0.0


def own(one: Walk, distance: float | None) -> tuple[Walk, Result]:
    check = {"update": 10, "distance": distance}
    made = Result(
        trial_id=id_of(one),
        outcome="unsolved",
        updates=10,
        summary={"distance": distance, "note": None},
        engine=None,
        numerics_id="Slow-1",
        checks=(check,),
    )
    return one, made


def test_own_trials_are_joined_without_the_experiments_file(tmp_path: Path) -> None:
    """All that is there is kept, and who has the file sees one machine's results."""
    pairs = [
        own(Slow(seed=3), 0.5),
        own(Slow(seed=1, momentum=0.9), 2),
        own(Slow(seed=2, width=8), None),
    ]
    whole = store(tmp_path / "whole", Slow)
    whole.commit(pairs)
    for place, pair in zip("abc", pairs, strict=True):
        store(tmp_path / place, Slow).commit([pair])
    found = merge([str(tmp_path / place) for place in "abc"], str(tmp_path / "all"))
    assert (found.parts, found.trials, found.damaged) == (3, 3, ())
    read = pq.read_table(tmp_path / "all" / "table.parquet")
    kept = {row["seed"]: row for row in read.to_pylist()}
    assert [kept[seed]["distance"] for seed in (3, 1, 2)] == [0.5, 2.0, None]
    assert (kept[1]["momentum"], kept[2]["width"]) == (0.9, 8)
    joined = store(tmp_path / "all", Slow)
    assert joined.read().equals(whole.read())
    assert table_bytes(joined) == table_bytes(whole)
    assert joined.history().equals(whole.history())
    before = (tmp_path / "all" / "manifest.json").read_bytes()
    assert merge([str(tmp_path / "a")], str(tmp_path / "all")).parts == 0
    assert (tmp_path / "all" / "manifest.json").read_bytes() == before


def test_without_the_experiments_file_other_columns_are_no_contradiction(
    tmp_path: Path,
) -> None:
    """A part lacks the columns that hold their default in all of its rows; others do not."""
    one, other = own(Slow(seed=3), 0.5), own(Slow(seed=1, momentum=0.9), 0.5)
    store(tmp_path / "a", Slow).commit([one])
    store(tmp_path / "b", Slow).commit([one, other])
    assert (
        merge([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "c")).trials == 2
    )
    store(tmp_path / "d", Slow).commit([own(Slow(seed=3), 0.75)])
    with pytest.raises(NondeterminismError, match="differ in distance"):
        merge([str(tmp_path / "d")], str(tmp_path / "c"))


def test_without_the_type_no_parts_are_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that some parts lack may stand for any default."""
    kept = store(tmp_path, Slow)
    for seed, momentum in enumerate((0.0, 0.9)):
        kept.commit([own(Slow(seed=seed, momentum=momentum), 0.5)])
    monkeypatch.setattr("sweeps.store.compaction.merge_small.__defaults__", (1,))
    Store(kept.place).compact()
    assert len(kept.parts.names()) == 2
    kept.compact()
    assert len(kept.parts.names()) == 1
    assert {row["momentum"] for row in kept.read().to_pylist()} == {0.0, 0.9}


def began(place: Store, experiment: str) -> None:
    """Write to the log of a store that a run of an experiment began."""
    Attempts(place.attempts).record(
        Session(
            experiment=experiment,
            budget=20,
            argv=(),
            numerics_ids=(),
            machine="",
            system="",
            python="",
            libc="",
            cpus=None,
            versions={},
            commit=None,
        )
    )


def test_results_of_another_experiment_are_refused_by_name(
    two: tuple[Store, Store], tmp_path: Path
) -> None:
    began(two[0], "figure7")
    began(two[1], "./ones.py")
    sources = [each.place.address for each in two]
    with pytest.raises(SweepError, match=r"figure7.*ones.*--force"):
        merge(sources, str(tmp_path / "all"))
    assert not (tmp_path / "all").exists()
    assert merge(sources, str(tmp_path / "all"), force=True).trials == 4


def test_one_file_in_two_folders_is_one_experiment(
    two: tuple[Store, Store], tmp_path: Path
) -> None:
    began(two[0], "./mine.py")
    began(two[1], "/home/her/work/mine.py")
    assert merge([each.place.address for each in two], str(tmp_path / "all")).trials == 4


def test_the_target_counts_too(two: tuple[Store, Store]) -> None:
    began(two[0], "figure7")
    began(two[1], "pathological")
    with pytest.raises(SweepError, match="pathological"):
        merge([two[0].place.address], two[1].place.address)
