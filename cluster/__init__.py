"""Move a command to machines: argv and resources in, a job out.

Knows nothing of networks or sweeps. The nouns are here; a backend is imported from its
module, as in `from cluster.local import LocalBackend`.
"""

from cluster.job import Backend, Command, Job, Resources

__all__ = ["Backend", "Command", "Job", "Resources"]
