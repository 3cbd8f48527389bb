"""Processes are found after they were orphaned, and killed by id and start time."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from cluster.processes import Offspring, alive, end, of_session

# Starts a shell that starts a sleep in the background, ends the shell, and asks who is left.
ORPHAN = """
import os, subprocess, sys, time
from cluster.processes import Offspring, adopt_orphans
if "adopt" in sys.argv:
    adopt_orphans()
offspring = Offspring()
shell = subprocess.Popen(["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!; read line"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                         start_new_session="new session" in sys.argv)
orphan = int(shell.stdout.readline())
if "looked" in sys.argv:
    offspring.look()
shell.stdin.close()
shell.wait()
print(sorted(each.pid for each in offspring.look()) == [orphan], flush=True)
offspring.end()
print(sorted(each.pid for each in offspring.look()) == [], flush=True)
"""


@pytest.mark.parametrize(
    ("words", "leader"),
    [
        (["adopt"], False),
        (["adopt", "new session"], False),
        (["looked"], False),
        (["looked", "new session"], True),
        ([], True),
    ],
)
def test_an_orphan_is_known_and_ended(words: list[str], leader: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, *words],
        capture_output=True,
        text=True,
        start_new_session=leader,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]


def test_the_caller_is_neither_its_offspring_nor_ended() -> None:
    offspring = Offspring()
    before = offspring.look()
    with subprocess.Popen(["sleep", "60"]) as child:
        assert {each.pid for each in offspring.look() - before} == {child.pid}
        end(lambda: offspring.look() - before)
        assert child.wait(5) == -9
    assert alive(psutil.Process())


def test_one_that_waits_to_be_reaped_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    found = psutil.Process(child.pid)
    while found.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not alive(found)
    child.wait()
    assert not alive(found)


def test_a_session_is_that_of_its_leader_alone() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        assert {each.pid for each in of_session(child.pid)} == {child.pid}
        assert child.pid not in {each.pid for each in of_session(os.getsid(0))}
        child.kill()
