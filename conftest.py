"""Shapes and types in the numerical modules are checked while tests run."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings
from jaxtyping import install_import_hook

# Not the specs: they check their values themselves, and tests see that they do. Nor what
# Numba compiles: it checks types by itself.
SHAPED = (
    "clip",
    "costs",
    "data",
    "diagnostics",
    "engines.fused_cpu.engine",
    "engines.fused_cpu.network",
    "engines.fused_cpu.parameters",
    "engines.plain",
    "init",
    "omega",
    "state",
    "train",
)
install_import_hook([f"rnnlab.{name}" for name in SHAPED], "typecheck.checked")

# The first example of a test compiles: a deadline would measure that.
settings.register_profile("rnnlab", deadline=None)
settings.load_profile("rnnlab")

# A shell in the background starts its children deaf to Ctrl-C; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
