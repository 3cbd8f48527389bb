"""Standard input, output and errors as any process may find them: closed, or of a narrow encoding."""

import os
import sys
from typing import Any


def prepare() -> None:
    """Make the three streams usable; to be called before a file is opened.

    A closed one (`sweep run … <&-`) is opened on the null device: else the next file would
    take its number, and be read or written in its place. A character that a stream cannot
    encode is written as `?`.
    """
    for number, mode in enumerate(("r", "w", "w")):
        try:
            os.fstat(number)
        except OSError:
            _open(number, mode)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _open(number: int, mode: str) -> None:
    """Open a standard stream on the null device."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    os.set_inheritable(number, True)
    stream: Any = os.fdopen(number, mode, closefd=False)
    setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
