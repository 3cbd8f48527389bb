"""The report of a pack after each chunk of updates."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Progress of a pack."""

    trial_id: str = ""
    """The trial being trained."""
    update: int = 0
    """Its updates so far."""
    measurement: str = ""
    """Name of the reported measurement."""
    value: float | None = None
    """Its value at the last check."""
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
    """Trials that have ended, by outcome."""
    halted: str = ""
    """Why results can no longer be stored, if so; training stops then."""

    together: int = 1
    """Trials that it trains at a time; `trial_id` names one of them."""
    cost_made: float | None = None
    """Cost of the updates made; None: of `made` updates of the trial."""
    cost_left: float | None = None
    """Cost of the trials that have not ended, to their budget; None: derived from `trial_id`."""

    @property
    def ended(self) -> int:
        """Trials of the pack that have ended."""
        return self.solved + self.unsolved + self.diverged + self.failed
