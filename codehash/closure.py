"""The sources that some files import, directly or through others: their import closure.

It is read from the syntax trees; nothing is imported. So it does not see what is imported
by a computed name (`importlib.import_module`, `__import__`), what is reached without being
imported (an attribute of a module that another file imported), nor what is read at run time:
data files, compiled extension modules.
"""

import functools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from codehash.source import Import, Names, names, read


class Module(NamedTuple):
    """A module of ours."""

    name: str
    """With its packages, as in `rnnlab.tasks.addition`."""
    file: Path

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def is_package(self) -> bool:
        """Whether the file is an `__init__.py`."""
        return self.file.name == "__init__.py"


@dataclass(frozen=True)
class Search:
    """Where our modules are; whatever is found nowhere here is a library's."""

    packages: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """The folder of a top-level package (or its file without `.py`), by its name."""

    folders: tuple[Path, ...] = ()
    """Folders whose files and packages can be imported by their names, first ones first."""

    outside: frozenset[str] = frozenset()
    """Top-level packages that are not ours, even where a folder holds them."""

    def module(self, name: str) -> Module | None:
        """Return a module by its name; None if it is not ours or is a folder of modules."""
        top, *below = name.split(".")
        if top in self.outside:
            return None
        if top in self.packages:
            places = [self.packages[top].joinpath(*below)]
        else:
            places = [folder.joinpath(top, *below) for folder in self.folders]
        for place in places:
            for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
                if file.is_file():
                    return Module(name, file)
        return None

    def module_in(self, file: Path) -> Module:
        """Return the module that a file holds.

        Raises:
            ValueError: If the file is in none of the packages and folders.
        """
        inside = [(path.parent, path) for path in self.packages.values()]
        inside += [(folder, folder) for folder in self.folders]
        for start, place in inside:
            itself = place.with_name(f"{place.name}.py")
            if file.is_relative_to(place) or (start != place and file == itself):
                parts = file.relative_to(start).with_suffix("").parts
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                return Module(".".join(parts), file)
        raise ValueError(
            f"{file} is in none of {', '.join(str(place) for _, place in inside)}. "
            "Add its folder to Search.folders."
        )


def closure(
    roots: Iterable[Path], search: Search, omit: Container[str] = ()
) -> dict[str, Path]:
    """Return the files that are imported from some files, themselves included.

    Imports inside functions count, those under `if TYPE_CHECKING:` do not. A name that a
    package's `__init__.py` imports from elsewhere leads to the module that defines it, and
    the `__init__.py` is not counted: adding a line there changes no closure. It is counted
    where it defines the name itself, or is imported as a module.

    Args:
        roots: The files to start from.
        search: Where the modules are that count; libraries do not.
        omit: Names of modules that are neither counted nor followed.

    Returns:
        Files by the names of their modules, in alphabetical order.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If one is not valid Python, or a root is not found by `search`.
    """
    waiting, found = [search.module_in(root) for root in roots], dict[str, Path]()
    find = functools.cache(search.module)
    while waiting:
        module = waiting.pop()
        if module.name in found or module.name in omit:
            continue
        found[module.name] = module.file
        for each in read(module.file).imports:
            waiting.extend(_imported(each, module, find, frozenset()))
    return dict(sorted(found.items()))


Find = Callable[[str], Module | None]
"""Returns the module of a name, or None; see `Search.module`."""

Seen = frozenset[tuple[str, str]]
"""Names that are being looked up: packages may re-export from one another."""


def _imported(each: Import, importer: Module, find: Find, seen: Seen) -> Iterator[Module]:
    """Return the modules that an import leads to."""
    module = _absolute(each, importer)
    if each.name is None:
        yield from _plainly(each, find)
    elif each.name == "*":
        yield from _existing(module, find)
    else:
        yield from _named(each.name, module, find, seen)


def _absolute(each: Import, importer: Module) -> str:
    """Return the full name of the module that is imported from."""
    if not each.level:
        return each.module
    package = importer.package.split(".")
    above = package[: len(package) - (each.level - 1)]
    return ".".join([*above, each.module] if each.module else above)


def _plainly(each: Import, find: Find) -> Iterator[Module]:
    """Follow `import a.b`; without `as` it binds `a`, whose attributes can be reached too."""
    parts = each.module.split(".")
    first = 1 if each.bound == parts[0] else len(parts)
    for depth in range(first, len(parts) + 1):
        yield from _existing(".".join(parts[:depth]), find)


def _named(name: str, package: str, find: Find, seen: Seen) -> Iterator[Module]:
    """Follow `from package import name` to the module that defines the name."""
    module = find(package)
    if module and not module.is_package:
        yield module
        return
    known = names(module.file) if module else Names((), frozenset())
    imported = [each for each in known.imported if each.bound == name]
    if module and name in known.defined:
        yield module
    if module and imported and (package, name) not in seen:
        for each in imported:
            yield from _imported(each, module, find, seen | {(package, name)})
    elif submodule := find(f"{package}.{name}"):
        yield submodule
    elif module:
        yield module


def _existing(name: str, find: Find) -> Iterator[Module]:
    if module := find(name):
        yield module
