"""Errors a caller can act on.

SweepError                    what the command line answers with one line and exit code 2
├── UnknownNameError          no such experiment, column or trial; names the nearest
├── WhereError                a `--where` that is not an expression over columns
├── ExperimentError           an experiment file that cannot be loaded
└── StoreError                a results folder that cannot be used
    ├── UnwritableError       a results folder that fails again and again
    ├── NewerSchemaError      written by a later version of this program
    └── NondeterminismError   one trial, one numerics id, two different results
"""

import difflib
from collections.abc import Iterable


class SweepError(Exception):
    """Something the user can mend: what is wrong, why, and what to do."""


class UnknownNameError(SweepError):
    """A name that is not in a list of names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Say which name, which are known, and which of them is near.

        Args:
            kind: What it should have named, as in "experiment".
            name: The name given.
            known: The names there are.
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
    """A results folder that fails again and again: full, gone, or out of order."""


class NewerSchemaError(StoreError):
    """A file that a later version of this program wrote."""

    def __init__(self, what: str) -> None:
        """Say what is not known of it."""
        super().__init__(
            f"The results were written by a later version of rnnlab ({what}). "
            "Update rnnlab, or choose another --results DIR."
        )


class NondeterminismError(StoreError):
    """One trial under one numerics id gave two different results."""
