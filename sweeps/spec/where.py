"""The language of `--where`: comparisons of columns, combined with and, or, not.

    length <= 100 and seed < 2
    init in ('sigmoid', 'smart_tanh') and not clip_norm == None

Text is parsed into a syntax tree of which only comparisons of a column with literals
are accepted, then interpreted here. Nothing is ever evaluated as Python.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sweeps.errors import UnknownNameError, WhereError
from sweeps.store.columns import Columns, ColumnType

Condition = Callable[[Mapping[str, Any]], bool]
Types = Mapping[str, ColumnType]
"""The type of each column that an expression may name."""
T = TypeVar("T")

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_USAGE = (
    "Compare columns with values, as in: length <= 100 and seed < 2 and init == 'sigmoid'."
)


def select(trials: Sequence[T], where: str | None) -> list[T]:
    """Keep the trials for which an expression holds.

    Args:
        trials: In any order, which is kept.
        where: The expression; None keeps all.

    Raises:
        WhereError: If it is not a valid expression.
        UnknownNameError: If a column is unknown.

    Example:
        >>> from dataclasses import make_dataclass
        >>> Trial = make_dataclass("Trial", [("seed", int)], frozen=True)
        >>> select([Trial(0), Trial(1)], "seed > 0")
        [Trial(seed=1)]
    """
    if where is None or not trials:
        return list(trials)
    columns = Columns(type(trials[0]))
    condition = parse(where, columns.trial_types())
    try:
        return [trial for trial in trials if condition(columns.of_trial(trial))]
    except RecursionError:
        raise WhereError(f"--where {_shown(where)} is nested too deeply.") from None


def parse(text: str, columns: Types) -> Condition:
    """Turn an expression into a condition on a flattened trial.

    Args:
        text: The expression.
        columns: The type of each field of a trial.

    Raises:
        WhereError: If it is not a valid expression.
        UnknownNameError: If a column is unknown.
    """
    try:
        return _condition(
            ast.parse(text.strip(), mode="eval").body, text, {"trial_id": str, **columns}
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise WhereError(f"--where {_shown(text)} cannot be read. {_USAGE}") from None


def _condition(node: ast.expr, text: str, columns: Types) -> Condition:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            parts = [_condition(value, text, columns) for value in values]
            return lambda row: all(part(row) for part in parts)
        case ast.BoolOp(op=ast.Or(), values=values):
            parts = [_condition(value, text, columns) for value in values]
            return lambda row: any(part(row) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            part = _condition(operand, text, columns)
            return lambda row: not part(row)
        case ast.Compare():
            return _comparison(node, text, columns)
        case _:
            raise _refused(node, text)


def _comparison(node: ast.Compare, text: str, columns: Types) -> Condition:
    """Read `a < b < c` as Python does; each pair is a column and a literal."""
    sides = [node.left, *node.comparators]
    links = [
        _link(left, op, right, text, columns)
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False)
    ]
    return lambda row: all(link(row) for link in links)


def _link(
    left: ast.expr, op: ast.cmpop, right: ast.expr, text: str, columns: Types
) -> Condition:
    if isinstance(op, (ast.In, ast.NotIn)):
        column = _column(left, text, columns)
        values = _literals(column, right, text, columns)
        wanted = isinstance(op, ast.In)
        return lambda row: (row.get(column) in values) == wanted
    if type(op) not in _COMPARE:
        raise _refused(left, text, "`is` compares no columns; write == instead.")
    compare = _COMPARE[type(op)]
    if isinstance(left, (ast.Name, ast.Attribute)):
        column = _column(left, text, columns)
        literal = _literal(column, right, text, columns)
        return lambda row: _holds(compare, row.get(column), literal)
    column = _column(right, text, columns)
    literal = _literal(column, left, text, columns)
    return lambda row: _holds(compare, literal, row.get(column))


def _holds(compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if (left is None or right is None) and compare not in (operator.eq, operator.ne):
        return False
    return compare(left, right)


def _column(node: ast.expr, text: str, columns: Types) -> str:
    """Resolve a dotted name, or its last part where that is unambiguous."""
    parts: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        parts.insert(0, inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        raise _refused(node, text)
    name = ".".join([inner.id, *parts])
    known = list(columns)
    if name in columns:
        return name
    ends = [column for column in known if column.rsplit(".", 1)[-1] == name]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise WhereError(f"--where names {name!r}, which could be {' or '.join(ends)}.")
    raise UnknownNameError("column", name, known)


def _literals(column: str, node: ast.expr, text: str, columns: Types) -> list[Any]:
    if not isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        raise _refused(node, text, "After `in`, list values in parentheses.")
    return [_literal(column, each, text, columns) for each in node.elts]


def _literal(column: str, node: ast.expr, text: str, columns: Types) -> Any:
    """Read a number, a quoted string, True, False or None of the column's type."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        raise _refused(node, text) from None
    wanted = columns[column]
    fits = (int, float) if wanted in (int, float) else (wanted,)
    if value is None or (type(value) in fits):
        return value
    noun = _NOUN.get(wanted, "a list")
    raise WhereError(
        f"--where compares {column}, which is {noun}, with {value!r}. {_USAGE}"
    )


_NOUN: dict[ColumnType, str] = {
    int: "a number",
    float: "a number",
    str: "a string",
    bool: "True or False",
}


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 200 else f"{text[:200]!r}…"


def _refused(node: ast.expr, text: str, why: str = "") -> WhereError:
    part = ast.unparse(node)
    return WhereError(
        f"--where {_shown(text)} holds {_shown(part)}, which is not a comparison of a column. "
        f"{why or _USAGE}"
    )
