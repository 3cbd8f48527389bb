"""One row per key: keep the most-trained row; raise an error if rows contradict each other."""

import functools
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sweeps.errors import NondeterminismError
from sweeps.store.trial_id import SHOWN_DIGITS


def newest_rows(table: pa.Table, key: list[str], *, typed: bool = True) -> pa.Table:
    """Keep one row per key, sorted by it: the most updates, then the first numerics id.

    Args:
        table: Rows with a `numerics_id`, and `updates` or `update`.
        key: Columns without nulls.
        typed: Whether the defaults of all columns are known. If not, null may mean the
            default, and contradicts nothing.

    Raises:
        NondeterminismError: If two rows of one trial at one update and under one numerics
            id differ.
    """
    last = "updates" if "updates" in table.column_names else "update"
    order = [(name, "ascending") for name in key]
    order += [(last, "descending"), ("numerics_id", "ascending")]
    table = table.take(_call("sort_indices", table, sort_keys=order)).combine_chunks()
    _require_agreement(table, [*key, last, "numerics_id"], typed)
    return table.filter(_call("invert", _as_before(table, key))).combine_chunks()


def without_repeats(table: pa.Table, key: list[str]) -> pa.Table:
    """Keep one of each set of equal rows, sorted; same arguments and errors."""
    last = "updates" if "updates" in table.column_names else "update"
    return newest_rows(table, [*dict.fromkeys([*key, last, "numerics_id"])])


def _as_before(table: pa.Table, names: list[str]) -> pa.Array:
    """Return for each row whether it equals the row before it."""
    if not len(table):
        return pa.array([], pa.bool_())
    equal = [
        _call("equal", column.slice(1), column.slice(0, len(column) - 1))
        for column in (table[name].combine_chunks() for name in names)
    ]
    return pa.concat_arrays([pa.array([False]), functools.reduce(_and, equal)])


def _require_agreement(table: pa.Table, names: list[str], typed: bool) -> None:
    places = _call("indices_nonzero", _as_before(table, names)).cast(pa.int64())
    if not len(places):
        return
    later, earlier = table.take(places), table.take(_call("subtract", places, 1))
    for name in table.column_names:
        a, b = later[name].combine_chunks(), earlier[name].combine_chunks()
        same = _same_bits(a, b)
        if not typed:
            same = _call("or", same, _call("or", _call("is_null", a), _call("is_null", b)))
        if _call("all", same).as_py():
            continue
        row = _call("index", same, False).as_py()
        trial_id = later["trial_id"][row].as_py()
        raise NondeterminismError(
            f"Two results of trial {trial_id[:SHOWN_DIGITS]} under one numerics id, "
            f"{later['numerics_id'][row]}, differ in {name}: {earlier[name][row]} and "
            f"{later[name][row]}. Both are kept; look for what differs between the "
            "machines, and move one of the parts away."
        )


def _same_bits(a: pa.Array, b: pa.Array) -> pa.Array:
    """Compare two columns: NaN equals NaN, 0.0 is not −0.0, null equals null."""
    if pa.types.is_null(a.type):
        return pa.array([True] * len(a))
    if pa.types.is_list(a.type):  # which Arrow cannot compare
        return pa.array([x == y for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)])
    if pa.types.is_floating(a.type):
        a, b = a.view(pa.int64()), b.view(pa.int64())
    both_null = _and(_call("is_null", a), _call("is_null", b))
    return _call("or", _call("fill_null", _call("equal", a, b), False), both_null)


def _and(a: pa.Array, b: pa.Array) -> pa.Array:
    return _call("and", a, b)


def _call(function: str, *values: Any, **options: Any) -> Any:
    """Call a function of `pyarrow.compute`, whose functions are created at run time."""
    name = function + "_" if function in ("and", "or") else function
    return getattr(pc, name)(*values, **options)
