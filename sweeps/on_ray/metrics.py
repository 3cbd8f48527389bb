"""Metrics that a worker exports through Ray."""

from ray.util.metrics import Counter, Gauge

from sweeps.worker.progress import Progress
from sweeps.worker.worker import ENDINGS


class Metrics:
    """A worker's Ray metrics; Prometheus prefixes each name with `ray_`."""

    def __init__(self, sweep: str) -> None:
        """Create the metrics of a worker."""
        tags = ("sweep", "pack")
        self._sweep = sweep
        self._updates = Counter("sweep_updates", "Updates made", (*tags,))
        self._checks = Counter("sweep_checks", "Checks made", (*tags,))
        self._update_s = Counter("sweep_update_seconds", "CPU time of updates", (*tags,))
        self._check_s = Counter("sweep_check_seconds", "CPU time of checks", (*tags,))
        self._ended = Counter("sweep_trials_ended", "Trials ended", (*tags, "outcome"))
        self._update = Gauge("sweep_trial_update", "Updates of the trial", (*tags,))
        self._value = Gauge(
            "sweep_trial_value", "Measured at its last check", (*tags, "measurement")
        )

    def count(self, number: int, before: Progress, now: Progress) -> None:
        """Add what a pack has done since its last report."""
        tags = {"sweep": self._sweep, "pack": str(number)}
        for counter, name in (
            (self._updates, "made"),
            (self._checks, "checks"),
            (self._update_s, "update_s"),
            (self._check_s, "check_s"),
        ):
            _increase(counter, getattr(now, name) - getattr(before, name), tags)
        for outcome in ENDINGS:
            ended = getattr(now, outcome) - getattr(before, outcome)
            _increase(self._ended, ended, {**tags, "outcome": outcome})
        self._update.set(now.update, tags)
        if now.value is not None:
            self._value.set(now.value, {**tags, "measurement": now.measurement})


def _increase(counter: Counter, by: float, tags: dict[str, str]) -> None:
    if by > 0:
        counter.inc(by, tags)
