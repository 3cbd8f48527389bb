"""A worker died for good: the cause, from what Ray and Tune wrote."""

SHORT_OF_MEMORY = "killed due to the node running low on memory"
"""How Ray begins an `OutOfMemoryError`."""
OUT_OF_MEMORY = (
    "Ray killed its worker, for the machine was running out of memory. Run fewer workers "
    "at a time with --cpus, or make the trial smaller."
)


def cause(report: str) -> str:
    """Say in a line why a worker died.

    Args:
        report: What Tune wrote about each time that it died, the last time last. Tune keeps
            no exception where memory was short, so Ray's words have to tell.
    """
    last = report.rsplit("Failure # ", 1)[-1]
    if SHORT_OF_MEMORY in last:
        return OUT_OF_MEMORY
    return last.strip().splitlines()[-1]
