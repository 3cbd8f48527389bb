"""Imports are followed to what defines a name; a package's list of names is not counted."""

from pathlib import Path

import pytest

from codehash import Search, closure, code_hash


class Files:
    """A folder of sources, and the closures in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **sources: str) -> None:
        """Write files; `a__b` is `a/b.py`, and `a___` is `a/__init__.py`."""
        for name, source in sources.items():
            name = f"{name[:-3]}__init" if name.endswith("___") else name
            path = self.folder / f"{name.replace('__', '/')}.py"
            path = path.with_name("__init__.py") if path.stem == "init" else path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)

    def of(self, root: str = "main.py", *omit: str, **packages: Path) -> list[str]:
        search = Search(packages, (self.folder,), frozenset({"outside"}))
        return [*closure([self.folder / root], search, omit)]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def importing(files: Files, line: str) -> list[str]:
    """Return what a file leads to that has one line, besides itself."""
    files.write(main=line)
    found = files.of()
    found.remove("main")
    return found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import lone", ["lone"]),
        ("import lone as other", ["lone"]),
        ("from lone import x", ["lone"]),
        ("from lone import *", ["lone"]),
        ("def f():\n    if 1:\n        from lone import x", ["lone"]),
        ("class C:\n    import lone", ["lone"]),
        ("try:\n    import none\nexcept ImportError:\n    import lone", ["lone"]),
        ("match 1:\n    case 1:\n        import lone", ["lone"]),
        ("if TYPE_CHECKING:\n    import lone", []),
        ("if typing.TYPE_CHECKING:\n    import lone\nelse:\n    import other", ["other"]),
        ("if TYPE_CHECKING and f():\n    import lone", ["lone"]),
        ("import numpy, outside\nfrom outside import x", []),
        ("# import lone\n'import lone'", []),
    ],
)
def test_an_import_leads_to_its_module(files: Files, line: str, found: list[str]) -> None:
    files.write(lone="x = 1", other="", outside="import lone")
    assert importing(files, line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from pack import Task", ["pack.task"]),
        ("from pack import Renamed", ["pack.task"]),
        ("from pack import Twice", ["pack.task"]),
        ("from pack import task", ["pack.task"]),
        ("from pack.task import Task", ["pack.task"]),
        ("import pack.task as task", ["pack.task"]),
        ("from pack import deep", ["pack.deep"]),
        ("from pack.deep import leaf", ["pack.deep.leaf"]),
        ("from pack import leaf", ["pack.deep.leaf"]),
        ("from pack import array", []),
        ("from pack import OWN", ["pack", "pack.deep.leaf", "pack.task"]),
        ("from pack import computed", ["pack", "pack.deep.leaf", "pack.task"]),
        ("import pack", ["pack", "pack.deep.leaf", "pack.task"]),
        ("from pack import *", ["pack", "pack.deep.leaf", "pack.task"]),
        ("import pack.deep.leaf", ["pack", "pack.deep", "pack.deep.leaf", "pack.task"]),
        ("from spaces import inner", ["spaces.inner"]),
        ("from spaces.inner import x", ["spaces.inner"]),
        ("import spaces.inner", ["spaces.inner"]),
        ("import spaces", []),
    ],
)
def test_a_name_of_a_package_leads_to_what_defines_it(
    files: Files, line: str, found: list[str]
) -> None:
    files.write(
        pack___="""
from pack.task import Task as Task
from pack.task import Task as Renamed
from pack import Task as Twice
from .deep import leaf
from numpy import array

OWN = [Task]
""",
        pack__task="class Task: ...",
        pack__deep___="",
        pack__deep__leaf="",
        spaces__inner="",
    )
    assert importing(files, line) == found


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("pack__deep__here", "from . import leaf", "pack.deep.leaf"),
        ("pack__deep__here", "from .leaf import x", "pack.deep.leaf"),
        ("pack__deep__here", "from .. import task", "pack.task"),
        ("pack__deep__here", "from ..task import Task", "pack.task"),
        ("pack__deep___", "from .leaf import x", "pack.deep.leaf"),
        ("pack__deep___", "from ..task import Task", "pack.task"),
    ],
)
def test_relative_imports_start_from_the_package(
    files: Files, module: str, line: str, found: str
) -> None:
    files.write(pack___="", pack__task="class Task: ...", pack__deep___="")
    files.write(pack__deep__leaf="x = 1", **{module: line})
    root = "pack/deep/__init__.py" if module.endswith("___") else "pack/deep/here.py"
    own = "pack.deep" if module.endswith("___") else "pack.deep.here"
    assert files.of(root) == sorted([own, found])


def test_a_name_that_a_package_binds_in_several_ways_leads_to_all_of_them(
    files: Files,
) -> None:
    both = "try:\n    from pack.fast import f\nexcept ImportError:\n    from pack.slow import f"
    files.write(pack___=both, pack__fast="", pack__slow="")
    assert importing(files, "from pack import f") == ["pack.fast", "pack.slow"]
    files.write(pack___="try:\n    from pack.fast import f\nexcept ImportError:\n    f = 1")
    assert importing(files, "from pack import f") == ["pack", "pack.fast"]


def test_cycles_end(files: Files) -> None:
    files.write(main="import a", a="import b", b="import a, main")
    assert files.of() == ["a", "b", "main"]
    files.write(one___="from two import x", two___="from one import x")
    assert importing(files, "from one import x") == ["one", "two"]


def test_what_is_left_out_is_not_followed_either_but_looked_up(files: Files) -> None:
    files.write(pack___="from pack.task import Task\nONE = 1", pack__task="", pack__far="")
    files.write(main="from pack import Task, ONE\nimport mover", mover="import pack.far")
    assert files.of("main.py", "pack", "mover") == ["main", "pack.task"]


def test_packages_come_before_folders_and_first_folders_before_later_ones(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        Files(tmp_path / name).write(pack___="", pack__x="", lone="", only=name)
    Files(tmp_path / "b").write(late="")
    root = tmp_path / "b" / "main.py"
    root.write_text("import pack, lone, late")
    packages = {"pack": tmp_path / "b" / "pack"}
    found = closure([root], Search(packages, (tmp_path / "a", tmp_path / "b")))
    assert found["pack"].is_relative_to(tmp_path / "b")
    assert found["lone"].is_relative_to(tmp_path / "a")
    assert found["late"].is_relative_to(tmp_path / "b")


def test_names_do_not_depend_on_where_files_are(tmp_path: Path) -> None:
    hashes = set[str]()
    for name in ("here", "there"):
        files = Files(tmp_path / name)
        files.write(main="from pack import x", pack___="from .y import x", pack__y="x = 1")
        search = Search(folders=(files.folder,))
        hashes.add(code_hash(closure([files.folder / "main.py"], search)))
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x = 1\ny = = 2\n", r"bad\.py, line 2 is not valid Python: invalid syntax"),
        (b"x = '\xff'\n", r"bad\.py.* is not valid Python"),
        (b"x = 1\0\n", r"bad\.py.* is not valid Python"),
        (b"# coding: nothing\n", r"bad\.py.* is not valid Python"),
    ],
)
def test_what_is_not_python_is_named_with_its_line(
    files: Files, content: bytes, said: str
) -> None:
    files.write(main="import bad")
    (files.folder / "bad.py").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        files.of()


def test_a_root_outside_all_folders_is_refused(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lone\.py is in none of .*folders"):
        closure([tmp_path.parent / "lone.py"], Search(folders=(tmp_path,)))


def test_an_edited_file_is_read_again(files: Files) -> None:
    files.write(lone="", other="")
    assert importing(files, "import lone") == ["lone"]
    assert importing(files, "import other, lone") == ["lone", "other"]
