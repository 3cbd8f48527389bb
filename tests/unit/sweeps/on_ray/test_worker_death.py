"""Why a worker died is described in a line, from what Tune wrote about it."""

import pytest

from sweeps.on_ray.worker_death import cause


def report(*causes: str) -> str:
    """Write as Tune does what a worker died of each time."""
    return "".join(
        f"Failure # {number} (occurred at 2026-01-01_00-00-00)\n{each}\n"
        for number, each in enumerate(causes, start=1)
    )


MEMORY = "1 worker(s) were killed due to the node running low on memory.\nlong words"
DIED = "The actor died unexpectedly.\nThe actor is dead because its owner has died."


def test_a_lack_of_memory_is_reported_with_a_remedy() -> None:
    text = cause(report(DIED, MEMORY))
    assert "out of memory" in text
    assert "--cpus" in text


@pytest.mark.parametrize("text", [DIED, report(DIED), report(MEMORY, DIED)])
def test_any_other_cause_is_the_last_line_of_the_report(text: str) -> None:
    assert cause(text) == "The actor is dead because its owner has died."
