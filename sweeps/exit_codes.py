"""Exit codes of the `sweep` command and of its driver; 0 means that everything has a result."""

FAILED = 1
"""Some trials failed, differ, or have no result."""
USAGE = 2
"""The command line is invalid."""
NOT_STARTED = 69
"""The driver's Ray has not started, and nothing was trained; in sysexits.h: unavailable."""
LOST = 75
"""The driver's Ray has died; in sysexits.h: a temporary failure, try again."""
INTERRUPTED = 130
"""A stop was requested."""
