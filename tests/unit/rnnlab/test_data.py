"""What a task must not do is refused before an engine, which does not look, can do harm."""

from dataclasses import dataclass

import pytest

from rnnlab import TemporalOrder
from rnnlab.data import draw_steps
from rnnlab.rng import TRAIN, below


@dataclass(frozen=True, kw_only=True)
class Shrinking(TemporalOrder):
    """The higher the word, the fewer steps."""

    def steps(self, length: int, word: int) -> int:
        return length - below(word, 5)


def test_more_steps_than_there_is_room_for_are_refused() -> None:
    task = Shrinking(length=20)
    with pytest.raises(
        ValueError, match=r"Shrinking\.steps gave 20 steps, but room is made"
    ):
        draw_steps(task, 0, TRAIN, 0, 100)


def test_no_steps_are_drawn_where_no_batch_is_asked_for() -> None:
    task = TemporalOrder(length=20, length_max=30)
    assert draw_steps(task, 0, TRAIN, 0, 0).tolist() == []
