"""What a run says of Ray's own troubles."""

import threading

import pytest

from sweeps.errors import SweepError
from sweeps.on_ray.session import gpus_of, silence_ray_threads
from sweeps.spec.trial_type import Resources
from sweeps.worker.scheduler import require


def test_a_thread_of_ray_dies_in_silence_and_any_other_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []

    def hear(what: threading.ExceptHookArgs) -> None:
        heard.append(str(what.exc_value))

    def die(of: str) -> None:
        raise RuntimeError(of)

    monkeypatch.setattr(threading, "excepthook", hear)
    silence_ray_threads()
    for name in ("ray_listen_error_messages", "heartbeat"):
        thread = threading.Thread(target=die, args=(name,), name=name)
        thread.start()
        thread.join()
    assert heard == ["heartbeat"]


H100S = {"GPU": 8.0, "accelerator_type:H100": 1.0}
NODES = [
    {"Alive": True, "Resources": H100S},
    {"Alive": True, "Resources": {"GPU": 4.0, "accelerator_type:A100": 1.0}},
    {"Alive": True, "Resources": {"CPU": 64.0}},
    {"Alive": False, "Resources": H100S},
]


def test_the_gpus_of_a_cluster_are_counted_by_type() -> None:
    assert gpus_of(None, NODES) == 12
    assert gpus_of("H100", NODES) == 8
    assert gpus_of("L4", NODES) == 0


def test_a_type_that_a_cluster_lacks_is_refused_naming_those_that_it_has() -> None:
    there = {
        "CPU": 8.0,
        "GPU": 12.0,
        "accelerator_type:H100": 1.0,
        "accelerator_type:A100": 1.0,
    }
    require(Resources(gpus=1, accelerator="H100"), there, "Ray")
    with pytest.raises(SweepError, match=r"type L4, but Ray has A100, H100 here"):
        require(Resources(gpus=1, accelerator="L4"), there, "Ray")
    with pytest.raises(SweepError, match="none of a known type"):
        require(Resources(gpus=1, accelerator="L4"), {"CPU": 8.0, "GPU": 1.0}, "Ray")
