"""The output of a trial: a `Result`, and a `Check` for each evaluation."""

from dataclasses import dataclass

from rnnlab.spec import Outcome


@dataclass(frozen=True, kw_only=True)
class Check:
    """One evaluation of a trial on fresh sequences, and statistics since the last one."""

    update: int
    """Updates made so far."""
    errors: int
    """Wrong sequences; counting stops at the 100th, which rules out success."""
    sequences: int
    """Evaluated sequences: 10,000, or fewer if counting stopped."""
    loss: float
    """Mean training cost C since the last check; see `rnnlab.costs`."""
    grad_norm_mean: float
    """Mean global gradient norm before clipping, since the last check."""
    grad_norm_max: float
    """Largest global gradient norm before clipping, since the last check."""
    clipped_share: float
    """Share of the updates since the last check whose gradient was clipped."""
    repaired_share: float
    """Share of the updates since the last check replaced by the authors' repair."""
    omega: float
    """The regulariser Ω on one fresh batch."""
    valid_share: float
    """Share of (step, example) pairs on that batch in which ‖∂C/∂h‖² ≥ 1e-20."""
    spectral_radius: float
    """Largest |eigenvalue| ρ of W_rec."""
    largest_singular_value: float
    """Largest singular value λ₁ of W_rec."""

    @property
    def error_rate(self) -> float:
        """Wrong sequences as a fraction of the evaluated ones."""
        return self.errors / self.sequences


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a trial ended, or its state at its budget."""

    trial_id: str
    """The trial's name: a hash of its content."""
    outcome: Outcome
    """solved: a check met the `stop` rule; diverged: a number was not finite."""
    updates: int
    """Updates made until the trial was solved, diverged, or reached its budget."""
    solved_at: int | None
    """Updates at the first check with under 1 % wrong of 10,000."""
    zero_errors_at: int | None
    """Updates at the first check with none wrong of 10,000."""
    clip_threshold: float | None = None
    """Threshold in use: the trial's `clip_norm`, or the one from its `clip_multiple`."""
    test_errors: tuple[int, ...] | None = None
    """Wrong sequences of 10,000 at each of the trial's `test_lengths`; None if it has
    none, or was not solved."""
    engine: str
    """The engine that trained it."""
    numerics_id: str
    """What bits depend on: engine, sources, libraries, vector width."""
    checks: tuple[Check, ...]
    """Every check in order; empty if the trial diverged before the first."""

    @property
    def last_check(self) -> Check | None:
        """The last check of the trial, if any."""
        return self.checks[-1] if self.checks else None
