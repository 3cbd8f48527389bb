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


def test_a_new_docstring_keeps_the_hash_of_the_sources_and_new_code_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(numerics.ROOT, tmp_path / "rnnlab")
    monkeypatch.setattr(numerics, "ROOT", root)

    def hashed() -> str:
        return numerics.source_hash.__wrapped__()

    before = hashed()
    source = root / "clip.py"
    source.write_text("# Of 2013.\n" + source.read_text())
    assert hashed() == before
    source.write_text(source.read_text() + "\nMORE = 1\n")
    assert hashed() != before


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
