"""A machine that seems to have GPUs: a small nvidia-smi, first on the PATH."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest


def write_nvidia_smi(folder: Path, names: Sequence[str]) -> Path:
    """Write the command into a folder; it tells of GPUs of some names."""
    lines = [
        f"{n}, GPU-{n}aaa, {name}, {81559 - n}, 580.65.06" for n, name in enumerate(names)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nvidia-smi"
    path.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
    path.chmod(0o755)
    return path


def pretend_gpus(
    monkeypatch: pytest.MonkeyPatch, folder: Path, names: Sequence[str]
) -> Path:
    """Let this process, and those it starts, find GPUs."""
    path = write_nvidia_smi(folder / "pretended", names)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return path
