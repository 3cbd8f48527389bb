"""The doctor tells what is there; of what is not, it says so."""

import json
import socket
from pathlib import Path

import pytest
from pretended import pretend_gpus

from sweeps.cli import call
from sweeps.report.doctor import doctor, lines

H100 = "NVIDIA H100 80GB HBM3"


def text(path: Path) -> str:
    return "\n".join(lines(doctor(str(path / "results"), {"code": path})))


def test_it_tells_of_cores_memory_versions_caches_disks_and_ports(tmp_path: Path) -> None:
    (tmp_path / "code.nbc").write_bytes(bytes(3 * 2**20))
    said = text(tmp_path)
    for word in ("cores", "memory", "Python", "ray", "torch", "numba", "GiB free", "8265"):
        assert word in said
    assert f"{tmp_path}, 3.0 MiB" in said
    assert f"disk {tmp_path}" in said


def test_gpus_are_named_with_their_memory_and_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpus(monkeypatch, tmp_path, [H100])
    assert f"{H100} (79.6 GiB); driver 580.65.06" in text(tmp_path)


def test_where_gpus_are_hidden_it_says_by_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpus(monkeypatch, tmp_path, [H100])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "none (CUDA_VISIBLE_DEVICES='')" in text(tmp_path)


def test_a_port_that_is_taken_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr("sweeps.report.doctor.PORTS", {"dashboard": port})
        assert "taken (dashboard)" in text(tmp_path)
    assert "free (dashboard)" in text(tmp_path)


def test_the_command_prints_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["cores"] >= facts["usable_cores"] >= 1
    assert facts["versions"]["ray"]
    assert [each["name"] for each in facts["caches"]] == ["compiled code"]
    assert list(tmp_path.iterdir()) == []
