"""Find why a worker died permanently, from the reports of Ray and Tune."""

SHORT_OF_MEMORY = "killed due to the node running low on memory"
"""Text that marks an `OutOfMemoryError` of Ray."""
OUT_OF_MEMORY = (
    "Ray killed its worker because the machine was running out of memory. Run fewer workers "
    "with --cpus, or make the trial smaller."
)


def cause(report: str) -> str:
    """Describe in a line why a worker died.

    Args:
        report: What Tune wrote about each of its deaths, the last one last. Tune keeps no
            exception if memory ran out, so Ray's text is searched.
    """
    last = report.rsplit("Failure # ", 1)[-1]
    if SHORT_OF_MEMORY in last:
        return OUT_OF_MEMORY
    return last.strip().splitlines()[-1]
