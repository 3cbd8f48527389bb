"""The GPUs of a machine, as a pretended nvidia-smi or a pretended driver tells of them."""

from pathlib import Path

import pytest
from pretended import pretend_gpus

from cluster.gpus import Gpu, gpus

NAMES = ["NVIDIA H100 80GB HBM3", "NVIDIA T4"]


def test_where_there_is_no_command_and_no_driver_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("cluster.gpus.DRIVER_FOLDER", tmp_path / "none")
    assert gpus() == []


def test_the_command_names_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_gpus(monkeypatch, tmp_path, NAMES)
    first, second = gpus()
    assert first == Gpu("0", "GPU-0aaa", NAMES[0], 81559, "580.65.06")
    assert second.name == NAMES[1]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", []),
        ("-1", []),
        ("1", ["1"]),
        ("1,0", ["1", "0"]),
        ("GPU-1", ["1"]),
        ("0,7,1", ["0"]),  # as CUDA does: nothing after an unknown one
    ],
)
def test_only_those_that_cuda_shows_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visible: str, expected: list[str]
) -> None:
    pretend_gpus(monkeypatch, tmp_path, NAMES)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [each.index for each in gpus()] == expected


def test_a_driver_that_does_not_work_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = pretend_gpus(monkeypatch, tmp_path, NAMES)
    command.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert gpus() == []


def test_without_the_command_the_driver_tells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    folder = tmp_path / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t NVIDIA A10\nGPU UUID: \t GPU-77\n")
    monkeypatch.setattr("cluster.gpus.DRIVER_FOLDER", tmp_path / "gpus")
    assert gpus() == [Gpu("0", "GPU-77", "NVIDIA A10")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX-6000"),
        ("NVIDIA GeForce RTX 5090", "GeForce-RTX-5090"),
    ],
)
def test_a_type_is_named_as_ray_names_it(name: str, expected: str) -> None:
    from ray._private.accelerators import nvidia_gpu

    assert Gpu("0", "", name).accelerator_type == expected
    by_ray = nvidia_gpu.NvidiaGPUAcceleratorManager._gpu_name_to_accelerator_type(name)
    assert by_ray == expected
