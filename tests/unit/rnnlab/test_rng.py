"""Philox against its published vectors; compiled and plain Python agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.compiled import compiled
from rnnlab.rng import CHECK, TRAIN, below, philox, words

ALL = 0xFFFFFFFF
PI = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0]
word = st.integers(0, ALL)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([0] * 6, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ([ALL] * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_philox_gives_the_known_answers_of_random123(
    arguments: list[int], expected: tuple[int, ...]
) -> None:
    assert philox(*arguments) == expected


@given(word, word, word, word, word, word)
def test_compiled_philox_equals_python(
    c0: int, c1: int, c2: int, c3: int, k0: int, k1: int
) -> None:
    assert compiled(philox)(c0, c1, c2, c3, k0, k1) == philox(c0, c1, c2, c3, k0, k1)


@given(word, st.integers(1, 2**31))
def test_below_stays_below_compiled_or_not(drawn: int, n: int) -> None:
    assert 0 <= below(drawn, n) < n
    assert compiled(below)(drawn, n) == below(drawn, n)


def test_every_coordinate_gives_other_words() -> None:
    origin = (3, TRAIN, 7, 2, 1)
    neighbours = {
        words(4, TRAIN, 7, 2, 1),
        words(3, CHECK, 7, 2, 1),
        words(3, TRAIN, 8, 2, 1),
        words(3, TRAIN, 7 + 2**32, 2, 1),
        words(3, TRAIN, 7, 3, 1),
        words(3, TRAIN, 7, 2, 2),
    }
    assert len(neighbours | {words(*origin)}) == 7


def test_words_are_uniform_bit_by_bit() -> None:
    drawn = np.array([compiled(words)(0, TRAIN, i, 0, 0) for i in range(20_000)])
    ones = ((drawn.reshape(-1, 1) >> np.arange(32)) & 1).mean(axis=0)
    deviations = np.abs(ones - 0.5) / (0.5 / np.sqrt(drawn.size))
    assert deviations.max() < 4.5
