"""Tables as Parquet bytes: written with page checksums, and read with them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.errors import NewerSchemaError, StoreError
from sweeps.store.columns import FIRST, KIND, LAST, Columns, ColumnType

SCHEMA_NUMBER = 1
"""Increased if a column changes its meaning; a new column does not require it."""
KEY = ("trial_id", "numerics_id")
"""Columns without which a file is not a part."""
_NUMBER = b"rnnlab_schema"
_METADATA = {_NUMBER: str(SCHEMA_NUMBER)}
_ARROW: dict[ColumnType, pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    str: pa.string(),
    tuple[int, ...]: pa.list_(pa.int64()),
    tuple[float, ...]: pa.list_(pa.float64()),
    tuple[str, ...]: pa.list_(pa.string()),
}

What = Literal["results", "checks"]


@dataclass(frozen=True)
class Schema:
    """The columns of results or of checks: converts rows to a table, and a table to bytes.

    A column that has its default in every row is not written, unless it is in `always`;
    reading adds it. So a field that is added to a trial later changes no bytes of old
    tables, and old tables are read as if they had it.
    """

    columns: Columns
    what: What

    def table_of(self, rows: list[dict[str, Any]]) -> pa.Table:
        """Return a table of rows, with the current columns.

        Raises:
            StoreError: If a value does not fit its column.
        """
        known = self._known()
        others = dict.fromkeys(n for row in rows for n in row if n not in known)
        try:
            arrays = {
                name: pa.array([row.get(name) for row in rows], _ARROW[kind])
                for name, kind in known.items()
            }
            arrays |= {n: pa.array([row.get(n) for row in rows]) for n in others}
        except (pa.ArrowException, OverflowError) as error:
            raise StoreError(f"A result cannot be written: {error}") from None
        return self._ordered(arrays)

    def conformed(self, table: pa.Table) -> pa.Table:
        """Return a table with the current columns.

        A field of the trial that the table lacks has its default: a field at its default is
        not part of the trial's id. Any other column that it lacks was not measured.

        Raises:
            NewerSchemaError: If a later version wrote it.
            StoreError: If a field of the trial now has another type.
            ValueError: If it is not a part of a sweep.
        """
        present = set(table.column_names)
        if lacking := sorted(set(KEY) - present):
            raise ValueError(f"no column {', '.join(lacking)}")
        _require_known_number(table)
        known = self._known()
        others = [name for name in table.column_names if name not in known]
        if others and not self._open:
            raise NewerSchemaError(f"columns {', '.join(sorted(others))}, unknown here")
        arrays = {
            name: self._cast(table, name, _ARROW[kind])
            if name in present
            else self._missing(table, name, _ARROW[kind])
            for name, kind in known.items()
        }
        arrays |= {name: table[name] for name in others}
        return self._ordered(arrays, _before_outcome(table))

    def concat(self, tables: Sequence[pa.Table]) -> pa.Table:
        """Join conformed tables; a column that one lacks is null there.

        Raises:
            StoreError: If a column holds strings in one and numbers in another.
        """
        some = [each for each in tables if len(each)] or list(tables)[:1]
        if all(each.schema == some[0].schema for each in some):
            return pa.concat_tables(some)
        try:
            joined = pa.concat_tables(some, promote_options="permissive")
        except pa.ArrowException as error:
            raise StoreError(f"Results do not fit together: {error}") from None
        fields = [name for each in some for name in _before_outcome(each)]
        return self._ordered({name: joined[name] for name in joined.column_names}, fields)

    def serialised(self, table: pa.Table) -> bytes:
        """Return a conformed table as Parquet; equal tables give equal bytes."""
        return serialised(table.drop_columns(list(self._left_out(table))))

    @property
    def _open(self) -> bool:
        return self._fixed is None

    @property
    def _fixed(self) -> Mapping[str, ColumnType] | None:
        return self.columns.result if self.what == "results" else self.columns.check

    def _known(self) -> dict[str, ColumnType]:
        """Return the columns of known type, in order."""
        own = self.columns.trial_types() if self.what == "results" else {}
        first = FIRST if self.what == "results" else {"update": int}
        last = LAST if self.what == "results" else {"numerics_id": str}
        return {"trial_id": str, **own, **(self._fixed or {**first, **last})}

    def _ordered(self, arrays: dict[str, Any], fields: Iterable[str] = ()) -> pa.Table:
        """Return a table in the current order; unknown columns are sorted by name.

        Args:
            arrays: Its columns.
            fields: Columns before `outcome`: fields of the trial, including those that its
                type no longer has.
        """
        known = list(self._known())
        others = sorted(name for name in arrays if name not in known)
        gone = [name for name in dict.fromkeys(fields) if name in others]
        if self.columns.kind is not None:  # whatever the order of the parts
            gone.sort()
        measured = [name for name in others if name not in gone]
        names = known
        if self._open:
            end = known.index("outcome") if "outcome" in known else 1
            last = (
                known.index("engine") if "engine" in known else known.index("numerics_id")
            )
            names = [*known[:end], *gone, *known[end:last], *measured, *known[last:]]
        types = [pa.field(name, arrays[name].type) for name in names]
        return pa.Table.from_arrays(
            [arrays[name] for name in names], schema=pa.schema(types, metadata=_METADATA)
        )

    def _cast(self, table: pa.Table, name: str, to: pa.DataType) -> Any:
        try:
            if not _alike(table[name].type, to):
                raise pa.ArrowTypeError(f"{name} is {table[name].type}, not {to}")
            return table[name].cast(to)
        except pa.ArrowException as error:
            if name in self.columns.trial_types() and self.columns.result is None:
                raise StoreError(
                    f"The results hold {name!r} as {table[name].type}, but the trials of "
                    f"today as {to}. Call the new field something else, or choose another "
                    "--results DIR."
                ) from None
            raise ValueError(" ".join(str(error).split())) from None

    def _missing(self, table: pa.Table, name: str, kind: pa.DataType) -> Any:
        """Return the default of a field in each row; null for what was not measured.

        A field that holds a dataclass and has no column for its class has its default.
        """
        if self.what == "checks" or name not in self.columns.trial_types():
            return pa.nulls(len(table), kind)
        inner = [
            n
            for n in table.column_names
            if n.endswith(KIND) and name.startswith(n.removesuffix("kind"))
        ]
        if not inner:
            return pa.array([self.columns.default(name, {})] * len(table), kind)
        rows = zip(*(table[n].to_pylist() for n in inner), strict=True)
        names = [n.removesuffix(KIND) for n in inner]
        kinds = [dict(zip(names, row, strict=True)) for row in rows]
        return pa.array([self.columns.default(name, each) for each in kinds], kind)

    def _left_out(self, table: pa.Table) -> Iterable[str]:
        """Return the columns that have their default in every row."""
        if self.columns.kind is None:  # the defaults are unknown
            return
        for name in [n for n in table.column_names if n.endswith(KIND)]:
            held = [
                n for n in table.column_names if n.startswith(name.removesuffix("kind"))
            ]
            if not self._may_go(name) or not self.columns.always.isdisjoint(held):
                continue
            rest = table.drop_columns(held)
            if held and all(self._is_default(table, each, rest) for each in held):
                yield from held
                table = rest
        for name in table.column_names:
            if (
                not name.endswith(KIND)
                and self._may_go(name)
                and self._is_default(table, name, table)
            ):
                yield name

    def _may_go(self, name: str) -> bool:
        """Return whether a column may be omitted if it has its default."""
        if name in self.columns.always or name in (*KEY, *FIRST, "update"):
            return False
        field = self.what == "results" and name in self.columns.trial_types()
        return not field or self.columns.has_default(name)

    def _is_default(self, table: pa.Table, name: str, without: pa.Table) -> bool:
        """Return whether a column equals the one that reading a table `without` it adds."""
        column = table[name].combine_chunks()
        return _same(column, self._missing(without, name, column.type))


def serialised(table: pa.Table) -> bytes:
    """Return a table as Parquet."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=1 << 20,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def parsed(data: bytes) -> pa.Table:
    """Read Parquet bytes, checking each page.

    Raises:
        ValueError: If they are damaged.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        return file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def _require_known_number(table: pa.Table) -> None:
    written = (table.schema.metadata or {}).get(_NUMBER, b"1")
    if not written.isdigit():
        raise ValueError(f"schema number {written!r}")
    if int(written) > SCHEMA_NUMBER:
        raise NewerSchemaError(f"schema {written.decode()}; this one knows {SCHEMA_NUMBER}")


def _alike(one: pa.DataType, other: pa.DataType) -> bool:
    """Return whether two types are interchangeable: both numbers, or the same.

    A column without values fits any type.
    """
    if pa.types.is_list(one) and pa.types.is_list(other):
        return _alike(one.value_type, other.value_type)
    numbers = all(pa.types.is_integer(e) or pa.types.is_floating(e) for e in (one, other))
    return numbers or one == other or pa.types.is_null(one)


def _before_outcome(table: pa.Table) -> list[str]:
    names = table.column_names
    return names[: names.index("outcome")] if "outcome" in names else []


def _same(one: Any, other: Any) -> bool:
    """Return whether two columns hold equal values; null equals null."""
    if pa.types.is_list(one.type) or pa.types.is_null(one.type):
        return one.to_pylist() == [
            None if each is None else list(each) for each in other.to_pylist()
        ]
    return one.equals(other)
