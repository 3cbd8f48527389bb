"""The watchdog reports a death once, and nothing else."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from commands import wait_until

from cluster.processes import Offspring
from sweeps.on_ray.watchdog import TICK_S, watchdog

Child = subprocess.Popen[bytes]


class Reasons:
    """Collects the reports of the watchdog."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.offspring = Offspring()

    def __call__(self, why: str) -> None:
        self.found.append(why)


@pytest.fixture(params=["raylet", "gcs_server", "log_monitor"])
def child(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Child]:
    """A child with the name of a program of Ray."""
    program = tmp_path / request.param
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    with subprocess.Popen([str(program)], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def settle() -> None:
    """Give the watchdog time to look."""
    time.sleep(4 * TICK_S)


@pytest.mark.parametrize("seen", [True, False])
def test_the_end_of_an_essential_process_is_reported_once(child: Child, seen: bool) -> None:
    lost = Reasons()
    name = Path(str(child.args[0])).name  # type: ignore[index]
    with watchdog(lost.offspring, lost):
        if seen:
            settle()
        assert lost.found == []
        child.send_signal(signal.SIGKILL)
        if name == "log_monitor":
            settle()
        else:
            wait_until(lambda: bool(lost.found))
            settle()
    expected = [] if name == "log_monitor" else [f"process {child.pid}, has ended"]
    assert [each.split(", ", 1)[1] for each in lost.found] == expected
    assert all(name in each for each in lost.found)


def test_a_ray_that_is_being_shut_down_may_end(child: Child) -> None:
    lost = Reasons()
    with watchdog(lost.offspring, lost) as watch:
        watch.running(lambda: True)
        settle()
        watch.stopping()
        child.kill()
        settle()
    assert lost.found == []


def fail_after_the_end_of(child: Child, lost: Reasons) -> None:
    with watchdog(lost.offspring, lost):
        child.kill()
        raise RuntimeError("timed out")


def test_what_had_ended_before_an_error_is_the_reason_of_it(child: Child) -> None:
    lost = Reasons()
    with pytest.raises(RuntimeError, match="timed out"):
        fail_after_the_end_of(child, lost)
    assert len(lost.found) == (0 if "log_monitor" in str(child.args) else 1)


def test_silence_is_reported_after_a_timeout() -> None:
    lost, hang = Reasons(), threading.Event()
    began = time.monotonic()
    with watchdog(lost.offspring, lost) as watch:
        watch.running(lambda: hang.wait(60), silent_s=3)
        wait_until(lambda: bool(lost.found))
    assert time.monotonic() - began > 2.5
    assert lost.found == ["Ray has not answered for 3 s"]
    hang.set()


def test_a_negative_answer_and_an_error_are_distinguished() -> None:
    for ask, said in (
        (lambda: False, "Ray reports this machine's node as dead"),
        (lambda: 1 // 0 > 0, "Ray has not answered for 4 s"),
    ):
        lost = Reasons()
        with watchdog(lost.offspring, lost) as watch:
            watch.running(ask, silent_s=4)
            wait_until(lambda: bool(lost.found))  # noqa: B023
        assert lost.found == [said]


def test_answers_keep_it_still() -> None:
    lost = Reasons()
    with watchdog(lost.offspring, lost) as watch:
        watch.running(lambda: True, silent_s=3)
        time.sleep(4)
    assert lost.found == []


FROZEN = """
import time
from cluster.processes import Offspring
from sweeps.on_ray.watchdog import watchdog
with watchdog(Offspring(), print) as watch:
    watch.running(lambda: time.sleep(0.2) is None, silent_s=3)
    print("watching", flush=True)
    input()
"""


def test_time_in_which_this_process_was_frozen_is_no_silence() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FROZEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        process.send_signal(signal.SIGCONT)
        time.sleep(1)
        said, _ = process.communicate("\n")
    assert said == ""
