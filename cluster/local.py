"""The local backend: a process of this machine, in a session of its own.

The session keeps the terminal's Ctrl-C away from the command, so that there is one way
to interrupt it; the lifeline ends it when its parent is gone, even after `kill -9`.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cluster.job import Command, Resources

LIFELINE = "CLUSTER_LIFELINE_FD"
"""Environment variable: a pipe that reads end-of-file when the parent has gone."""


@dataclass(frozen=True)
class LocalJob:
    """A child process and the lifeline it watches."""

    process: "subprocess.Popen[bytes]"
    lifeline: int

    @property
    def job_id(self) -> str:
        """The process id."""
        return str(self.process.pid)

    def poll(self) -> int | None:
        """Give the exit code, or None while it runs; −N where signal N ended it."""
        return self.process.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; give the exit code, or None where the time ran out."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def interrupt(self) -> None:
        """Send SIGINT to the process alone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Send SIGKILL to the process's own session: never to its caller's group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)


class LocalBackend:
    """Starts commands as children of this process."""

    def submit(self, command: Command, resources: Resources) -> LocalJob:
        """Start a command with this process's standard output and error.

        Args:
            command: What to execute.
            resources: Told to numerical libraries as their number of threads.

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
        return LocalJob(process, writing)


def follow_parent(gone: Callable[[], None]) -> None:
    """Call `gone` once the process that submitted this one has ended, however it ended.

    Does nothing in a process that no local backend started.

    Args:
        gone: Called in a thread of its own.
    """
    descriptor = os.environ.pop(LIFELINE, None)
    if descriptor is None:
        return

    def watch(reading: int) -> None:
        while os.read(reading, 1):
            pass
        gone()

    threading.Thread(target=watch, args=(int(descriptor),), daemon=True).start()
