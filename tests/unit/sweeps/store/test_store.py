"""The store: what was committed is read back, the same bytes whatever the order."""

import itertools
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import NAN, RECURRENT, check, path_of, result, store, table_bytes, trial

from rnnlab import Trial
from sweeps.errors import NewerSchemaError, NondeterminismError, StoreError
from sweeps.storage.folder import Folder, System
from sweeps.store.compaction import merge_small
from sweeps.store.parquet import SCHEMA_NUMBER, serialised
from sweeps.store.repair import repair
from sweeps.store.result import Result
from sweeps.store.standing import Standing
from sweeps.store.store import CHECK, TRIAL, Store

FINISHED = [
    (trial(0), result(trial(0), 20, "solved")),
    (trial(1), result(trial(1), 30)),
    (trial(2), result(trial(2), 3, "diverged")),
    (trial(3), result(trial(3), 30, loss=NAN)),
]
TABLE_TYPES: dict[str, Any] = {
    "trial_id": str,
    **RECURRENT.columns.trial_types(),
    **(RECURRENT.described.result_columns or {}),
}
HISTORY_TYPES: dict[str, Any] = {
    "trial_id": str,
    **(RECURRENT.described.check_columns or {}),
}
ARROW: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[int, ...]: pa.list_(pa.int64()),
}


def schema(types: Mapping[str, Any]) -> pa.Schema:
    fields = [pa.field(name, ARROW[kind]) for name, kind in types.items()]
    return pa.schema(fields, metadata={"rnnlab_schema": str(SCHEMA_NUMBER)})


def test_what_was_committed_is_read_back_with_its_types(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    table = kept.read()
    assert table.schema.equals(schema(TABLE_TYPES), check_metadata=True)
    rows = {row["trial_id"]: row for row in table.to_pylist()}
    assert list(rows) == sorted(t.trial_id for t, _ in FINISHED)
    solved = rows[trial(0).trial_id]
    assert (solved["outcome"], solved["updates"], solved["solved_at"]) == ("solved", 20, 20)
    assert (solved["task.kind"], solved["task.length"]) == ("TemporalOrder", 10)
    assert (solved["error_rate"], solved["error_rate_of"]) == (0.0, 10_000)
    assert rows[trial(1).trial_id]["error_rate"] == 100 / 128


def test_nan_is_a_number_that_was_found_and_null_one_that_was_not_looked_for(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    rows = {row["trial_id"]: row for row in kept.read().to_pylist()}
    assert math.isnan(rows[trial(3).trial_id]["loss"])
    assert rows[trial(2).trial_id]["loss"] is None
    assert rows[trial(2).trial_id]["solved_at"] is None


def test_pandas_reads_the_derived_table_without_our_code(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    frame = pd.read_parquet(kept.compact())
    assert sorted(frame["outcome"]) == ["diverged", "solved", "unsolved", "unsolved"]


@settings(max_examples=20)
@given(st.permutations(FINISHED), st.sets(st.integers(1, 3)), st.booleans())
def test_the_table_is_the_same_bytes_however_results_were_committed(
    tmp_path_factory: pytest.TempPathFactory,
    order: list[tuple[Trial, Result]],
    cuts: set[int],
    compacted_between: bool,
) -> None:
    together = store(tmp_path_factory.mktemp("together"))
    together.commit(FINISHED)
    apart = store(tmp_path_factory.mktemp("apart"))
    edges = [0, *sorted(cuts), len(order)]
    for start, end in itertools.pairwise(edges):
        apart.commit(order[start:end])
        if compacted_between:
            apart.compact()
    assert table_bytes(apart) == table_bytes(together)


STAGES = [
    (one, result(one, updates, numerics_id=f"plain-{made_by}"))
    for one in (trial(0), trial(1), trial(2))
    for updates, made_by in ((20, "b"), (20, "a"), (40, "c"), (40, "b"))
]


@settings(max_examples=4)
@given(st.permutations(STAGES))
def test_the_furthest_is_kept_in_whatever_order_it_came(
    tmp_path_factory: pytest.TempPathFactory, order: list[tuple[Trial, Result]]
) -> None:
    """Of two numerics ids that came equally far, always the same one."""
    kept = store(tmp_path_factory.mktemp("store"))
    for each in order:
        kept.commit([each], committed=kept.standings())
    expected = Standing("unsolved", 40, "plain-b")
    assert list(kept.standings().values()) == [expected] * 3
    assert kept.history()["update"].to_pylist() == [10, 20, 30, 40] * 3


def test_the_furthest_budget_wins_and_history_is_not_written_twice(tmp_path: Path) -> None:
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one, 20))])
    kept.commit([(one, result(one, 40, "solved"))], committed=kept.standings())
    made_by = result(one).numerics_id
    assert kept.standings() == {one.trial_id: Standing("solved", 40, made_by)}
    history = kept.history()
    assert history.schema.equals(schema(HISTORY_TYPES), check_metadata=True)
    assert history["update"].to_pylist() == [10, 20, 30, 40]
    parts = (tmp_path / "history").iterdir()
    assert sorted(len(pd.read_parquet(part)) for part in parts) == [2, 2]
    direct = store(tmp_path / "direct")
    direct.commit([(one, result(one, 40, "solved"))])
    assert table_bytes(kept) == table_bytes(direct)


def test_a_history_is_of_the_numerics_that_the_table_shows(tmp_path: Path) -> None:
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one, 20))])
    again = result(one, 40, numerics_id="plain-111111111111")
    kept.commit([(one, again)], committed=kept.standings())
    history = kept.history()
    assert history["update"].to_pylist() == [10, 20, 30, 40]
    assert set(history["numerics_id"].to_pylist()) == {"plain-111111111111"}


def test_the_checks_of_one_trial_are_those_of_the_history(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    again = result(trial(1), 50, numerics_id="plain-111111111111")
    kept.commit([(trial(1), again)], committed=kept.standings())
    kept.commit([(trial(1), replace(again, updates=40, checks=again.checks[:4]))])
    history = kept.history()
    for one, made_by in [(trial(0), "plain-000000000000"), (trial(1), again.numerics_id)]:
        found = kept.history_of(one.trial_id, made_by)
        assert found.equals(history.filter(pc.field("trial_id") == one.trial_id))
    assert len(kept.history_of(trial(1).trial_id, again.numerics_id)) == 5
    assert len(kept.history_of(trial(2).trial_id, "plain-000000000000")) == 0


def test_the_same_part_twice_is_fine_and_other_numbers_raise_the_alarm(
    tmp_path: Path,
) -> None:
    kept, one = store(tmp_path), trial(0)
    first = kept.commit([(one, result(one))])
    assert kept.commit([(one, result(one))]) == first
    for _ in range(2):
        kept.commit([FINISHED[3]])  # its loss is NaN, which equals nothing
    with pytest.raises(NondeterminismError, match="holds other numbers"):
        kept.commit([(one, result(one, loss=1.5))])
    assert len(kept.parts.names()) == 2


def test_a_pack_is_the_same_part_in_whatever_order_its_trials_ended(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path)
    assert kept.commit(FINISHED) == kept.commit(FINISHED[::-1])
    assert len(kept.history_parts.names()) == 1


def test_zero_and_minus_zero_are_other_numbers(tmp_path: Path) -> None:
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one, loss=0.0))])
    with pytest.raises(NondeterminismError):
        kept.commit([(one, result(one, loss=-0.0))])


def test_a_whole_number_in_a_field_of_floats_is_the_same_part(tmp_path: Path) -> None:
    kept = store(tmp_path)
    paths = {kept.commit([(each, result(each))]) for each in (trial(lr=1), trial(lr=1.0))}
    assert len(paths) == 1


def test_the_same_result_may_come_with_and_without_the_history_before_it(
    tmp_path: Path,
) -> None:
    """Of two runs at once, one was planned before the first part was there."""
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one, 20))])
    kept.commit([(one, result(one, 40))], committed=kept.standings())
    kept.commit([(one, result(one, 40))])
    assert kept.history()["update"].to_pylist() == [10, 20, 30, 40]


@pytest.mark.parametrize("blocked", ["parts", "history"])
def test_a_history_is_committed_before_its_part(tmp_path: Path, blocked: str) -> None:
    kept = store(tmp_path)
    (tmp_path / blocked).write_text("in the way")
    with pytest.raises(OSError, match=blocked):
        kept.commit(FINISHED)
    (tmp_path / blocked).unlink()
    assert len(kept.read()) == 0
    assert len(kept.history_parts.names()) == (blocked == "parts")
    kept.commit(FINISHED)
    assert (len(kept.read()), len(kept.history())) == (4, 8)


DERIVED = ["table.parquet", "manifest.json"]
HARM = ["gone", "torn", b"", b"[]", b"null", b'{"parts": null}', b'{"parts": {}}']


@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.parametrize("harm", HARM)
def test_derived_files_are_never_trusted_over_the_parts(
    tmp_path: Path, name: str, harm: str | bytes
) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    kept.compact()
    expected = [(tmp_path / each).read_bytes() for each in DERIVED]
    table = kept.read()
    victim = tmp_path / name
    torn = victim.read_bytes()[:-20]
    if harm == "gone":
        victim.unlink()
    else:
        victim.write_bytes(torn if isinstance(harm, str) else harm)
    assert kept.read().to_pandas().equals(table.to_pandas())
    kept.compact()
    assert [(tmp_path / each).read_bytes() for each in DERIVED] == expected


def test_compacting_what_is_up_to_date_writes_nothing(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    before = Path(kept.compact()).stat()
    after = Path(kept.compact()).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    kept.commit([(trial(4), result(trial(4)))])
    assert Path(kept.compact()).stat().st_mtime_ns != before.st_mtime_ns


def test_a_table_older_than_its_parts_is_not_read(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED[:1])
    kept.compact()
    kept.commit(FINISHED[1:])
    assert len(kept.read()) == 4
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(manifest["parts"]) == 1


def test_files_left_half_written_are_passed_over(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    (tmp_path / "parts" / ".tmp-1234").write_bytes(b"half")
    (tmp_path / "parts" / ".tmp-5678.parquet").write_bytes(b"half")
    assert len(kept.read()) == 4


def part_of(kept: Store, place: str = "parts") -> Path:
    """Give the path of a store's only part."""
    (name,) = (kept.place / place).names()
    return path_of(kept) / place / name


def test_a_damaged_part_is_left_out_by_readers_and_named_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED[:1])
    part = part_of(kept)
    kept.commit(FINISHED[1:])
    part.write_bytes(part.read_bytes()[:-3])
    assert set(kept.standings()) == {t.trial_id for t, _ in FINISHED[1:]}
    assert f"{part} is damaged" in caplog.text
    assert "`sweep run` sets it aside" in caplog.text
    assert "\n" not in caplog.messages[0]
    assert part.exists()


@pytest.mark.parametrize("place", ["parts", "history"])
@pytest.mark.parametrize("derived", [True, False])
def test_repair_sets_aside_what_is_damaged_and_only_its_trials_are_lost(
    tmp_path: Path, place: str, derived: bool
) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED[:2])
    harmed = part_of(kept, place)
    kept.commit(FINISHED[2:])
    if derived:
        kept.compact()
    whole = kept.read(), kept.history()
    data = harmed.read_bytes()
    harmed.write_bytes(data[:50] + bytes([data[50] ^ 4]) + data[51:])
    said = repair(kept)
    assert f"{harmed} is damaged" in said[-1]
    assert str(harmed.parent / "damaged" / harmed.name) in said[-1]
    assert len(said) == (2 if place == "history" else 1)
    assert set(kept.standings()) == {t.trial_id for t, _ in FINISHED[2:]}
    assert repair(kept) == []
    kept.commit(FINISHED[:2])
    assert kept.read().to_pandas().equals(whole[0].to_pandas())
    assert kept.history().to_pandas().equals(whole[1].to_pandas())


def test_repairing_a_sound_store_changes_nothing(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit([*FINISHED[:2], *FINISHED[3:]])
    kept.commit([(trial(5), result(trial(5), 25, "diverged"))])
    kept.commit([(trial(6), result(trial(6), 20))])
    kept.commit([(trial(6), result(trial(6), 40))], committed=kept.standings())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert repair(kept) == []
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def test_a_trial_that_diverged_where_a_check_was_due_has_lost_no_history(
    tmp_path: Path,
) -> None:
    """It diverged in the update before the check, which was not made then."""
    kept, one = store(tmp_path), trial(5)
    diverged = replace(result(one, 20, "diverged"), checks=(check(10),))
    kept.commit([(trial(0), result(trial(0)))])
    harmed = part_of(kept, "history")
    kept.commit([(one, diverged)])
    harmed.write_bytes(b"harmed")
    assert len(repair(kept)) == 2
    assert set(kept.standings()) == {one.trial_id}


@pytest.mark.parametrize("place", ["parts", "history"])
def test_every_flipped_byte_of_a_part_is_noticed(tmp_path: Path, place: str) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED[:1])
    part = part_of(kept, place)
    sound = part.read_bytes()
    parts = kept.parts if place == "parts" else kept.history_parts
    assert parts.damaged() == {}
    for position in range(len(sound)):
        harmed = bytearray(sound)
        harmed[position] ^= 1 << (position % 8)
        part.write_bytes(harmed)
        assert list(parts.damaged()) == [part.name], position
        assert len(parts.read([part.name]).table) == 0
    for length in range(0, len(sound), 97):
        part.write_bytes(sound[:length])
        assert list(parts.damaged()) == [part.name], length


def test_a_part_without_a_hash_in_its_name_is_held_to_its_page_checksums(
    tmp_path: Path,
) -> None:
    """As the first version named them."""
    kept = store(tmp_path)
    kept.commit(FINISHED)
    part = part_of(kept)
    plain = part.rename(part.with_name(f"{part.name[:32]}.parquet"))
    assert len(kept.read()) == 4
    data = bytearray(plain.read_bytes())
    data[40] ^= 1
    plain.write_bytes(data)
    assert list(kept.parts.damaged()) == [plain.name]


def test_two_parts_that_contradict_each_other_raise_an_error(tmp_path: Path) -> None:
    """In packs of other trials too, whose parts have other names."""
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one))])
    kept.commit([(one, result(one, loss=1.5)), (trial(1), result(trial(1)))])
    for read in (kept.read, kept.compact, kept.standings):
        with pytest.raises(NondeterminismError, match=r"differ in loss: 1\.\d+ and 1\.\d+"):
            read()


@pytest.mark.parametrize("loss", [NAN, 0.0])
def test_a_trial_in_two_parts_with_the_same_numbers_is_no_contradiction(
    tmp_path: Path, loss: float
) -> None:
    kept, one = store(tmp_path), trial(0)
    for more in ([], [trial(1)]):
        kept.commit([(each, result(each, loss=loss)) for each in (one, *more)])
    assert (len(kept.read()), len(kept.history())) == (2, 4)


def test_merging_parts_changes_no_answer_and_leaves_one(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for seed in range(12):
        kept.commit([(trial(seed), result(trial(seed), 20))])
    kept.commit([(trial(0), result(trial(0), 40))], committed=kept.standings())
    before, table, history = table_bytes(kept), kept.read(), kept.history()
    merge_small(kept.history_parts, CHECK, above=5)
    merge_small(kept.parts, TRIAL, above=5)
    assert (len(kept.parts.names()), len(kept.history_parts.names())) == (1, 1)
    assert kept.read().equals(table)
    assert kept.history().equals(history)
    assert table_bytes(kept) == before
    assert repair(kept) == []
    assert kept.commit([(trial(3), result(trial(3), 20))])
    assert table_bytes(kept) == before


def test_few_parts_and_large_ones_are_not_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store(tmp_path)
    for seed in range(6):
        kept.commit([(trial(seed), result(trial(seed)))])
    before = kept.parts.names()
    merge_small(kept.parts, TRIAL, above=6)
    assert kept.parts.names() == before
    monkeypatch.setattr("sweeps.store.compaction.SMALL_BYTES", 1)
    merge_small(kept.parts, TRIAL, above=5)
    assert set(kept.parts.names()) >= set(before)


def test_a_damaged_part_is_not_merged_away(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for seed in range(6):
        kept.commit([(trial(seed), result(trial(seed)))])
    victim = path_of(kept) / "parts" / kept.parts.names()[2]
    victim.write_bytes(b"harmed")
    merge_small(kept.parts, TRIAL, above=5)
    assert victim.exists()
    assert len(kept.parts.names()) == 2


def test_what_came_after_the_table_is_added_to_it(tmp_path: Path) -> None:
    """The parts that are in the table are not read again."""
    kept = store(tmp_path)
    kept.commit(FINISHED[:2])
    kept.compact()
    before = part_of(kept)
    kept.commit(FINISHED[2:])
    before.write_bytes(b"nobody looks")
    assert len(kept.read()) == 4
    whole = store(tmp_path / "whole")
    whole.commit(FINISHED)
    assert table_bytes(kept) == table_bytes(whole)


def test_a_part_of_an_older_schema_is_read_with_the_defaults_of_its_day(
    tmp_path: Path,
) -> None:
    """A field at its default is no part of the trial id, so an old row had it."""
    kept = store(tmp_path)
    kept.commit(FINISHED)
    whole, part = kept.read(), part_of(kept)
    older = pq.read_table(part).drop_columns(["repair_nonfinite", "spectral_radius"])
    part.unlink()
    (part.parent / "old.parquet").write_bytes(serialised(older))
    found = kept.read()
    assert found.schema.equals(whole.schema, check_metadata=True)
    assert found["repair_nonfinite"].to_pylist() == [False] * 4
    assert found["spectral_radius"].null_count == 4
    kept_columns = [name for name in found.column_names if name != "spectral_radius"]
    again, before = (each.select(kept_columns) for each in (found, whole))
    assert serialised(again) == serialised(before)  # the loss of one is NaN


def test_the_first_schema_is_readable_for_ever(tmp_path: Path) -> None:
    """These files were written by the version that made the format; never renew them."""
    kept = store(tmp_path)
    golden = Path(__file__).parent / "schema-1"
    shutil.copytree(golden, tmp_path, dirs_exist_ok=True)
    rows = kept.read().to_pylist()
    ends = {row["outcome"]: row["updates"] for row in rows}
    assert ends == {"unsolved": 400, "diverged": 4, "solved": 200}
    assert {row["task.kind"] for row in rows} == {"TemporalOrder"}
    assert {row["largest_singular_value"] for row in rows} == {None}
    history = kept.history()
    assert len(history) == history["largest_singular_value"].null_count == 3
    assert history["spectral_radius"].null_count == 0
    assert repair(kept) == []


def of_schema(number: bytes) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.replace_schema_metadata({b"rnnlab_schema": number})


def with_another_column(table: pa.Table) -> pa.Table:
    """As a version writes it that knows one task more."""
    return table.append_column("task.colours", pa.array([3] * len(table)))


@pytest.mark.parametrize(
    "later_version", [of_schema(b"2"), of_schema(b"17"), with_another_column]
)
def test_a_part_of_a_later_version_is_refused_with_the_remedy_and_not_set_aside(
    tmp_path: Path, later_version: Callable[[pa.Table], pa.Table]
) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    part = part_of(kept)
    later = later_version(pq.read_table(part))
    part.unlink()
    (part.parent / "later.parquet").write_bytes(serialised(later))
    for read in (kept.read, partial(repair, kept)):
        with pytest.raises(NewerSchemaError, match="Update rnnlab"):
            read()
    assert kept.parts.names() == ["later.parquet"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(Folder(tmp_path / "file" / "sweep")).create()


class Careless(Folder):
    """A place that ignores that a name is taken, as some object stores do."""

    def create(self, name: str, data: bytes) -> bool:
        self.replace(name, data)
        return True


class Unlinked(System):
    """A file system without hard links."""

    def link(self, source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(source))


def test_a_place_that_cannot_keep_the_promise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="must support conditional puts"):
        Store(Careless(tmp_path)).create()
    with pytest.raises(StoreError, match="hard links are needed"):
        Store(Folder(tmp_path, Unlinked())).create()
    Store(Folder(tmp_path)).create()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_has_an_empty_table_of_the_right_columns(tmp_path: Path) -> None:
    kept = Store(Folder(tmp_path), RECURRENT.columns)
    assert kept.standings() == {}
    table = kept.read()
    assert isinstance(table, pa.Table)
    assert (len(table), table.column_names) == (0, list(TABLE_TYPES))
