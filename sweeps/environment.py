"""Environment variables for child Python processes."""

import os
import site
from pathlib import Path


def for_children() -> dict[str, str]:
    """Return variables that let a child import this package, but not its working folder.

    A user's file named `queue.py` or `ray.py` must not shadow a module that Ray imports.
    """
    root = str(Path(__file__).parents[1])
    own = [] if root in (*site.getsitepackages(), site.getusersitepackages()) else [root]
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = dict.fromkeys([*own, *(each for each in before if each)])
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
