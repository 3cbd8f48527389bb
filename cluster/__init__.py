"""Run a command on a machine or cluster: argv and resources in, a job out.

Independent of networks and sweeps. The types are exported here; a backend is imported from
its module, as in `from cluster.local import LocalBackend`.
"""

from cluster.job import Backend, Command, Job, Resources

__all__ = ["Backend", "Command", "Job", "Resources"]
