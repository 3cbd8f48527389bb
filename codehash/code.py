"""The code of a Python source, without what is written for readers only."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence

_COMMENT_OR_STRING = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | \"{3} (?: [^\\] | \\. )*? \"{3}   |   '{3} (?: [^\\] | \\. )*? '{3}
    | " (?: [^"\\\n] | \\. )* "         |   ' (?: [^'\\\n] | \\. )* '
    """,
    re.DOTALL | re.VERBOSE,
)


def without_words(source: str, tree: ast.Module | None = None) -> bytes:
    r"""Remove comments, docstrings and empty lines from a Python source.

    A checkpoint is resumed only under the numerics id that it was saved under, and a
    better docstring should not end a training of days.

    Args:
        source: The text, with lines that end in `\n`.
        tree: Its syntax tree, if it has been parsed already.

    Example:
        >>> without_words("x = '#'  # one\n\nclass Y: 'What it is.'\n")
        b"x = '#'\nclass Y:"
    """
    found = _docstrings(tree or ast.parse(source))
    source, inside = _without_comments(source)
    lines = [line.encode() for line in source.split("\n")]  # as ast counts them
    for first, start, last, end in found:
        kept = lines[first][:start] + lines[last - 1][end:]
        lines[first:last] = [kept, *[b""] * (last - first - 1)]
        inside -= set(range(first, last))
    return b"\n".join(
        line if row in inside else line.rstrip()
        for row, line in enumerate(lines)
        if row in inside or line.strip()
    )


def statements(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Return all statements of a syntax tree, nested ones too, without their expressions."""
    for node in body:
        yield node
        yield from statements(nested(node))


def nested(node: ast.AST) -> list[ast.AST]:
    """Return the statements, `except` and `case` clauses directly inside a statement."""
    found: list[ast.AST] = []
    for block in ("body", "handlers", "cases", "orelse", "finalbody"):
        inside = getattr(node, block, ())
        if isinstance(inside, list):
            found += inside
    return found


def _without_comments(source: str) -> tuple[str, set[int]]:
    """Remove comments; also return the rows, from 0, that end inside a string.

    A regular expression is 30 times faster than `tokenize`. It may take a `#` inside an
    f-string for a comment where Python 3.12 allows the quote of the string to be used
    again: what it takes for a comment then holds a quote, and `tokenize` decides.
    """
    found = list(_COMMENT_OR_STRING.finditer(source))
    comments = [match for match in found if match["comment"]]
    if any("'" in match[0] or '"' in match[0] for match in comments):
        return _without_tokens(source)
    inside, kept, at, row = set[int](), list[str](), 0, 0
    for match in found:
        kept.append(source[at : match.start()])
        row += source.count("\n", at, match.start())
        rows = match[0].count("\n")
        inside.update(range(row, row + rows))
        row += rows
        kept.append("" if match["comment"] else match[0])
        at = match.end()
    return "".join(kept) + source[at:], inside


def _without_tokens(source: str) -> tuple[str, set[int]]:
    """Do the same, more slowly, by Python's own tokens."""
    text, inside = source.split("\n"), set[int]()
    starts = list[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (row, column), (last, _) = token.start, token.end
        name = tokenize.tok_name[token.type]
        if token.type == tokenize.COMMENT:
            text[row - 1] = text[row - 1][:column]
        elif token.type == tokenize.STRING:
            inside.update(range(row - 1, last - 1))
        elif name == "FSTRING_START":  # since Python 3.12
            starts.append(row - 1)
        elif name == "FSTRING_END":
            inside.update(range(starts.pop(), last - 1))
    return "\n".join(text), inside


def _docstrings(tree: ast.Module) -> list[tuple[int, int, int, int]]:
    """Find docstrings, last first: first row from 0, its column, last row from 1, its column."""
    found = [
        (node.lineno - 1, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        for node in statements(tree.body)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return sorted(found, reverse=True)
