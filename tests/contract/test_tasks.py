"""What every task promises; a later one joins by its line in `rnnlab/tasks/__init__.py`.

What it asks for is a matter of its own: see `tests/unit/rnnlab/tasks/`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from drawing import UNWRITTEN, indices, of_any_length, plainly, seeds, sequences
from hypothesis import given
from hypothesis import strategies as st

from rnnlab import Memorisation, Task
from rnnlab.data import draw_batch, draw_steps, draw_steps_of_groups
from rnnlab.rng import CHECK, PROBE, TEST, TRAIN, WORD, below, words
from rnnlab.tasks import TASKS
from rnnlab.tasks.task import LONGEST

KINDS: dict[str, Callable[..., Task]] = {
    **{kind.__name__: kind for kind in TASKS},
    "Memorisation of 20 bits": partial(Memorisation, values=5, positions=10),
}
DRAWN = {name: kind for name, kind in KINDS.items() if name != "Memorisation"}
"""All but that of 5 bits, of which sequence k is the same in every batch."""

TOGETHER = 240
"""Sequences of a check that have one number of steps; another count changes results."""

purposes = st.sampled_from([TRAIN, CHECK, PROBE, TEST])
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_drawn = pytest.mark.parametrize("kind", DRAWN.values(), ids=DRAWN)


def plain_steps(task: Task, seed: int, purpose: int, index: int, group: int) -> int:
    """Draw L if it is drawn, and leave the rest to the task."""
    first, second, _, _ = words(seed, purpose, index, WORD, group)
    length = task.length
    if task.length_max is not None:
        length += below(first, task.length_max - task.length)
    return task.steps(length, second)


@each_kind
@given(st.data(), seeds, purposes, indices, st.integers(0, 10_000))
def test_a_compiled_batch_equals_plain_python(
    kind: Callable[..., Task],
    data: st.DataObject,
    seed: int,
    purpose: int,
    index: int,
    first: int,
) -> None:
    task = data.draw(of_any_length(kind))
    batch = draw_batch(task, seed=seed, purpose=purpose, index=index, size=3, first=first)
    steps = plain_steps(task, seed, purpose, index, first // TOGETHER)
    assert sequences(batch) == [
        plainly(task, seed, purpose, index, first + k, steps) for k in range(3)
    ]


@each_kind
@given(st.data(), seeds, indices)
def test_all_that_a_batch_has_room_for_is_written_and_possible(
    kind: Callable[..., Task], data: st.DataObject, seed: int, index: int
) -> None:
    task = data.draw(of_any_length(kind))
    steps = task.steps(task.length, 0)
    inputs, targets = plainly(task, seed, TRAIN, index, 0, steps)
    assert len(inputs) == (1 if task.one_hot else task.inputs)
    assert all(len(row) == steps and UNWRITTEN not in row for row in inputs)
    if task.one_hot:
        assert set(inputs[0]) <= set(range(task.inputs))
    if task.cost == "value_at_end":
        assert len(targets) == task.outputs
    else:
        assert len(targets) == (steps if task.cost == "class_at_each_step" else 1)
        assert set(targets) <= set(range(task.outputs))


@each_kind
@given(st.data(), seeds, indices, st.integers(0, 41), st.integers(0, TOGETHER - 1))
def test_a_sequence_of_a_check_is_the_same_whatever_the_first_of_its_batch(
    kind: Callable[..., Task],
    data: st.DataObject,
    seed: int,
    index: int,
    group: int,
    place: int,
) -> None:
    task = data.draw(of_any_length(kind, most=30))
    first = group * TOGETHER
    whole = draw_batch(
        task, seed=seed, purpose=CHECK, index=index, size=TOGETHER, first=first
    )
    alone = draw_batch(
        task, seed=seed, purpose=CHECK, index=index, size=1, first=first + place
    )
    assert sequences(whole)[place] == sequences(alone)[0]


@each_kind
@given(st.data(), seeds, purposes, indices)
def test_each_240_sequences_of_a_check_have_a_number_of_steps_of_their_own(
    kind: Callable[..., Task], data: st.DataObject, seed: int, purpose: int, index: int
) -> None:
    task = data.draw(of_any_length(kind))
    assert draw_steps_of_groups(task, seed, purpose, index, 42).tolist() == [
        plain_steps(task, seed, purpose, index, group) for group in range(42)
    ]


@each_kind
@given(st.data(), seeds, purposes, indices)
def test_steps_of_updates_drawn_together_are_those_drawn_one_by_one(
    kind: Callable[..., Task], data: st.DataObject, seed: int, purpose: int, index: int
) -> None:
    task = data.draw(of_any_length(kind))
    assert draw_steps(task, seed, purpose, index, 10).tolist() == [
        plain_steps(task, seed, purpose, index + k, 0) for k in range(10)
    ]


def expected_shares(task: Task) -> dict[int, float]:
    """Count the steps that each L and evenly spread words give."""
    spread = np.linspace(0, WORD, 1001).astype(int).tolist()
    last = task.length_max or task.length + 1
    found = [task.steps(L, word) for L in range(task.length, last) for word in spread]
    return {steps: count / len(found) for steps, count in Counter(found).items()}


@each_kind
@pytest.mark.parametrize("above", [None, 1, 7, 30])
@pytest.mark.parametrize("over", ["updates", "groups"])
def test_every_length_of_the_range_comes_equally_often(
    kind: Callable[..., Task], above: int | None, over: str
) -> None:
    length = kind().shortest + 13
    length_max = None if above is None else length + above
    task = kind(length=length, length_max=length_max)
    if over == "updates":
        drawn = draw_steps(task, 1, TRAIN, 0, 20_000)
    else:
        drawn = draw_steps_of_groups(task, 1, CHECK, 1, 2_000)
    counts, shares = Counter(drawn.tolist()), expected_shares(task)
    assert set(counts) == set(shares)
    for steps, share in shares.items():
        expected = share * len(drawn)
        allowed = 5 * np.sqrt(expected * (1 - share)) + 0.002 * expected
        assert abs(counts[steps] - expected) <= allowed, steps
    assert max(counts) == task.longest
    assert task.varies == (len(counts) > 1)


@each_drawn
def test_every_coordinate_gives_another_sequence(kind: Callable[..., Task]) -> None:
    task = kind()
    steps = task.steps(task.length, 0)
    origin = (3, TRAIN, 7, 2)
    others = [
        (4, TRAIN, 7, 2),
        (3, CHECK, 7, 2),
        (3, PROBE, 7, 2),
        (3, TRAIN, 8, 2),
        (3, TRAIN, 7 + 2**32, 2),
        (3, TRAIN, 7, 3),
    ]
    drawn = [str(plainly(task, *each, steps)) for each in [origin, *others]]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"length": "short"}, "length must be a whole number, got 'short'."),
        ({"length": 20.0}, "length must be a whole number, got 20.0."),
        ({"length": True}, "length must be a whole number, got True."),
        ({"length_max": 200.5}, "length_max must be a whole number, got 200.5."),
        (
            {"length_max": 100},
            "length_max is 100, but lengths are drawn from length to length_max − 1, so "
            "it must be above length, 100. For one length alone leave it out.",
        ),
        ({"length_max": 20}, "length_max is 20, but lengths are drawn"),
        ({"length": 10**30}, f"length is {10**30}, which makes sequences of up to "),
        ({"length_max": 200_000}, "length_max is 200000, which makes sequences of up to "),
    ],
)
def test_lengths_that_cannot_be_drawn_are_refused_with_the_remedy(
    kind: type[Task], fields: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{kind.__name__}.{message}")) as caught:
        kind(**fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", TASKS)
def test_a_length_below_the_shortest_is_refused_with_the_reason(kind: type[Task]) -> None:
    shortest = kind.shortest
    assert kind(length=shortest).length == shortest
    message = (
        f"{kind.__name__}.length is {shortest - 1}, but {kind.because}, so it must be at "
        f"least {shortest}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(length=shortest - 1)


@each_kind
def test_the_longest_sequence_fits_a_worker(kind: Callable[..., Task]) -> None:
    fits = [n for n in range(90_000, LONGEST + 1) if longest_of(kind, n) <= LONGEST]
    assert kind(length=fits[-1]).longest <= LONGEST
    assert kind(length=100, length_max=fits[-1] + 1).longest <= LONGEST
    remedy = "more than the 100,000 that fit a worker's memory. Choose a shorter one."
    with pytest.raises(ValueError, match=re.escape(remedy)):
        kind(length=fits[-1] + 1)
    with pytest.raises(ValueError, match=re.escape(remedy)):
        kind(length=100, length_max=fits[-1] + 2)


def longest_of(kind: Callable[..., Task], length: int) -> int:
    return kind().steps(length, WORD)


GOLDEN = {
    "Addition": "19c6c1c92312f652",
    "Memorisation": "c5548c9eef57e18c",
    "Multiplication": "f4aa5ad01f2172b1",
    "RandomPermutation": "c7c12ec9f57b54c7",
    "TemporalOrder": "9a91efe03ff659c6",
    "ThreeBitOrder": "e7eb31bf47aa36c7",
    "Memorisation of 20 bits": "2b203b06e2c7ade0",
}
"""Hashes of what each task drew in November 2026."""


@pytest.mark.parametrize("name", GOLDEN)
def test_the_same_sequences_are_drawn_as_ever(name: str) -> None:
    """Changed on purpose, numbers of all earlier results are of other draws: say so in the log."""
    digest = hashlib.sha256()
    for purpose, index in ((TRAIN, 0), (TRAIN, 1_000_000), (CHECK, 7), (TEST, 5000)):
        task = KINDS[name](length=50, length_max=200)
        batch = draw_batch(task, seed=3, purpose=purpose, index=index, size=20, first=240)
        for array in batch:
            digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    assert digest.hexdigest()[:16] == GOLDEN[name]
