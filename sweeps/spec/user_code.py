"""The source code of a user's experiment, imported by workers before training.

A trial is pickled by the name of its class. A worker must be able to import that class, even
on a machine without the file. So the file and the modules beside it that it imports are sent
with the work.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codehash import closure
from sweeps.errors import ExperimentError
from sweeps.spec.experiment_file import Experiment, load_experiment
from sweeps.spec.own_numerics import search_from


@dataclass(frozen=True)
class UserCode:
    """An experiment's file and the modules beside it."""

    path: str
    """Path of the file on the machine that loaded the experiment."""
    files: Mapping[str, bytes]
    """Contents by path relative to the folder of the file."""

    @classmethod
    def of(cls, experiment: Experiment) -> "UserCode | None":
        """Return the code of an experiment; None for a built-in one."""
        if experiment.built_in:
            return None
        folder = experiment.path.parent
        search = search_from(experiment.path)
        found = closure([experiment.path], search).values()
        beside = [path for path in found if path.is_relative_to(folder)]
        packages = {above / "__init__.py" for path in beside for above in path.parents}
        beside += [
            each for each in packages if each.is_relative_to(folder) and each.is_file()
        ]
        return cls(
            str(experiment.path),
            {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in set(beside)
            },
        )

    def install(self) -> Experiment:
        """Import the experiment in this process.

        The user's own folder is used if it has the same code; else a copy is written to the
        folder for temporary files.

        Raises:
            ExperimentError: If it cannot be loaded.
        """
        path = Path(self.path)
        if not self._is_in(path.parent):
            path = self._copied() / path.name
        return load_experiment(str(path))

    def _is_in(self, folder: Path) -> bool:
        try:
            return all(
                (folder / name).read_bytes() == data for name, data in self.files.items()
            )
        except OSError:
            return False

    def _copied(self) -> Path:
        """Write the files to a folder named by their hash."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{name}\0".encode() + self.files[name] + b"\0")
        base = Path(tempfile.gettempdir())
        folder = base / f"rnnlab-code-{os.getuid()}-{digest.hexdigest()[:16]}"
        folder.mkdir(exist_ok=True, mode=0o700)
        facts = folder.lstat()
        if facts.st_uid != os.getuid() or not stat.S_ISDIR(facts.st_mode):
            raise ExperimentError(
                f"{folder} belongs to another user, so no code is imported from it. Remove it, or set "
                "TMPDIR to a folder of your own."
            )
        for name, data in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{os.getpid()}")
            temporary.write_bytes(data)
            temporary.replace(target)
        return folder
