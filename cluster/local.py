"""The local backend: a process on this machine, in its own session.

The session shields the command from the terminal's Ctrl-C, so that there is one way to
interrupt it; the lifeline ends it when its parent has died, even after `kill -9`.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO

import psutil

from cluster.job import Command, Resources
from cluster.processes import alive, end, of_session

LIFELINE = "CLUSTER_LIFELINE_FD"
"""Environment variable: a pipe that reads end-of-file when the parent has died."""
POLL_S = 0.1


@dataclass(frozen=True)
class LocalJob:
    """A child process and its lifeline; processes that it leaves behind are killed."""

    process: "subprocess.Popen[bytes]"
    lifeline: FileIO

    @property
    def job_id(self) -> str:
        """The process id."""
        return str(self.process.pid)

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs; −N if signal N killed it."""
        if self.process.returncode is None and not self._runs():
            self.kill()  # before reaping it, while its session id cannot be reused
            self.process.wait()
            self.lifeline.close()
        return self.process.returncode

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the job to end; return its exit code, or None on timeout."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            time.sleep(POLL_S)
        return code

    def interrupt(self) -> None:
        """Send SIGINT to the process only."""
        if self.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill all processes of the job's session, whether or not the job itself is alive."""
        if self.process.returncode is None:
            end(lambda: of_session(self.process.pid))

    def _runs(self) -> bool:
        try:
            return alive(psutil.Process(self.process.pid))
        except psutil.NoSuchProcess:  # reaped by the system, if SIGCHLD is ignored
            return False


class LocalBackend:
    """Runs commands as children of this process."""

    def submit(self, command: Command, resources: Resources) -> LocalJob:
        """Start a command with this process's standard output and error.

        Args:
            command: The command to execute.
            resources: `cpus` becomes the number of threads of numerical libraries.

        Raises:
            OSError: If the program cannot be started.
        """
        reading, writing = os.pipe()
        threads = str(resources.cpus)
        env = {"OMP_NUM_THREADS": threads, **os.environ, **command.env}
        try:
            process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env={**env, LIFELINE: str(reading)},
                stdin=subprocess.DEVNULL,
                pass_fds=[reading],
                start_new_session=True,
            )
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        return LocalJob(process, FileIO(writing, "w"))


def follow_parent(gone: Callable[[], None]) -> None:
    """Call a function once the process that submitted this one has ended, for any reason.

    Does nothing in a process that no local backend started.

    Args:
        gone: The function; called in a separate thread.
    """
    descriptor = os.environ.pop(LIFELINE, None)
    if descriptor is None:
        return

    def watch(reading: int) -> None:
        with FileIO(reading) as lifeline:
            lifeline.readall()
        gone()

    threading.Thread(target=watch, args=(int(descriptor),), daemon=True).start()
