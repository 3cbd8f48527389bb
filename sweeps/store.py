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
KEY = {"trial_id", "numerics_id"}
"""Columns without which a file is no part."""
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
            raise _not_written(self.folder, error) from None

    def commit(
        self,
        finished: Iterable[tuple[Trial, Result]],
        *,
        committed: Mapping[str, Standing] | None = None,
    ) -> Path:
        """Commit the results of a pack as one immutable part, its history first.

        Args:
            finished: Trials and their results, at least one.
            committed: What the store has already, by `trial_id`: that history is not
                written again.

        Returns:
            The part. Where it was there already with the same rows, all is well.

        Raises:
            NondeterminismError: If it was there with other rows.
        """
        pairs = sorted(finished, key=lambda pair: pair[1].trial_id)
        results = [result for _, result in pairs]
        since = [_known_until(result, committed or {}) for result in results]
        checks = [
            row
            for result, after in zip(results, since, strict=True)
            for row in history_rows(result, after)
        ]
        part_id, history_id = _part_id(results), _part_id(results, since)
        _commit_part(self.history_parts / f"{history_id}.parquet", checks, history_types())
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
        data = self._table_bytes()
        return self._from_parts() if data is None else _parsed(data, self.table_path)

    def history(self) -> pa.Table:
        """Give one row per trial and check, sorted by `trial_id` and `update`.

        Of a trial that was trained under several numerics ids, the one in the table.
        """
        rows = _read_parts(_parquet_files(self.history_parts), history_types())
        of = {name: each.numerics_id for name, each in self.standings().items()}
        pairs = zip(
            *(rows[c].to_pylist() for c in ("trial_id", "numerics_id")), strict=True
        )
        kept = pa.array([of.get(name) == made_by for name, made_by in pairs], pa.bool_())
        return _furthest(rows.filter(kept), ["trial_id", "update"])

    def standings(self) -> dict[str, Standing]:
        """Say how far each trial has come, by `trial_id`."""
        if not self.parts.exists():
            return {}
        columns = ["trial_id", "outcome", "updates", "numerics_id"]
        table = self.read()
        rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
        return {
            name: Standing(cast(Outcome, outcome), updates, numerics_id)
            for name, outcome, updates, numerics_id in rows
        }

    def compact(self) -> Path:
        """Derive the table and the manifest from the parts, in one repeatable form.

        Writes nothing where they are up to date.

        Raises:
            StoreError: If a part cannot be read, or the table not be written.
        """
        if self._table_bytes() is None:
            try:
                self._derive()
            except OSError as error:
                raise _not_written(self.folder, error) from None
        return self.table_path

    def _derive(self) -> None:
        hashes = {part.name: files.sha256(part.read_bytes()) for part in self._part_paths()}
        table = _serialised(self._from_parts())
        files.replace(self.table_path, table)
        manifest = {"table": files.sha256(table), "parts": hashes}
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        files.replace(self.manifest_path, text.encode())

    def _from_parts(self) -> pa.Table:
        return _furthest(_read_parts(self._part_paths(), table_types()), ["trial_id"])

    def _part_paths(self) -> list[Path]:
        return _parquet_files(self.parts)

    def _table_bytes(self) -> bytes | None:
        """Give the derived table where the manifest says that it is up to date."""
        try:
            manifest = json.loads(self.manifest_path.read_bytes())
            data = self.table_path.read_bytes()
            parts = {part.name for part in self._part_paths()}
            fits = set(manifest["parts"]) == parts and parts
            return data if fits and files.sha256(data) == manifest["table"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _not_written(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The results folder {folder} cannot be written ({error.strerror}). "
        "Free it, or choose another with --results DIR."
    )


def _known_until(result: Result, committed: Mapping[str, Standing]) -> int:
    """Say up to which update the store has this history: none of another numerics id."""
    known = committed.get(result.trial_id)
    return known.updates if known and known.numerics_id == result.numerics_id else 0


def _part_id(results: list[Result], since: list[int] | None = None) -> str:
    """Hash trial ids, how far each was trained, numerics ids, and where it begins."""
    lines = [
        f"{result.trial_id} {result.updates} {result.numerics_id} {after}"
        for result, after in zip(results, since or [0] * len(results), strict=True)
    ]
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
    except (pa.ArrowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise StoreError(
            f"{path} is damaged ({why}). Move it away and run the sweep again: "
            "only its trials are trained anew."
        ) from None


def _read_parts(paths: list[Path], columns: dict[str, type]) -> pa.Table:
    wanted = schema(columns)
    tables = [_conformed(_parsed(path.read_bytes(), path), wanted, path) for path in paths]
    return pa.concat_tables(tables) if tables else wanted.empty_table()


def _conformed(table: pa.Table, wanted: pa.Schema, path: Path) -> pa.Table:
    """Give a part the columns of today: one that it has not is null throughout."""
    present = set(table.column_names)
    try:
        if not present >= KEY:
            raise KeyError(f"no column {', '.join(sorted(KEY - present))}")
        if strange := present - set(wanted.names):
            raise KeyError(f"a column {', '.join(sorted(strange))!r}")
        filled = [
            table[each.name].cast(each.type)
            if each.name in present
            else pa.nulls(len(table), each.type)
            for each in wanted
        ]
    except (pa.ArrowException, KeyError) as error:
        why = " ".join(str(error).split())
        raise StoreError(
            f"{path} is no part of a sweep ({why}). Move it away and run again."
        ) from None
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
    return sorted(path for path in folder.glob("[!.]*.parquet") if path.is_file())
