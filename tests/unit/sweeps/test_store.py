"""The store: what was committed is read back, the same bytes whatever the order."""

import itertools
import json
import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import NAN, result, store, trial

from sweeps.columns import history_types, table_types
from sweeps.errors import NondeterminismError, StoreError
from sweeps.plan import Standing
from sweeps.store import Store, schema

FINISHED = [
    (trial(0), result(trial(0), 20, "solved")),
    (trial(1), result(trial(1), 30)),
    (trial(2), result(trial(2), 3, "diverged")),
    (trial(3), result(trial(3), 30, loss=NAN)),
]


def test_what_was_committed_is_read_back_with_its_types(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    table = kept.read()
    assert table.schema.equals(schema(table_types()), check_metadata=True)
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


@given(st.permutations(FINISHED), st.sets(st.integers(1, 3)), st.booleans())
def test_the_table_is_the_same_bytes_however_results_were_committed(
    tmp_path_factory: pytest.TempPathFactory,
    order: list,
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
    assert apart.compact().read_bytes() == together.compact().read_bytes()


def test_the_furthest_budget_wins_and_history_is_not_written_twice(tmp_path: Path) -> None:
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one, 20))])
    kept.commit([(one, result(one, 40, "solved"))], committed=kept.standings())
    made_by = result(one).numerics_id
    assert kept.standings() == {one.trial_id: Standing("solved", 40, made_by)}
    history = kept.history()
    assert history.schema.equals(schema(history_types()), check_metadata=True)
    assert history["update"].to_pylist() == [10, 20, 30, 40]
    parts = [Store(tmp_path).history_parts / p.name for p in kept.parts.iterdir()]
    assert sorted(len(pd.read_parquet(part)) for part in parts) == [2, 2]
    direct = store(tmp_path / "direct")
    direct.commit([(one, result(one, 40, "solved"))])
    assert kept.compact().read_bytes() == direct.compact().read_bytes()


def test_a_history_is_of_the_numerics_that_the_table_shows(tmp_path: Path) -> None:
    kept, one = store(tmp_path), trial(0)
    kept.commit([(one, result(one, 20))])
    again = result(one, 40, numerics_id="plain-111111111111")
    kept.commit([(one, again)], committed=kept.standings())
    history = kept.history()
    assert history["update"].to_pylist() == [10, 20, 30, 40]
    assert set(history["numerics_id"].to_pylist()) == {"plain-111111111111"}


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
    assert len(list(kept.parts.iterdir())) == 2


@pytest.mark.parametrize("harm", ["no table", "torn table", "torn manifest", "no manifest"])
def test_derived_files_are_never_trusted_over_the_parts(tmp_path: Path, harm: str) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    table, expected = kept.compact(), kept.read()
    victim = table if "table" in harm else kept.manifest_path
    if harm.startswith("no"):
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-20])
    assert kept.read().to_pandas().equals(expected.to_pandas())


def test_a_table_older_than_its_parts_is_not_read(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED[:1])
    kept.compact()
    kept.commit(FINISHED[1:])
    assert len(kept.read()) == 4
    manifest = json.loads(kept.manifest_path.read_text())
    assert len(manifest["parts"]) == 1


def test_files_left_half_written_are_passed_over(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.commit(FINISHED)
    (kept.parts / ".tmp-1234").write_bytes(b"half")
    (kept.parts / ".tmp-5678.parquet").write_bytes(b"half")
    assert len(kept.read()) == 4


def test_a_damaged_part_is_named_with_the_remedy(tmp_path: Path) -> None:
    kept = store(tmp_path)
    part = kept.commit(FINISHED)
    data = bytearray(part.read_bytes())
    data[40] ^= 1
    part.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged") as caught:
        kept.read()
    assert str(part) in str(caught.value)
    assert "Move it away" in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "sweep").create()


def test_an_empty_store_has_an_empty_table_of_the_right_columns(tmp_path: Path) -> None:
    assert Store(tmp_path).standings() == {}
    table = Store(tmp_path).read()
    assert isinstance(table, pa.Table)
    assert (len(table), table.column_names) == (0, list(table_types()))
