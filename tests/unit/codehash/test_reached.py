"""What of a module counts for some of its names."""

import pytest

from codehash.reached import reached

MODULE = """\
import torch
from numpy import array

torch.set_flush_denormal(True)
SIZE = 3
OTHER, UNUSED = 4, 5
LATE: int = 6


def helper(x):
    return x * SIZE


@decorated
class Trial(Base):
    def advance(self, state):
        return helper(state) + getattr(self, "LATE")


grid = [Trial()] * OTHER
"""


def kept(line: str, roots: tuple[str, ...] = ("Trial",)) -> bool:
    return line in reached(MODULE, roots).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "SIZE = 3",
        "def helper(x):",
        "@decorated",
        "LATE: int = 6",
        "from numpy import array",
    ],
)
def test_what_a_class_mentions_counts_also_through_others(line: str) -> None:
    assert kept(line)


def test_statements_that_do_more_than_define_count() -> None:
    assert kept("torch.set_flush_denormal(True)")


@pytest.mark.parametrize("line", ["OTHER, UNUSED = 4, 5", "grid = [Trial()] * OTHER"])
def test_what_it_does_not_mention_does_not_count(line: str) -> None:
    assert not kept(line)


def test_a_name_that_two_statements_bind_counts_twice() -> None:
    source = "a = 1\nb = 2\na = b\nc = 3\nx = a\n"
    assert reached(source, ["x"]) == "a = 1\nb = 2\na = b\n\nx = a\n"


def test_a_definition_inside_a_condition_counts() -> None:
    source = "if True:\n    a = 1\nb = 2\nx = 3\n"
    assert reached(source, ["x"]) == "if True:\n    a = 1\n\nx = 3\n"


@pytest.mark.parametrize("source", ["a = 1\n", "a = 1; x = 2\n"])
def test_all_counts_where_it_cannot_be_distinguished(source: str) -> None:
    assert reached(source, ["x"]) == source


def test_what_a_statement_that_counts_mentions_counts_too() -> None:
    source = "n = 1\nset_threads(n)\nx = 2\n"
    assert reached(source, ["x"]) == source
