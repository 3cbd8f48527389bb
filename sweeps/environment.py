"""Environment variables for the Python processes that we start."""

import os
import site
from pathlib import Path


def for_children() -> dict[str, str]:
    """Return what lets a child import this package, and nothing from its working folder.

    A file of the user's that is called `queue.py` or `ray.py` must not take the place of a
    module that Ray imports.
    """
    root = str(Path(__file__).parents[1])
    own = [] if root in (*site.getsitepackages(), site.getusersitepackages()) else [root]
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = dict.fromkeys([*own, *(each for each in before if each)])
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
