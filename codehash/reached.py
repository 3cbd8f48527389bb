"""The part of a module that some of its names depend on."""

import ast
from collections.abc import Iterable, Iterator

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def reached(source: str, roots: Iterable[str]) -> str:
    r"""Return a module's source without the definitions that its roots do not use.

    Left out are functions, classes and assignments at module level whose names are not
    mentioned by the roots, directly or through others; a string that is such a name counts
    as a mention. Imports and all other statements stay. Where a root is not defined, or a
    definition shares a line with another statement, it all stays. Lines keep their numbers.

    Args:
        source: The text of the module.
        roots: Names that it defines.

    Example:
        >>> reached("a = 1\nb = 2\ndef f():\n    return a\ndef g():\n    return b", ["f"])
        'a = 1\n\ndef f():\n    return a\n\n'
    """
    body = ast.parse(source).body
    bound = {index: names for index, node in enumerate(body) if (names := _bound(node))}
    known = {name for names in bound.values() for name in names}
    wanted, waiting = set[str](), list(roots)
    if not known.issuperset(waiting):
        return source
    kept = [index for index in range(len(body)) if index not in bound]
    waiting += [name for index in kept for name in _mentioned(body[index])]
    while waiting:
        name = waiting.pop()
        if name in wanted or name not in known:
            continue
        wanted.add(name)
        for index, names in bound.items():
            if name in names:
                waiting += _mentioned(body[index])
    dropped = [body[index] for index, names in bound.items() if wanted.isdisjoint(names)]
    return _without(source, body, dropped)


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a definition binds; none where a statement does more than that."""
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return set()
    found = [each for target in targets for each in _leaves(target)]
    names = {each.id for each in found if isinstance(each, ast.Name)}
    return names if len(names) == len(found) else set()


def _leaves(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _leaves(each)
    else:
        yield target


def _mentioned(node: ast.stmt) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _without(source: str, body: list[ast.stmt], dropped: list[ast.stmt]) -> str:
    """Empty the lines of some statements; return all where another one shares a line."""
    kept = {row for node in body if node not in dropped for row in _rows(node)}
    rows = {row for node in dropped for row in _rows(node)}
    if kept & rows:
        return source
    lines = source.split("\n")
    return "\n".join("" if row in rows else line for row, line in enumerate(lines, start=1))


def _rows(node: ast.stmt) -> range:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    return range(first, (node.end_lineno or first) + 1)
