"""A driver is restarted if it was killed, and only then."""

import signal

import pytest

from sweeps.exit_codes import LOST, NOT_STARTED
from sweeps.run.supervise import out_of_memory_kills, supervise

KILLED = -signal.SIGKILL


@pytest.mark.parametrize(
    ("codes", "restarts", "code", "starts"),
    [
        ([0], 3, 0, 1),
        ([1], 3, 1, 1),
        ([2], 3, 2, 1),
        ([130], 3, 130, 1),
        ([KILLED], 0, 1, 1),
        ([LOST], 0, 1, 1),
        ([KILLED, 0], 1, 0, 2),
        ([LOST, KILLED, 130], 3, 130, 3),
        ([LOST, LOST, LOST], 2, 1, 3),
        ([NOT_STARTED, 0], 0, 0, 2),
        ([NOT_STARTED, NOT_STARTED, 130], 0, 130, 3),
        ([NOT_STARTED, NOT_STARTED, NOT_STARTED], 5, 1, 3),
        ([LOST, NOT_STARTED, 0], 1, 0, 3),
    ],
)
def test_only_an_end_from_outside_starts_it_again(
    codes: list[int], restarts: int, code: int, starts: int
) -> None:
    left = iter(codes)
    assert supervise(lambda: next(left), restarts, "sweep run x") == code
    assert len(codes) - len(list(left)) == starts


def test_it_says_what_ended_the_driver_and_that_it_starts_it_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = iter([KILLED, LOST])
    supervise(lambda: next(left), 1, "sweep run x")
    said = capsys.readouterr().err
    assert "killed by signal SIGKILL" in said
    assert "resume with\n  sweep run x\n" in said
    assert "restarting the driver, 1 of at most 1" in said
    assert said.count("sweep run x") == 1


def test_kills_for_want_of_memory_are_counted() -> None:
    assert out_of_memory_kills() >= 0
