"""The store: what was committed is read back, the same bytes whatever the order."""

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import NAN, result, store, trial

from rnnlab import Result, Trial
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


@settings(max_examples=20)
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
    assert history.schema.equals(schema(history_types()), check_metadata=True)
    assert history["update"].to_pylist() == [10, 20, 30, 40]
    parts = kept.history_parts.iterdir()
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


def test_a_pack_is_the_same_part_in_whatever_order_its_trials_ended(
    tmp_path: Path,
) -> None:
    kept = store(tmp_path)
    assert kept.commit(FINISHED) == kept.commit(FINISHED[::-1])
    assert len(list(kept.history_parts.iterdir())) == 1


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


@pytest.mark.parametrize("gone", ["parts", "history"])
def test_a_history_is_committed_before_its_part(tmp_path: Path, gone: str) -> None:
    kept = store(tmp_path)
    (tmp_path / gone).rename(tmp_path / "away")
    with pytest.raises(OSError, match=gone):
        kept.commit(FINISHED)
    (tmp_path / "away").rename(tmp_path / gone)
    assert len(kept.read()) == 0
    assert len(list(kept.history_parts.iterdir())) == (gone == "parts")
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
    before = kept.compact().stat()
    assert kept.compact().stat() == before
    kept.commit([(trial(4), result(trial(4)))])
    assert kept.compact().stat().st_ino != before.st_ino


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


def flipped(data: bytes, region: str) -> Iterator[bytes]:
    """Flip one bit at about every thirtieth byte of the pages or of the footer."""
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    places = range(0, footer, 29) if region == "pages" else range(footer, len(data), 31)
    for number, place in enumerate(places):
        harmed = bytearray(data)
        harmed[place] ^= 1 << (number % 8)
        yield bytes(harmed)


@pytest.mark.parametrize("region", ["pages", "footer"])
def test_a_flipped_bit_is_noticed_or_harmless(tmp_path: Path, region: str) -> None:
    """Pages have checksums; in the footer, a flip may rename a column."""
    kept = store(tmp_path)
    part = kept.commit(FINISHED)
    rows, changed, noticed = kept.read().to_pylist(), set(), 0
    for data in flipped(part.read_bytes(), region):
        part.write_bytes(data)
        try:
            found = kept.read().to_pylist()
        except StoreError as error:
            noticed += str(part) in str(error)
            continue
        changed.update(differing(found, rows))
    assert changed == set()
    assert noticed > 60


def differing(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> set[str]:
    """Name the columns in which two tables differ; NaN equals NaN."""
    assert [list(row) for row in a] == [list(row) for row in b]
    pairs = zip(a, b, strict=True)
    return {name for x, y in pairs for name in x if repr(x[name]) != repr(y[name])}


def test_what_is_said_of_a_damaged_part_is_one_line(tmp_path: Path) -> None:
    kept = store(tmp_path)
    part = kept.commit(FINISHED)
    data = bytearray(part.read_bytes())
    data[4] ^= 1
    part.write_bytes(data)
    with pytest.raises(StoreError) as caught:
        kept.read()
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store(tmp_path / "file" / "sweep").create()


def test_an_empty_store_has_an_empty_table_of_the_right_columns(tmp_path: Path) -> None:
    assert Store(tmp_path).standings() == {}
    table = Store(tmp_path).read()
    assert isinstance(table, pa.Table)
    assert (len(table), table.column_names) == (0, list(table_types()))
