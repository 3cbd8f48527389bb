"""Joining the results of two machines: as if one had trained them all."""

import json
import shutil
from pathlib import Path

import pytest
from rnnlab.checkpoint import name_of
from small import checkpoints, path_of, result, store, table_bytes, trial

from rnnlab import Result, Trial
from rnnlab.state import State
from rnnlab.train import fresh
from sweeps.cli import call
from sweeps.errors import NondeterminismError, SweepError
from sweeps.maintenance.merge import merge
from sweeps.store.attempts import Attempts
from sweeps.store.events import Started
from sweeps.store.store import Store

TRIALS = [trial(seed) for seed in range(6)]


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
        state = State(fresh(trial(5)).parameters, update=update)
        checkpoints(path_of(kept) / "checkpoints").save(trial(5), numerics_id, state)
        return (kept.place / "checkpoints").read(name_of(trial(5)))

    a, b = two
    ours, theirs = keep(a, "plain-1", 20), keep(b, *there) if there else b""
    found = merge([a.place.address], b.place.address)
    assert found.checkpoints == taken
    assert (b.place / "checkpoints").read(name_of(trial(5))) == (ours if taken else theirs)


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
