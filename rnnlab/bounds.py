"""Numbers of the formulas that every engine must share; see `rnnlab.omega` and `rnnlab.clip`."""

VALID_BOUND = 1e-20
"""A (step, example) pair counts for Ω where ‖∂C/∂h‖² is at least this (authors' code)."""

REPAIR_ABOVE = 1e10
"""The authors' code repairs a step whose gradient norm is above this, or not finite."""

REPAIR_RATE = 0.02
"""It then shrinks W_rec ← (1 − 0.02·lr) W_rec."""

WRONG_ABOVE = 0.04
"""Numbers are wrong where their squared error is above this (authors' code)."""
