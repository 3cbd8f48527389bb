"""Run the blocks of Numba's simulator with one thread at a time, and watch their memory.

Numba's own simulator starts all threads of a block, and polls them. Here a thread runs until
its next barrier, then hands over to another: repeatable, ten times as fast, and in an order
that a test chooses. A block must arrive whole at each barrier, and the threads of a warp must
make the same number of swaps before it, or a card would hang.

A watched launch also fails at a race: see `races`.
"""

import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numba.cuda.simulator.kernel  # pyright: ignore[reportMissingTypeStubs]
import numba.cuda.simulator.kernelapi  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from races import Use, Watch

from rnnlab.engines.fused_gpu import simulator

Order = Literal["ascending", "descending", "mixed"]

_WARP = 32
_ENGINE = "rnnlab.engines.fused_gpu."

_kernel: Any = numba.cuda.simulator.kernel
_kernelapi: Any = numba.cuda.simulator.kernelapi
_numba_swap = simulator.swap

_INSIDE = frozenset({__file__, simulator.__file__, _kernelapi.__file__})


class BarrierError(AssertionError):
    """Threads of a block wait at different barriers, or have left: a card would hang."""


class _EndedError(Exception):
    """Another thread of the block has failed."""


class _Given(NamedTuple):
    order: Order
    watch: Watch | None


class _Setting:
    now = _Given("mixed", None)


class _Index(NamedTuple):
    x: int
    y: int = 0
    z: int = 0


class Watched(np.ndarray):
    """An array that notes each use of an entry by a thread of a block."""

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        watch = _Setting.now.watch
        if watch is not None and not isinstance(found, np.ndarray):
            use = _use()
            if use is not None:
                watch.read(self._places(key), use)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        watch = _Setting.now.watch
        use = _use() if watch is not None else None
        if watch is not None and use is not None:
            before = super().__getitem__(key)
            assert not isinstance(before, np.ndarray), "Kernels write entries, not slices."
            changes = before.tobytes() != self.dtype.type(value).tobytes()
            watch.write(self._places(key), use, changes)
        super().__setitem__(key, value)

    def _places(self, key: Any) -> range:
        """Return the addresses; bytes one by one where bytes are read as words."""
        keys = key if isinstance(key, tuple) else (key,)
        place = self.__array_interface__["data"][0]
        for k, size, stride in zip(keys, self.shape, self.strides, strict=True):
            k = int(k)
            assert -size <= k < size
            place += (k % size) * stride
        return range(place, place + (self.itemsize if self.dtype.kind == "u" else 1))


def _use() -> Use | None:
    """Return which thread uses an entry; None if it only prefetches its line of memory."""
    thread, frame = threading.current_thread(), sys._getframe(2)
    if not isinstance(thread, _Thread) or frame.f_code.co_filename == simulator.__file__:
        return None
    return Use(thread.threadIdx.x, frame.f_code.co_name, frame.f_lineno)


class _Thread(threading.Thread):
    """A thread of a block, with what the simulator asks of one."""

    def __init__(self, block: "Block", index: int, place: int, work: Callable[[], None]):
        super().__init__(daemon=True)
        self.threadIdx, self.blockIdx = _Index(index), _Index(place)
        self.thread_id = index
        self.turn = _held()
        self.swaps = 0
        self.swapped: Any = None
        self.block, self._work = block, work

    def run(self) -> None:
        """Work in turns; the launch raises what this raises."""
        self.turn.acquire()
        try:
            with np.errstate(all="ignore"):
                self._work()
        except Exception as error:  # noqa: BLE001
            self.block.fail(error)
        self.block.leave()

    def syncthreads(self) -> None:
        self.block.wait(self, _line())

    def syncthreads_or(self, value: Any) -> bool:
        self.block.votes.append(bool(value))
        self.block.wait(self, _line())
        return self.block.decided


def _held() -> threading.Lock:
    """Return a lock that waits for its first release."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class _Line(NamedTuple):
    function: str
    line: int


def _line() -> _Line:
    """Return which barrier of the kernel this is."""
    frame: Any = sys._getframe(2)
    while frame.f_code.co_filename in _INSIDE:
        frame = frame.f_back
    return _Line(frame.f_code.co_name, frame.f_lineno)


class _Offer(NamedTuple):
    """A thread that waits for the value of another, and its own value."""

    thread: _Thread
    value: Any
    lanes: int


class Block:
    """Takes the place of the simulator's `BlockManager`."""

    def __init__(self, f: Callable[..., None], grid: Any, size: Any, debug: bool):
        self._f, self._size = f, int(np.prod(size))
        self._order, self._watch = _Setting.now
        self._random = random.Random(self._size)
        self._threads: list[_Thread] = []
        self._queue: list[_Thread] = []
        self._waiting: list[tuple[_Thread, _Line]] = []
        self._offers: dict[int, _Offer] = {}
        self._left = 0
        self._error: Exception | None = None
        self._done = _held()
        self.votes: list[bool] = []
        self.decided = False

    def run(self, place: tuple[int, ...], *args: Any) -> None:
        """Run the block to its end, and raise what a thread has raised."""
        launch = _kernel._get_kernel_context()
        before, launch.shared._allocations = launch.shared._allocations, {}
        if self._watch is not None:
            self._watch.begin(launch, place[0], before)
            args = tuple(_watched(each) for each in args)
        self._threads = [
            _Thread(self, index, place[0], lambda: self._f(*args))
            for index in range(self._size)
        ]
        for thread in self._threads:
            thread.start()
        self._queue = self._ordered(self._threads)
        self._hand_over()
        self._done.acquire()
        for thread in self._threads:
            thread.join()
        self._check_swaps()
        if self._error is not None:
            raise self._error

    def fail(self, error: Exception) -> None:
        """End the block with an error, the first."""
        self._error = self._error or error

    def leave(self) -> None:
        """Go on without a thread that has ended."""
        self._left += 1
        self._hand_over()

    def wait(self, thread: _Thread, line: _Line) -> None:
        """Wait at a barrier."""
        self._waiting.append((thread, line))
        self._rest(thread)

    def swap(self, thread: _Thread, value: Any, lanes: int) -> Any:
        """Give a thread the value of another, which may have to come first."""
        thread.swaps += 1
        offer = self._offers.get(thread.thread_id ^ lanes)
        if offer is None or offer.lanes != lanes:  # it may wait for a third
            self._offers[thread.thread_id] = _Offer(thread, value, lanes)
            self._rest(thread)
            return thread.swapped
        del self._offers[offer.thread.thread_id]
        offer.thread.swapped = value
        self._queue.append(offer.thread)
        return offer.value

    def _rest(self, thread: _Thread) -> None:
        self._hand_over()
        thread.turn.acquire()
        if self._error is not None:
            raise _EndedError

    def _hand_over(self) -> None:
        if not self._queue:
            if not self._waiting and not self._offers:
                self._done.release()
                return
            self._end_phase()
        self._queue.pop().turn.release()

    def _end_phase(self) -> None:
        """Let all go on from a barrier, or fail where some are not at it."""
        lines = {line for _, line in self._waiting}
        if len(lines) > 1 or self._left or self._offers:
            others = f"{self._left} have left and {len(self._offers)} swap"
            self.fail(BarrierError(f"{others}, while others wait at {lines}."))
        self._check_swaps()
        if self._watch is not None:
            self._watch.barrier()
        self.decided, self.votes = any(self.votes), []
        waiting = [thread for thread, _ in self._waiting]
        swapping = [offer.thread for offer in self._offers.values()]
        self._queue = self._ordered(waiting + swapping)
        self._waiting, self._offers = [], {}

    def _check_swaps(self) -> None:
        """Refuse that some threads of a warp made more swaps than the others."""
        made = {(each.thread_id // _WARP, each.swaps) for each in self._threads}
        warps = Counter(warp for warp, _ in made)
        if max(warps.values()) > 1:
            self.fail(BarrierError(f"Swaps differ in a warp: {sorted(made)}."))

    def _ordered(self, threads: list[_Thread]) -> list[_Thread]:
        """Return who comes next, the first last."""
        threads = sorted(threads, key=lambda each: each.thread_id)
        if self._order == "mixed":
            self._random.shuffle(threads)
        return threads[::-1] if self._order == "ascending" else threads


def _watched(arrays: Any) -> Any:
    return type(arrays)(*(each.view(Watched) for each in arrays))


class _Shared(_kernelapi.FakeCUDAShared):
    """Shared memory that holds no number before one is written."""

    def array(self, shape: int, dtype: Any, alignment: int | None = None) -> Any:
        frame = sys._getframe(1)
        found = self._allocations.get(frame.f_lineno)
        if found is None:
            found = np.full(shape, _garbage(dtype), dtype)
            if _Setting.now.watch is not None:
                found = found.view(Watched)
            self._allocations[frame.f_lineno] = found
        return found


class _Local(_kernelapi.FakeCUDALocal):
    """Registers that hold no number before one is written."""

    def array(self, shape: int, dtype: Any, alignment: int | None = None) -> Any:
        return np.full(shape, _garbage(dtype), dtype)


def _garbage(dtype: Any) -> Any:
    return np.nan if np.dtype(dtype).kind == "f" else np.iinfo(dtype).min


def _swap(value: Any, lanes: int) -> Any:
    """Return the value of the thread whose index differs in the bits `lanes`."""
    thread = threading.current_thread()
    assert isinstance(thread, _Thread)
    return thread.block.swap(thread, value, lanes)


def install() -> None:
    """Let blocks take turns in all launches of this process."""
    _kernel.BlockManager = Block
    _kernelapi.FakeCUDAShared = _Shared
    _kernelapi.FakeCUDALocal = _Local
    for name, module in list(sys.modules.items()):
        if name.startswith(_ENGINE) and vars(module).get("swap") is _numba_swap:
            vars(module)["swap"] = _swap


@contextmanager
def turns(order: Order = "mixed", *, watched: bool = False) -> Generator[None]:
    """Choose the order of threads between barriers, and whether memory is watched."""
    before = _Setting.now
    try:
        _Setting.now = _Given(order, Watch() if watched else None)
        yield
    finally:
        _Setting.now = before
