"""The numerics id changes with code that decides numbers, and with nothing that is only said."""

import shutil
from pathlib import Path

import pytest

from rnnlab import numerics

SOURCE = '''"""Square things."""

FACTOR = 2  # how often
"""A factor."""


def square(x: int) -> int:
    """Square a number."""
    sign = "# not a comment"  # but this is one
    return x**FACTOR + len(sign) - len(sign)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Square things."""', '"""Square\n\nall things.\n"""'),
        ("  # how often", ""),
        ('"""A factor."""', ""),
        ("\n\n\ndef", "\n\n# To be read.\n\ndef"),
        ('"""Square a number."""', '"""Square a number: 2² = 4."""'),
    ],
)
def test_what_people_read_is_left_out(old: str, new: str) -> None:
    assert numerics.without_words(SOURCE.replace(old, new, 1)) == numerics.without_words(
        SOURCE
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FACTOR = 2", "FACTOR = 3"),
        ("# not a comment", "# no comment"),
        ("    return", "return"),
        ("    return", "    sign += 'x'\n    return"),
    ],
)
def test_code_is_not(old: str, new: str) -> None:
    assert numerics.without_words(SOURCE.replace(old, new, 1)) != numerics.without_words(
        SOURCE
    )


def test_a_string_beside_code_takes_no_code_with_it() -> None:
    assert numerics.without_words("def f(): 'ä'; return 1\n") == b"def f(): ; return 1"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `rnnlab` that may be edited."""
    copied = shutil.copytree(numerics.ROOT, tmp_path / "rnnlab")
    monkeypatch.setattr(numerics, "ROOT", copied)
    return copied


def hashed_after(source: Path, more: str) -> bool:
    """Say whether more text at the end of a source changes the hash of all."""
    before = numerics.source_hash.__wrapped__()
    with source.open("a") as file:
        file.write(more)
    return numerics.source_hash.__wrapped__() != before


def test_a_new_docstring_keeps_the_hash_of_the_sources_and_new_code_does_not(
    root: Path,
) -> None:
    assert not hashed_after(root / "clip.py", '\n"""Of 2013."""  # said again\n')
    assert hashed_after(root / "clip.py", "\nMORE = 1\n")


@pytest.mark.parametrize(
    "name",
    [
        "rng.py",
        "spec.py",
        "state.py",
        "result.py",
        "tasks/__init__.py",
        "engines/fused_cpu/kernel.py",
        "a_new_one.py",
    ],
)
def test_every_source_that_decides_numbers_is_hashed_and_a_new_one_may(
    root: Path, name: str
) -> None:
    assert hashed_after(root / name, "\nMORE = 1\n")


@pytest.mark.parametrize("name", numerics.MOVERS)
def test_a_source_that_moves_them_about_is_not(root: Path, name: str) -> None:
    assert not hashed_after(root / name, "\nMORE = 1\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'),
        ('x = """a  \nb"""\n', 'x = """a\nb"""\n'),
        ("'aaaa'; 'b'; x = 1\n", "'aaaa'; 'b'; x + 1\n"),
        ("'''a\u2028b'''\nx = 3\ny = 1\n", "'''a\u2028b'''\nx = 4\ny = 1\n"),
    ],
)
def test_code_in_odd_places_is_not_left_out(one: str, other: str) -> None:
    assert numerics.without_words(one) != numerics.without_words(other)
