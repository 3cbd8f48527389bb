"""Tables as Parquet bytes: written with checksums, read with them, never by faith."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sweeps.errors import NewerSchemaError
from sweeps.store.columns import task_defaults, trial_defaults

SCHEMA_NUMBER = 1
"""Counted up where a column changes its meaning; a new column alone does not need it."""
KEY = {"trial_id", "numerics_id"}
"""Columns without which a file is no part."""
_NUMBER = b"rnnlab_schema"
_ARROW = {
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    str: pa.string(),
    tuple: pa.list_(pa.int64()),
}


def schema(columns: Mapping[str, type]) -> pa.Schema:
    """Give the Arrow schema of a table with these columns, with its number."""
    listed = [(name, _ARROW[kind]) for name, kind in columns.items()]
    return pa.schema(listed, metadata={_NUMBER: str(SCHEMA_NUMBER)})


def table_of(rows: list[dict[str, Any]], columns: Mapping[str, type]) -> pa.Table:
    """Make a table of rows."""
    return pa.Table.from_pylist(rows, schema=schema(columns))


def serialised(table: pa.Table) -> bytes:
    """Write a table as Parquet; equal tables give equal bytes."""
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


def conformed(table: pa.Table, columns: Mapping[str, type]) -> pa.Table:
    """Give a table the columns of today.

    A column that it has not came later: a field of the trial had its default then, since
    a field at its default is no part of the `trial_id`; anything else was not looked for.

    Raises:
        NewerSchemaError: If a later version wrote it.
        ValueError: If it is no part of a sweep.
    """
    wanted, present = schema(columns), set(table.column_names)
    if not present >= KEY:
        raise ValueError(f"no column {', '.join(sorted(KEY - present))}")
    _require_known_schema(table)
    if unknown := present - set(wanted.names):
        raise NewerSchemaError(f"columns {', '.join(sorted(unknown))}, unknown here")
    try:
        filled = [
            table[each.name].cast(each.type)
            if each.name in present
            else _defaults(table, each)
            for each in wanted
        ]
    except (pa.ArrowException, KeyError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    return pa.Table.from_arrays(filled, schema=wanted)


def _require_known_schema(table: pa.Table) -> None:
    written = (table.schema.metadata or {}).get(_NUMBER, b"1")
    if not written.isdigit():
        raise ValueError(f"schema number {written!r}")
    if int(written) > SCHEMA_NUMBER:
        raise NewerSchemaError(f"schema {written.decode()}; this one knows {SCHEMA_NUMBER}")


def _defaults(table: pa.Table, missing: pa.Field) -> pa.Array:
    if missing.name in (fields := trial_defaults()):
        return pa.array([fields[missing.name]] * len(table), missing.type)
    if missing.name in (of_task := task_defaults()) and "task.kind" in table.column_names:
        kinds = table["task.kind"].to_pylist()
        return pa.array([of_task[missing.name].get(kind) for kind in kinds], missing.type)
    return pa.nulls(len(table), missing.type)
