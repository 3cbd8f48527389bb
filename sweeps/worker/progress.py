"""What a pack tells about itself after each chunk of updates."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a pack stands."""

    trial_id: str = ""
    """The trial being trained."""
    update: int = 0
    """Its updates so far."""
    measurement: str = ""
    """Which measurement is reported of it."""
    value: float | None = None
    """What it was at the last check."""
    made: int = 0
    """Updates made by this pack so far, all trials together."""
    update_s: float = 0.0
    """CPU seconds that the engine spent in updates so far."""
    check_s: float = 0.0
    """CPU seconds that it spent in checks so far."""
    checks: int = 0
    """Checks made by this pack so far."""
    solved: int = 0
    unsolved: int = 0
    diverged: int = 0
    failed: int = 0
    """Trials that have ended, by how."""
    halted: str = ""
    """Why no more can be kept, if so: nothing is trained then."""

    @property
    def ended(self) -> int:
        """Trials of the pack that have ended."""
        return self.solved + self.unsolved + self.diverged + self.failed
