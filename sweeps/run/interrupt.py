"""Stopping a run: asked once it stops cleanly, asked twice it ends at once."""

import os
import time
from types import FrameType
from typing import NoReturn

from cluster.processes import Offspring
from sweeps.exit_codes import INTERRUPTED

INSIST_AFTER_S = 20.0
"""How long a clean stop may take once the parent has gone."""


class Stop:
    """Whether the run has been asked to stop; a second signal does not wait."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False
        self.halted = ""
        self.offspring = Offspring()

    def __getstate__(self) -> dict[str, object]:
        """Leave the processes out: Tune pickles its stopper, though nobody reads it back."""
        return {"asked": self.asked, "halted": self.halted}

    def ask(self) -> None:
        """Ask the run to stop; asking again changes nothing."""
        self.asked = True

    def halt(self, why: str) -> None:
        """Ask the run to stop because nothing can be kept any more."""
        self.halted = self.halted or why
        self.ask()

    def ask_and_insist(self) -> None:
        """Ask, and end all of it where asking has not helped in time."""
        self.ask()
        time.sleep(INSIST_AFTER_S)
        self.end_at_once(INTERRUPTED)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal: ask, or where one has asked before, end all of it at once."""
        if self.asked:
            self.end_at_once(INTERRUPTED)
        self.ask()

    def end_at_once(self, code: int) -> NoReturn:
        """Kill what this process started, wherever it is by now, and leave."""
        self.offspring.end()
        os._exit(code)
