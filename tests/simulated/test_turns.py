"""The tests of the kernel rest on this: races and barriers that do not match are found."""

from typing import Any, NamedTuple

import numba.cuda  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import pytest
from races import RaceError
from turns import BarrierError, turns

from rnnlab.engines.fused_gpu.intrinsics import any_of, barrier, swap, thread

cuda: Any = numba.cuda


class Given(NamedTuple):
    numbers: Any


def launch(kernel: Any, blocks: int = 1) -> np.ndarray:
    given = Given(np.zeros(64, np.float32))
    kernel[blocks, 32](given)
    return given.numbers


@cuda.jit
def turned(given: Any) -> None:
    here = cuda.shared.array(32, np.float32)
    here[thread()] = thread()
    barrier()
    given.numbers[thread()] = here[31 - thread()]


@cuda.jit
def turned_at_once(given: Any) -> None:
    here = cuda.shared.array(32, np.float32)
    here[thread()] = thread()
    given.numbers[thread()] = here[31 - thread()]


@cuda.jit
def read_too_late(given: Any) -> None:
    x = given.numbers[31 - thread()]
    given.numbers[thread()] = x + 1


@cuda.jit
def swapped_only(given: Any) -> None:
    given.numbers[thread()] = thread()
    x = swap(np.float32(1), 1)
    given.numbers[32 + thread()] = given.numbers[31 - thread()] + x


@cuda.jit
def swapped(given: Any) -> None:
    given.numbers[thread()] = swap(thread(), 4) + 100 * swap(thread(), 1)


@cuda.jit
def swapped_by_pairs(given: Any) -> None:
    if thread() < 16:
        given.numbers[thread()] = swap(thread(), 1)


@cuda.jit
def swapped_by_one(given: Any) -> None:
    if thread() == 0:
        given.numbers[0] = swap(thread(), 1)
    barrier()


@cuda.jit
def each_block(given: Any) -> None:
    here = cuda.shared.array(32, np.float32)
    here[thread()] = 1
    given.numbers[thread()] = cuda.blockIdx.x + here[thread()]


@cuda.jit
def some_wait(given: Any) -> None:
    if thread() < 16:
        barrier()


@cuda.jit
def two_places(given: Any) -> None:
    if thread() < 16:
        barrier()
    else:
        any_of(True)


@cuda.jit
def all_write_the_same(given: Any) -> None:
    given.numbers[0] = 1
    if any_of(thread() == 7):
        given.numbers[1 + thread()] = 2


def test_a_barrier_orders_threads() -> None:
    np.testing.assert_array_equal(launch(turned)[:32], np.arange(32)[::-1])


def test_one_number_written_by_all_is_no_race() -> None:
    assert launch(all_write_the_same)[:3].tolist() == [1, 2, 2]


@pytest.mark.parametrize("kernel", [turned_at_once, read_too_late, swapped_only])
@pytest.mark.parametrize("order", ["ascending", "descending", "mixed"])
def test_a_race_is_found_in_each_order(kernel: Any, order: Any) -> None:
    with turns(order, watched=True), pytest.raises(RaceError, match="No barrier between"):
        launch(kernel)


def test_a_place_of_two_blocks_is_found() -> None:
    with turns(watched=True):
        launch(each_block)
    with turns(watched=True), pytest.raises(RaceError, match="Two blocks"):
        launch(each_block, blocks=2)


@pytest.mark.parametrize("order", ["ascending", "descending", "mixed"])
def test_a_swap_gives_each_thread_the_value_of_its_partner(order: Any) -> None:
    threads = np.arange(32)
    with turns(order):
        found = launch(swapped)[:32]
    np.testing.assert_array_equal(found, (threads ^ 4) + 100 * (threads ^ 1))


@pytest.mark.parametrize("kernel", [swapped_by_pairs, swapped_by_one])
def test_a_swap_that_some_of_a_warp_miss_is_found(kernel: Any) -> None:
    with pytest.raises(BarrierError):
        launch(kernel)


@pytest.mark.parametrize("kernel", [some_wait, two_places])
def test_a_barrier_that_some_miss_is_found(kernel: Any) -> None:
    with pytest.raises(BarrierError):
        launch(kernel)
