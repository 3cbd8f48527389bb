"""The columns of a sweep's tables, derived from the type of its trials.

Needs neither pyarrow nor pandas, so that planning and `--where` can use it.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

from sweeps.store.trial_id import default_of, id_of

ColumnType = Any
"""`int`, `float`, `bool`, `str`, or a tuple of one of them, such as `tuple[int, ...]`."""

PLAIN_TYPES = (int, float, bool, str)
LISTS = (tuple[int, ...], tuple[float, ...], tuple[str, ...])
FIRST: Mapping[str, ColumnType] = {"outcome": str, "updates": int}
LAST: Mapping[str, ColumnType] = {"engine": str, "numerics_id": str}


@dataclass(frozen=True)
class Columns:
    """The columns of trials, of their results and of their checks.

    Attributes:
        kind: The type of the trials, a dataclass; None if unknown, as when results are
            read without the file of their experiment.
        result: The columns of a result, in order, from `outcome` to `numerics_id`; None
            if they are the measurements of the last check.
        check: The columns of a check, in order, from `update` to `numerics_id`; None if
            they are the measurements of a check.
        always: Columns that are written even if every row has the default.
    """

    kind: type | None = None
    result: Mapping[str, ColumnType] | None = None
    check: Mapping[str, ColumnType] | None = None
    always: frozenset[str] = frozenset()

    def trial_types(self) -> dict[str, ColumnType]:
        """Return the type of each field of a trial, by dotted name and in order."""
        return dict(_types(self.kind)) if self.kind else {}

    def of_trial(self, trial: Any) -> dict[str, Any]:
        """Return the id of a trial and its fields by dotted name.

        Raises:
            TypeError: If a field holds a value that a column cannot.
        """
        return {"trial_id": id_of(trial), **flat(trial)}

    def check_every(self, row: Mapping[str, Any]) -> int | None:
        """Return the updates between two checks of the trial in a row of the table."""
        every = row.get("check_every", getattr(self.kind, "check_every", None))
        return every if isinstance(every, int) else None

    def default(self, name: str, kinds: Mapping[str, str | None]) -> Any:
        """Return the default of a trial's column, or None if it has none.

        Args:
            name: The dotted name of the column.
            kinds: For fields that hold a dataclass, the name of its class. A missing
                field has its default.
        """
        return _default(self.kind, name, "", kinds) if self.kind else None

    def has_default(self, name: str) -> bool:
        """Return whether a trial's column has a default in each class that has the field."""
        return bool(self.kind) and name not in _required(self.kind)

    def differing(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a trial that are not at their default, and all classes.

        Args:
            columns: A trial, as `of_trial` returns it.
        """
        kinds = kinds_in(columns)
        return {
            name: columns[name]
            for name in self.trial_types()
            if name in columns
            and (name.endswith(KIND) or columns[name] != self.default(name, kinds))
        }

    def known_fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the trial in a row of the table.

        A field that holds a dataclass has only the fields of its own class. If the type is
        unknown, these are the columns before `outcome` that are not null.
        """
        if self.kind is None:
            found = {n: v for n, v in _until_outcome(row) if v is not None}
        else:
            kinds = kinds_in(row)
            own = {n for n, kind in _defaults(self.kind) if kind == kinds.get(_holder(n))}
            found = {n: row[n] for n in self.trial_types() if n in own and n in row}
        return {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()}


KIND = ".kind"
"""Ending of the column that holds the class of a field that is a dataclass."""


def flat(value: Any, prefix: str = "", *, itself: bool = False) -> dict[str, Any]:
    """Flatten a dataclass to its fields by dotted name, with the class of inner ones.

    Args:
        value: The dataclass.
        prefix: Prefix of its columns.
        itself: Whether to include its own class.

    Example:
        >>> from dataclasses import make_dataclass
        >>> Point = make_dataclass("Point", [("x", int), ("y", int, 0)])
        >>> Line = make_dataclass("Line", [("start", Point), ("width", float, 1.0)])
        >>> flat(Line(Point(3)))
        {'start.kind': 'Point', 'start.x': 3, 'start.y': 0, 'width': 1.0}
    """
    found: dict[str, Any] = {prefix[:-1] + KIND: type(value).__name__} if itself else {}
    for each in fields(value):
        name, here = prefix + each.name, getattr(value, each.name)
        if dataclasses.is_dataclass(here):
            found |= flat(here, f"{name}.", itself=True)
        elif here is None and members(_annotation(type(value), each.name)):
            found[name + KIND] = None
        else:
            found[name] = here
    return found


def members(annotation: Any) -> tuple[type, ...]:
    """Return the dataclasses that a field may hold; none if it holds a plain value.

    They are the members of a union, or a class and its subclasses, in order of definition.
    """
    if get_origin(annotation) in (types.UnionType, typing.Union):
        return tuple(m for each in get_args(annotation) for m in members(each))
    if not (isinstance(annotation, type) and dataclasses.is_dataclass(annotation)):
        return ()
    derived = tuple(m for each in annotation.__subclasses__() for m in members(each))
    abstract = bool(getattr(annotation, "__abstractmethods__", ()))
    return tuple(dict.fromkeys(derived if abstract else (annotation, *derived)))


def plain_type(annotation: Any) -> ColumnType:
    """Reduce an annotation to the type of a column.

    Raises:
        TypeError: If a column cannot hold such values.

    Example:
        >>> plain_type(float | None), plain_type(Literal["a", "b"])
        (<class 'float'>, <class 'str'>)
    """
    if get_origin(annotation) is Literal:
        kinds = {type(each) for each in get_args(annotation) if each is not None}
        return plain_type(kinds.pop()) if len(kinds) == 1 else _refuse(annotation)
    if get_origin(annotation) in (types.UnionType, typing.Union):
        kept = [each for each in get_args(annotation) if each is not types.NoneType]
        return plain_type(kept[0]) if len(kept) == 1 else _refuse(annotation)
    if annotation in (*PLAIN_TYPES, *LISTS):
        return annotation
    return _refuse(annotation)


def _refuse(annotation: Any) -> Any:
    raise TypeError(
        f"A column cannot hold {annotation}: use int, float, bool, str, a tuple such as "
        "tuple[int, ...], or a frozen dataclass of such fields."
    )


def _types(kind: type) -> Iterator[tuple[str, ColumnType]]:
    """List the columns of a dataclass: of a field that holds one of several, all of theirs."""
    found: dict[str, ColumnType] = {}
    for each in fields(kind):
        annotation = _annotation(kind, each.name)
        inner = members(annotation)
        if not inner:
            try:
                found.setdefault(each.name, plain_type(annotation))
            except TypeError as error:
                raise TypeError(f"{kind.__name__}.{each.name}: {error}") from None
            continue
        found[each.name + KIND] = str
        for member in inner:
            for name, column in _types(member):
                if name == KIND[1:]:
                    raise TypeError(
                        f"{member.__name__}.kind: the column {each.name}{KIND} holds the "
                        "name of the class. Call the field something else."
                    )
                found.setdefault(f"{each.name}.{name}", column)
    return iter(found.items())


def _defaults(kind: type) -> dict[tuple[str, str | None], Any]:
    """Return each field's default by dotted name and by the class that holds the field."""
    return dict(_walk_defaults(kind, "", None))


def _required(kind: type) -> set[str]:
    found = _defaults(kind).items()
    return {name for (name, _), value in found if value is dataclasses.MISSING}


def _default(kind: type, name: str, prefix: str, kinds: Mapping[str, str | None]) -> Any:
    """Return the default of a column of a class whose columns begin with a prefix."""
    first, _, rest = name.removeprefix(prefix).partition(".")
    here = next((each for each in fields(kind) if each.name == first), None)
    if here is None:
        return None
    field = prefix + first
    if rest and field in kinds and rest != KIND[1:]:
        inner = {m.__name__: m for m in members(_annotation(kind, first))}
        held = inner.get(kinds[field] or "")
        return _default(held, name, f"{field}.", kinds) if held else None
    value = default_of(here)
    if value is dataclasses.MISSING or (rest and value is None):
        return None
    return flat(value, f"{field}.", itself=True).get(name) if rest else value


def _walk_defaults(
    kind: type, prefix: str, holder: str | None
) -> Iterator[tuple[tuple[str, str | None], Any]]:
    for each in fields(kind):
        name = prefix + each.name
        inner = members(_annotation(kind, each.name))
        if not inner:
            yield (name, holder), default_of(each)
            continue
        yield (name + KIND, holder), default_of(each)
        for member in inner:
            yield from _walk_defaults(member, f"{name}.", member.__name__)


def kinds_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class of each field that holds a dataclass, by the name of the field."""
    return {n.removesuffix(KIND): v for n, v in row.items() if n.endswith(KIND)}


def _holder(name: str) -> str:
    """Return the field whose dataclass has a column; empty for a field of the trial.

    Example:
        >>> _holder("task.length"), _holder("task.kind"), _holder("lr")
        ('task', '', '')
    """
    return name.removesuffix(KIND).rpartition(".")[0]


@functools.cache
def _annotations(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _annotation(kind: type, name: str) -> Any:
    return _annotations(kind)[name]


def _until_outcome(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if name == "outcome":
            return
        yield name, value
