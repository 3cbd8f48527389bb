"""Find races: two threads use a place in memory, and no barrier says which comes first."""

from typing import NamedTuple


class RaceError(AssertionError):
    """Two threads use a place in memory, and no barrier says which comes first."""


class Use(NamedTuple):
    """Who used a place in memory, and where in the source."""

    thread: int
    function: str
    line: int

    def __str__(self) -> str:
        return f"thread {self.thread} in {self.function}, line {self.line}"


class Watch:
    """What the threads of a launch read and write.

    A race is a place that two threads use between two barriers, or two blocks at any time,
    where one of them changes it.
    """

    def __init__(self) -> None:
        self._block = 0
        self._launch: object = None
        self._kept: list[object] = []
        self._written: dict[int, Use] = {}
        self._read: dict[int, Use] = {}
        self._owners: dict[int, int] = {}
        self._readers: dict[int, int] = {}

    def begin(self, launch: object, block: int, kept: object) -> None:
        """Begin a block; what is kept alive leaves no address to be used again."""
        if launch is not self._launch:
            self._owners.clear()
            self._readers.clear()
            self._kept.clear()
        self._launch, self._block = launch, block
        self._kept.append(kept)
        self.barrier()

    def barrier(self) -> None:
        """Forget: what follows comes after."""
        self._written.clear()
        self._read.clear()

    def read(self, places: range, use: Use) -> None:
        """Note a read."""
        for place in places:
            _refuse(self._written.get(place), use)
            self._read.setdefault(place, use)
            if self._read[place].thread != use.thread:
                self._read[place] = use._replace(thread=-1)
            if self._owners.get(place, self._block) != self._block:
                raise RaceError(f"Two blocks use one place: {use}.")
            if self._readers.setdefault(place, self._block) != self._block:
                self._readers[place] = -1

    def write(self, places: range, use: Use, changes: bool) -> None:
        """Note a write; one that changes nothing may come beside others of its kind."""
        for place in places:
            if changes or place not in self._written:
                _refuse(self._read.get(place), use)
                if changes:
                    _refuse(self._written.get(place), use)
                self._written[place] = use
            if self._readers.get(place, self._block) != self._block:
                raise RaceError(f"Two blocks use one place: {use}.")
            if self._owners.setdefault(place, self._block) != self._block:
                raise RaceError(f"Two blocks use one place: {use}.")


def _refuse(before: Use | None, now: Use) -> None:
    if before is not None and before.thread != now.thread:
        raise RaceError(f"No barrier between {before} and {now}.")
