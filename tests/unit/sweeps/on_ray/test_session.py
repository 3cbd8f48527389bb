"""What a run says of Ray's own troubles."""

import threading

import pytest

from sweeps.on_ray.session import silence_ray_threads


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
