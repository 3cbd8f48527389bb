"""Exit codes of the `sweep` command and of its driver; 0 means that everything has a result."""

FAILED = 1
"""Some trials failed, differ, or have no result."""
USAGE = 2
"""The command cannot be carried out as it was typed."""
LOST = 75
"""The driver's Ray has gone; of sysexits.h: what failed may work again."""
INTERRUPTED = 130
"""The run was asked to stop."""
