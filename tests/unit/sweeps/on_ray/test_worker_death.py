"""Who is to blame for a worker that died: the trial under way, nobody else."""

import pytest
from made_up_events import failed, finished, session
from small import trial

from sweeps.on_ray.worker_death import cause, to_blame
from sweeps.store.events import Event, Printed, Restarted, Started

LEFT = [trial(0), trial(1), trial(2)]


def happened(*words: str) -> list[Event]:
    """Return events from short words: "started 1" is of trial 1."""
    return [_event(*each.split()) for each in words]


def _event(kind: str, seed: str = "0") -> Event:
    name = trial(int(seed)).trial_id
    events: list[Event] = [
        session(),
        Started(trial_id=name),
        Restarted(trial_id=name, reason="torn"),
        finished(name),
        failed(name),
        Printed(trial_id=name, text="a word"),
    ]
    return next(each for each in events if each.kind == kind)


@pytest.mark.parametrize(
    ("blamed", "words"),
    [
        (0, ["session"]),
        (0, ["session", "started 0"]),
        (1, ["session", "started 0", "finished 0", "started 1"]),
        (1, ["session", "started 0", "finished 0", "started 1", "restarted 1"]),
        (2, ["session", "started 1", "failed 1", "started 2", "started 7"]),
        (0, ["session", "started 2", "session"]),
        (1, ["started 2", "session", "started 1"]),
        (1, ["session", "started 2", "started 1"]),
        (0, ["session", "started 0", "finished 0"]),
        (1, ["session", "started 1", "printed 1"]),
    ],
)
def test_the_trial_begun_last_in_this_session_and_not_ended_is_to_blame(
    blamed: int, words: list[str]
) -> None:
    assert to_blame(LEFT, happened(*words)) == LEFT[blamed]


def report(*causes: str) -> str:
    """Write as Tune does what a worker died of each time."""
    return "".join(
        f"Failure # {number} (occurred at 2026-01-01_00-00-00)\n{each}\n"
        for number, each in enumerate(causes, start=1)
    )


MEMORY = "1 worker(s) were killed due to the node running low on memory.\nlong words"
DIED = "The actor died unexpectedly.\nThe actor is dead because its owner has died."


def test_want_of_memory_is_told_with_a_remedy() -> None:
    told = cause(report(DIED, MEMORY))
    assert "out of memory" in told
    assert "--cpus" in told


@pytest.mark.parametrize("text", [DIED, report(DIED), report(MEMORY, DIED)])
def test_any_other_cause_is_the_last_line_of_the_report(text: str) -> None:
    assert cause(text) == "The actor is dead because its owner has died."
