"""The dashboard of a run: on 127.0.0.1, behind a token, with the sweep recognisable."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from commands import Folder, children, cmdline, driver_of, wait_until, write_walks

from sweeps.spec.run_options import is_loopback

pytestmark = pytest.mark.ray


@dataclass(frozen=True)
class Watched:
    """A run that is going, and the way into its dashboard."""

    folder: Folder
    driver: int
    url: str
    token_file: Path
    token: str
    said: str
    """Its output before its trials were running."""

    def get(self, path: str, token: str | None = None, base: str | None = None) -> str:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request((base or self.url) + path, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def data(self, path: str) -> Any:
        return json.loads(self.get(path, self.token))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Generator[Watched]:
    with a_run(tmp_path_factory.mktemp("watched")) as watched:
        yield watched


@contextmanager
def a_run(path: Path, *more: str) -> Generator[Watched]:
    """Start a long run, yield it once both trials are running, and stop it."""
    folder = write_walks(path, budget=2_000_000, seeds=2)
    run = folder.start("run", "small.py", "--cpus", "2", *more)
    try:
        watched = _look_into(folder, run)
        yield watched
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=300)
        assert run.returncode == 130
        assert not watched.token_file.exists()
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()


def _look_into(folder: Folder, run: "subprocess.Popen[str]") -> Watched:
    """Wait until both trials are running; read the address and the token."""
    assert run.stdout is not None
    said = ""
    while not (found := re.search(r"dashboard at (\S+), token in (\S+)", said)):
        said += (line := run.stdout.readline())
        assert line, said
    url, token_file = found.group(1), Path(found.group(2))
    while "trials done" not in said:
        said += run.stdout.readline()
    driver = driver_of(run.pid)
    progress = folder.results / "progress.json"
    wait_until(
        lambda: progress.exists() and len(json.loads(progress.read_text())["running"]) == 2
    )
    return Watched(folder, driver, url, token_file, token_file.read_text(), said)


def test_it_listens_on_this_machine_alone(watched: Watched) -> None:
    outside = address_of_this_machine()
    if not is_loopback(outside):
        port = int(watched.url.rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((outside, port), timeout=5)
    assert watched.url.startswith("http://127.0.0.1:")
    assert "other machines can reach it" not in watched.said


def test_the_token_is_readable_by_its_owner_alone(watched: Watched) -> None:
    assert stat.S_IMODE(watched.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(watched.token_file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(("token", "code"), [(None, 401), ("wrong", 403)])
def test_without_the_token_nothing_is_shown(
    watched: Watched, token: str | None, code: int
) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        watched.get("/api/jobs/", token)
    assert caught.value.code == code
    caught.value.close()


def test_the_job_says_which_sweep_it_is(watched: Watched) -> None:
    (job,) = watched.data("/api/jobs/")
    assert job["metadata"]["job_name"] == "sweep small"
    assert job["metadata"]["sweep"] == "small"
    assert job["metadata"]["results"] == str(watched.folder.results)
    assert job["metadata"]["trials"] == "2"


def test_actors_and_processes_say_which_pack_they_train(watched: Watched) -> None:
    actors = watched.data("/logical/actors")["data"]["actors"].values()
    names = sorted(each["reprName"] for each in actors if each["state"] == "ALIVE")
    assert names == ["small: pack 1 and later ones", "small: pack 2 and later ones"]
    wait_until(lambda: len(titles(watched)) == 2)
    plan = json.loads(watched.folder.sweep("plan", "small.py", "--json").stdout)
    expected = {
        f"ray::small pack {number} of 2 {trial_id[:12]}"
        for number, trial_id in enumerate(plan["to_run_ids"], start=1)
    }
    wait_until(lambda: titles(watched) == expected)


def titles(watched: Watched) -> set[str]:
    """Titles of the workers' processes, as `ps` and the dashboard's node page show them."""
    raylets = [pid for pid in children(watched.driver) if "raylet" in cmdline(pid)]
    workers = [pid for raylet in raylets for pid in children(raylet)]
    return {title for pid in workers if (title := cmdline(pid)).startswith("ray::small")}


def test_metrics_can_be_scraped_and_grow(watched: Watched) -> None:
    first = scraped(watched, "ray_sweep_updates_total")
    assert set(first) == {"1", "2"}
    wait_until(
        lambda: all(
            scraped(watched, "ray_sweep_updates_total").get(pack, 0) > made
            for pack, made in first.items()
        )
    )
    wait_until(lambda: set(scraped(watched, "ray_sweep_trial_update")) == {"1", "2"})
    value = ("ray_sweep_trial_value", 'measurement="distance"')
    wait_until(lambda: set(scraped(watched, *value)) == {"1", "2"})
    distances = scraped(watched, *value)
    assert all(0 < distance < 10 for distance in distances.values())


def scraped(watched: Watched, name: str, label: str = "") -> dict[str, float]:
    """Give a metric's value for each pack of the sweep, as Prometheus would see it."""
    (node,) = watched.data("/api/v0/nodes?detail=1")["data"]["result"]["result"]
    detail = watched.data(f"/nodes/{node['node_id']}")["data"]["detail"]
    port = detail["raylet"]["metricsExportPort"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        text = watched.get("/metrics", base=f"http://127.0.0.1:{port}")
        pattern = rf"^{name}{{(.*)}} (\S+)$"
        found: dict[str, float] = {}
        for labels, value in re.findall(pattern, text, flags=re.MULTILINE):
            pack = re.search(r'\bpack="(\d+)"', labels)
            if pack and 'sweep="small"' in labels and label in labels:
                found[pack.group(1)] = float(value)
        if len(found) == 2:
            return found
        time.sleep(0.2)
    return {}


def test_status_sees_the_run_from_another_terminal(watched: Watched) -> None:
    status = json.loads(watched.folder.sweep("status", "small.py", "--json").stdout)
    assert status["running"] == 2
    assert status["waiting"] == 0
    assert status["eta_s"] > 0
    assert status["dashboard"] == watched.url
    assert {each["update"] > 0 for each in status["running_trials"]} == {True}


def test_others_reach_it_where_that_is_asked_for_and_need_the_token(tmp_path: Path) -> None:
    with a_run(tmp_path, "--dashboard-host", "0.0.0.0") as shared:
        port = shared.url.rpartition(":")[2]
        announced = f"other machines can reach it at 0.0.0.0, port {port}, with the token"
        assert announced in shared.said
        assert stat.S_IMODE(shared.token_file.stat().st_mode) == 0o600
        outside = f"http://{address_of_this_machine()}:{port}"
        with pytest.raises(urllib.error.HTTPError) as caught:
            shared.get("/api/jobs/", base=outside)
        caught.value.close()
        assert caught.value.code == 401
        (job,) = json.loads(shared.get("/api/jobs/", shared.token, outside))
        assert job["metadata"]["sweep"] == "small"


def address_of_this_machine() -> str:
    """Give an address under which others know this machine; 127.0.0.1 where there is none."""
    found = [
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family == socket.AF_INET
    ]
    return next((each for each in found if not is_loopback(each)), "127.0.0.1")
