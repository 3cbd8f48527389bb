"""Constants of the formulas, shared by all engines; see `rnnlab.omega` and `rnnlab.clip`."""

VALID_BOUND = 1e-20
"""A (step, example) pair is valid for Ω if ‖∂C/∂h‖² is at least this (authors' code)."""

REPAIR_ABOVE = 1e10
"""The authors' code repairs a step if the gradient norm exceeds this, or is not finite."""

REPAIR_RATE = 0.02
"""The repair shrinks W_rec ← (1 − 0.02·lr) W_rec."""

WRONG_ABOVE = 0.04
"""An answer in numbers is wrong if its squared error is above this (authors' code)."""
