"""What an update of a trial costs, in multiplications."""

from rnnlab import Trial


def cost(trial: Trial) -> float:
    """Estimate one update's multiplications: 3·B·T·H·H, at the middle of its lengths."""
    task = trial.task
    shortest = task.steps(task.length, 0)
    middle = (shortest + task.longest) / 2
    return 3.0 * trial.batch * middle * trial.hidden**2
