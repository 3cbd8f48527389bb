"""A hash changes with code, and with nothing that is written for readers only."""

from pathlib import Path

import pytest

from codehash import code_hash, without_words
from codehash.code import (
    _without_comments,  # pyright: ignore[reportPrivateUsage]
    _without_tokens,  # pyright: ignore[reportPrivateUsage]
)

ROOT = Path(__file__).parents[3]

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
        ("  # how often", "  # that's how often"),
        ('"""A factor."""', ""),
        ("\n\n\ndef", "\n\n# To be read.\n\ndef"),
        ('"""Square a number."""', '"""Square a number: 2² = 4."""'),
    ],
)
def test_what_people_read_is_left_out(old: str, new: str) -> None:
    assert without_words(SOURCE.replace(old, new, 1)) == without_words(SOURCE)


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
    assert without_words(SOURCE.replace(old, new, 1)) != without_words(SOURCE)


def test_a_string_beside_code_takes_no_code_with_it() -> None:
    assert without_words("def f(): 'ä'; return 1\n") == b"def f(): ; return 1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'),
        ('x = """a  \nb"""\n', 'x = """a\nb"""\n'),
        ('x = f"""a  \nb"""\n', 'x = f"""a\nb"""\n'),
        ("'aaaa'; 'b'; x = 1\n", "'aaaa'; 'b'; x + 1\n"),
        ("'''a\u2028b'''\nx = 3\ny = 1\n", "'''a\u2028b'''\nx = 4\ny = 1\n"),
        (r"x = '\'# 1'", r"x = '\'# 2'"),
        ("x = '\\\n# 1'", "x = '\\\n# 2'"),
        ("x = '''it's # 1'''", "x = '''it's # 2'''"),
        ('x = """""# 1"""', 'x = """""# 2"""'),
        ("x = '' '# 1'", "x = '' '# 2'"),
        ('x = "#" # it\'s\ny = "# 1"', 'x = "#" # it\'s\ny = "# 2"'),
    ],
)
def test_code_in_odd_places_is_not_left_out(one: str, other: str) -> None:
    assert without_words(one) != without_words(other)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("codehash/*.py"), *ROOT.glob("rnnlab/**/*.py")], ids=str
)
def test_the_quick_way_finds_the_comments_that_python_finds(path: Path) -> None:
    source = path.read_text()
    assert _without_comments(source) == _without_tokens(source)


def test_a_set_of_files_is_hashed_by_name_and_code(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("x = 1\n")
    other.write_text("x = 2\n")
    hashes = {
        code_hash({"a": one, "b": other}),
        code_hash({"a": other, "b": one}),
        code_hash({"a": one}),
        code_hash({"c": one}),
    }
    assert len(hashes) == 4
    assert code_hash({"b": other, "a": one}) in hashes
    before = code_hash({"a": one})
    one.write_text("# the first\nx = 1\n")
    assert code_hash({"a": one}) == before
