"""Stop a run: cleanly on the first request, immediately on the second."""

import os
import time
from types import FrameType
from typing import NoReturn

from cluster.processes import Offspring
from sweeps.exit_codes import INTERRUPTED

INSIST_AFTER_S = 20.0
"""Timeout of a clean stop after the parent has exited."""


class StopRequest:
    """Whether a stop of the run was requested; a second signal does not wait."""

    def __init__(self) -> None:
        """Start without a request."""
        self.asked = False
        self.halted = ""
        self.offspring = Offspring()

    def __getstate__(self) -> dict[str, object]:
        """Exclude the processes: Tune pickles its stopper, though it is never loaded."""
        return {"asked": self.asked, "halted": self.halted}

    def ask(self) -> None:
        """Request a stop; repeating it changes nothing."""
        self.asked = True

    def halt(self, why: str) -> None:
        """Request a stop because results can no longer be stored."""
        self.halted = self.halted or why
        self.ask()

    def ask_and_insist(self) -> None:
        """Request a stop, and kill all processes after a timeout."""
        self.ask()
        time.sleep(INSIST_AFTER_S)
        self.end_at_once(INTERRUPTED)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal: request a stop; on the second signal, kill all processes."""
        if self.asked:
            self.end_at_once(INTERRUPTED)
        self.ask()

    def end_at_once(self, code: int) -> NoReturn:
        """Kill all processes that this one started, and exit."""
        self.offspring.end()
        os._exit(code)
