"""Errors a caller can act on.

SweepError                    the command line prints its message and exits with code 2
├── UnknownNameError          no such experiment, column or trial; suggests the nearest
├── WhereError                a `--where` that is not an expression over columns
├── ExperimentError           an experiment file that cannot be loaded
└── StoreError                a results folder that cannot be used
    ├── UnwritableError       a results folder that fails after all retries
    ├── NewerSchemaError      written by a later version of this program
    └── NondeterminismError   one trial, one numerics id, two different results
"""

import difflib
from collections.abc import Iterable


class SweepError(Exception):
    """An error that the user can fix: what is wrong, why, and what to do."""


class UnknownNameError(SweepError):
    """A name that is not in a list of names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Write the message, with the known names and the nearest of them.

        Args:
            kind: The kind of thing named, as in "experiment".
            name: The unknown name.
            known: The known names.
        """
        names = list(known)
        ends = {name.rsplit(".", 1)[-1]: None for name in names}
        near = difflib.get_close_matches(name, [*names, *ends], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        super().__init__(f"No {kind} is called {name!r}. Known: {', '.join(names)}.{hint}")


class WhereError(SweepError):
    """A `--where` that is not an expression over columns."""


class ExperimentError(SweepError):
    """An experiment file that cannot be loaded."""


class StoreError(SweepError):
    """A results folder that cannot be used."""


class UnwritableError(StoreError):
    """A results folder that fails after all retries: full, missing or broken."""


class NewerSchemaError(StoreError):
    """A file that a later version of this program wrote."""

    def __init__(self, what: str) -> None:
        """Write the message.

        Args:
            what: What this version does not know.
        """
        super().__init__(
            f"The results were written by a later version of rnnlab ({what}). "
            "Update rnnlab, or choose another --results DIR."
        )


class NondeterminismError(StoreError):
    """One trial has two different results under one numerics id."""
