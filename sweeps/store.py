"""The Parquet store: the only truth about what has been trained.

    parts/<part-id>.parquet     immutable, one per committed pack: one row a trial
    history/<part-id>.parquet   one row per trial and check, committed before its part
    table.parquet               derived: one row per trial, the furthest budget wins
    manifest.json               derived: SHA-256 of every part and of the table
    checkpoints/                where unsolved trials stand
    attempts/                   what happened, not what was found

Readable with pandas, Polars and DuckDB without this module.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rnnlab import Outcome, Result, Trial
from rnnlab.checkpoint import CheckpointFolder
from sweeps import files
from sweeps.columns import (
    history_rows,
    history_types,
    result_columns,
    table_types,
    trial_columns,
)
from sweeps.errors import NondeterminismError, StoreError
from sweeps.plan import Standing

SCHEMA_NUMBER = "1"
_ARROW = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}


def schema(columns: dict[str, type]) -> pa.Schema:
    """Give the Arrow schema of a table with these columns, with its number."""
    listed = [(name, _ARROW[kind]) for name, kind in columns.items()]
    return pa.schema(listed, metadata={"rnnlab_schema": SCHEMA_NUMBER})


@dataclass(frozen=True)
class Store:
    """The results folder of one sweep."""

    folder: Path

    @property
    def parts(self) -> Path:
        """Folder of the committed parts."""
        return self.folder / "parts"

    @property
    def history_parts(self) -> Path:
        """Folder of the committed histories."""
        return self.folder / "history"

    @property
    def attempts(self) -> Path:
        """Folder of what happened."""
        return self.folder / "attempts"

    @property
    def table_path(self) -> Path:
        """The derived table."""
        return self.folder / "table.parquet"

    @property
    def manifest_path(self) -> Path:
        """The derived list of hashes."""
        return self.folder / "manifest.json"

    @cached_property
    def checkpoints(self) -> CheckpointFolder:
        """Where unsolved trials stand."""
        return CheckpointFolder(self.folder / "checkpoints")

    def create(self) -> None:
        """Make the folders.

        Raises:
            StoreError: If they cannot be written.
        """
        try:
            for folder in (self.parts, self.history_parts, self.attempts):
                folder.mkdir(parents=True, exist_ok=True)
            files.replace(self.folder / ".writable", b"")
            (self.folder / ".writable").unlink()
        except OSError as error:
            raise StoreError(
                f"The results folder {self.folder} cannot be written "
                f"({error.strerror}). Choose another with --results DIR."
            ) from None

    def commit(
        self,
        finished: Iterable[tuple[Trial, Result]],
        *,
        committed: Mapping[str, int] | None = None,
    ) -> Path:
        """Commit the results of a pack as one immutable part, its history first.

        Args:
            finished: Trials and their results, at least one.
            committed: How many updates of a trial the store has already, by `trial_id`:
                their history is not written again.

        Returns:
            The part. Where it was there already with the same rows, all is well.

        Raises:
            NondeterminismError: If it was there with other rows.
        """
        pairs = sorted(finished, key=lambda pair: pair[1].trial_id)
        part_id = _part_id([result for _, result in pairs])
        known = committed or {}
        checks = [
            row
            for _, result in pairs
            for row in history_rows(result, known.get(result.trial_id, 0))
        ]
        _commit_part(self.history_parts / f"{part_id}.parquet", checks, history_types())
        rows = [{**trial_columns(t), **result_columns(r)} for t, r in pairs]
        path = self.parts / f"{part_id}.parquet"
        _commit_part(path, rows, table_types())
        return path

    def read(self) -> pa.Table:
        """Give one row per trial, sorted by `trial_id`; the furthest budget wins.

        Reads the derived table where the manifest says that it is up to date, else the
        parts.

        Raises:
            StoreError: If a part cannot be read.
        """
        manifest = self._manifest()
        if set(manifest.get("parts", {})) == {part.name for part in self._part_paths()}:
            data = _bytes_or_none(self.table_path)
            if data is not None and files.sha256(data) == manifest["table"]:
                return _parsed(data, self.table_path)
        return self._from_parts()

    def history(self) -> pa.Table:
        """Give one row per trial and check, sorted by `trial_id` and `update`."""
        paths = _parquet_files(self.history_parts)
        return _furthest(_read_parts(paths, history_types()), ["trial_id", "update"])

    def standings(self) -> dict[str, Standing]:
        """Say how far each trial has come, by `trial_id`."""
        if not self.parts.exists():
            return {}
        rows = self.read().select(["trial_id", "outcome", "updates"]).to_pylist()
        return {
            row["trial_id"]: Standing(cast(Outcome, row["outcome"]), row["updates"])
            for row in rows
        }

    def compact(self) -> Path:
        """Derive the table and the manifest from the parts, in one repeatable form."""
        hashes = {part.name: files.sha256(part.read_bytes()) for part in self._part_paths()}
        table = _serialised(self._from_parts())
        files.replace(self.table_path, table)
        manifest = {"table": files.sha256(table), "parts": hashes}
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        files.replace(self.manifest_path, text.encode())
        return self.table_path

    def _from_parts(self) -> pa.Table:
        return _furthest(_read_parts(self._part_paths(), table_types()), ["trial_id"])

    def _part_paths(self) -> list[Path]:
        return _parquet_files(self.parts)

    def _manifest(self) -> dict[str, Any]:
        data = _bytes_or_none(self.manifest_path)
        try:
            return json.loads(data) if data else {}
        except ValueError:
            return {}


def _part_id(results: list[Result]) -> str:
    """Hash trial ids, how far each was trained, and numerics ids."""
    lines = [f"{r.trial_id} {r.updates} {r.numerics_id}" for r in results]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _commit_part(path: Path, rows: list[dict[str, Any]], columns: dict[str, type]) -> None:
    data = _serialised(pa.Table.from_pylist(rows, schema=schema(columns)))
    if files.commit(path, data):
        return
    # Bytes are compared, not values: NaN equals NaN, and 0.0 is not -0.0.
    if _serialised(_parsed(path.read_bytes(), path)) != data:
        raise NondeterminismError(
            f"{path} holds other numbers than the same trials gave just now, under the "
            "same numerics id. Keep both, and look for what differs between the machines."
        )


def _serialised(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=1 << 20,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()


def _parsed(data: bytes, path: Path) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        return file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"{path} is damaged ({error}). Move it away and run the sweep again: "
            "only its trials are trained anew."
        ) from None


def _read_parts(paths: list[Path], columns: dict[str, type]) -> pa.Table:
    wanted = schema(columns)
    tables = [_parsed(path.read_bytes(), path) for path in paths]
    if not tables:
        return wanted.empty_table()
    merged = pa.concat_tables(tables, promote_options="default")
    filled = [
        merged[name].cast(kind.type)
        if name in merged.column_names
        else pa.nulls(len(merged), kind.type)
        for name, kind in zip(wanted.names, wanted, strict=True)
    ]
    return pa.Table.from_arrays(filled, schema=wanted)


def _furthest(table: pa.Table, key: list[str]) -> pa.Table:
    """Keep one row per key: the furthest trained, then the first numerics id."""
    last = "updates" if "updates" in table.column_names else "update"
    order: list[tuple[str, str]] = [(name, "ascending") for name in key]
    order += [(last, "descending"), ("numerics_id", "ascending")]
    table = table.take(pc.sort_indices(table, sort_keys=order))  # pyright: ignore[reportAttributeAccessIssue]
    names = list(zip(*(table[name].to_pylist() for name in key), strict=True))
    keep = [place == 0 or names[place] != names[place - 1] for place in range(len(names))]
    return table.filter(pa.array(keep, type=pa.bool_())).combine_chunks()


def _parquet_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.parquet")) if folder.exists() else []


def _bytes_or_none(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
