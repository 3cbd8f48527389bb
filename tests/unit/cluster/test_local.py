"""The local backend: real processes, ended by code, by signal, or with their parent."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster import Command, Resources
from cluster.local import LocalBackend, LocalJob

HORRIBLE = ["two words", "it's", '"quoted"', "a\nb", "$HOME", "*", "", "ü"]


def submit(code: str, *words: str, env: dict[str, str] | None = None) -> LocalJob:
    command = Command(argv=(sys.executable, "-c", code, *words), env=env or {})
    return LocalBackend().submit(command, Resources())


def gone(pid: int, within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except OSError:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_commands(code: int) -> None:
    job = submit(f"raise SystemExit({code})")
    assert job.wait(10) == code
    assert job.poll() == code


def test_horrible_words_and_environment_arrive_unchanged(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "import os,sys,json; open(sys.argv[1],'w').write(json.dumps([sys.argv[2:], os.environ['X']]))"
    job = submit(code, str(out), *HORRIBLE, env={"X": HORRIBLE[3]})
    assert job.wait(10) == 0
    import json

    assert json.loads(out.read_text()) == [HORRIBLE, HORRIBLE[3]]


def test_waiting_gives_up_in_time_and_interrupt_is_ctrl_c(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    job = submit(
        "import pathlib, sys, time\n"
        "try: pathlib.Path(sys.argv[1]).touch(); time.sleep(60)\n"
        "except KeyboardInterrupt: raise SystemExit(7)",
        str(ready),
    )
    while not ready.exists():
        time.sleep(0.02)
    assert job.wait(0.1) is None
    job.interrupt()
    assert job.wait(10) == 7
    job.interrupt()
    job.kill()


def test_kill_ends_the_whole_session_and_not_its_caller(tmp_path: Path) -> None:
    out = tmp_path / "pid"
    code = (
        "import subprocess,sys,time; p=subprocess.Popen(['sleep','60']); "
        "open(sys.argv[1]+'.part','w').write(str(p.pid)); "
        "import os; os.rename(sys.argv[1]+'.part', sys.argv[1]); time.sleep(60)"
    )
    job = submit(code, str(out))
    while not out.exists():
        time.sleep(0.02)
    job.kill()
    assert job.wait(10) == -signal.SIGKILL
    assert gone(int(out.read_text()))


LEAVES_TWO = """
import os, subprocess, sys
same = subprocess.Popen(["sleep", "60"])
other = subprocess.Popen(["sleep", "60"], process_group=0)
with open(sys.argv[1] + ".part", "w") as file:
    file.write(f"{same.pid} {other.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


@pytest.mark.parametrize("ask", ["wait", "kill"])
def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path, ask: str) -> None:
    out = tmp_path / "pids"
    job = submit(LEAVES_TWO, str(out))
    while not out.exists():
        time.sleep(0.02)
    assert gone(job.process.pid)
    left = [int(word) for word in out.read_text().split()]
    assert not any(gone(pid, 0) for pid in left)
    if ask == "kill":
        job.kill()
        assert all(gone(pid) for pid in left)
    assert job.wait(10) == 0
    assert all(gone(pid) for pid in left)


def test_the_lifeline_is_closed_at_the_end() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    job = submit("pass")
    assert job.wait(10) == 0
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    job.kill()


def test_a_command_follows_its_parent_even_after_kill_9(tmp_path: Path) -> None:
    out = tmp_path / "pid"
    child = (
        "import os,sys,time; from cluster.local import follow_parent; "
        "follow_parent(lambda: os._exit(0)); "
        "open(sys.argv[1]+'.part','w').write(str(os.getpid())); "
        "os.rename(sys.argv[1]+'.part', sys.argv[1]); time.sleep(60)"
    )
    parent = (
        "import sys; from cluster import Command, Resources; "
        "from cluster.local import LocalBackend; "
        "LocalBackend().submit(Command(argv=(sys.executable, '-c', sys.argv[1], sys.argv[2])), "
        "Resources()).wait()"
    )
    middle = subprocess.Popen([sys.executable, "-c", parent, child, str(out)])
    while not out.exists():
        time.sleep(0.02)
    pid = int(out.read_text())
    assert not gone(pid, 0.2)
    middle.kill()
    middle.wait()
    assert gone(pid)


def test_a_program_that_is_not_there_is_an_error_and_leaks_nothing() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        LocalBackend().submit(Command(argv=("/no/such/program",)), Resources())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Command(argv=()), "argv is empty"),
        (lambda: Resources(cpus=0), "cpus must be at least 1, got 0"),
        (lambda: Resources(gpus=-1), "gpus must not be negative, got -1"),
    ],
)
def test_what_cannot_be_run_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
