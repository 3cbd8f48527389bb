"""What a run takes of a machine: asked for, found, refused, and cut into packs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from device import SLOTS, Walker
from pretended import pretend_gpus
from small import Walk, trial

from rnnlab import Trial
from sweeps.errors import SweepError
from sweeps.plan.crews import resources, workers
from sweeps.plan.estimate import Estimate, estimate, side_by_side
from sweeps.plan.forecast import unused_gpus
from sweeps.plan.packs import packs_for_slots
from sweeps.plan.plan import plan
from sweeps.plan.requirements import require_resources
from sweeps.plan.speeds import measured
from sweeps.spec.experiment_file import Experiment
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen, Selection
from sweeps.spec.sweep import Sweep
from sweeps.spec.trial_type import Resources
from sweeps.storage.folder import Folder

H100 = "NVIDIA H100 80GB HBM3"
TRIALS = [trial(seed) for seed in range(10)]


@dataclass(frozen=True, kw_only=True)
class OnGpu(Walk):
    """A trial of one's own that asks for a GPU."""

    gpus: float = 1.0


def chosen(path: Path, trials: Sequence[Any] = TRIALS) -> Chosen:
    sweep = Sweep(name="small", trials=list(trials), budget=1000, quick_budget=1000)
    experiment = Experiment("small", path / "small.py", "", sweep, None)
    return Chosen(
        Selection(experiment="small"), experiment, list(trials), 1000, Folder(path)
    )


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_gpus(monkeypatch, tmp_path, [H100, H100])


def refusal(path: Path, options: RunOptions, trials: Sequence[Any] = TRIALS) -> str:
    with pytest.raises(SweepError) as error:
        require_resources(chosen(path, trials), options)
    return str(error.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (RunOptions(), Resources()),
        (RunOptions(engine="plain"), Resources()),
        (RunOptions(engine="plain", gpus=1), Resources(1, 0.25, device="cuda")),
        (RunOptions(engine="plain", device="cuda:1"), Resources(1, 0.25, device="cuda:1")),
        (RunOptions(engine="plain", device="mps"), Resources(1, 0, device="mps")),
        (RunOptions(engine="fused_gpu"), Resources(1, 1, 264, "cuda")),
        (RunOptions(engine="fused_gpu", gpus=2), Resources(1, 1, 264, "cuda")),
    ],
)
def test_an_engine_says_what_a_worker_takes(
    tmp_path: Path, options: RunOptions, expected: Resources
) -> None:
    assert resources(chosen(tmp_path), options) == expected


@pytest.mark.usefixtures("two_gpus")
def test_there_are_as_many_workers_as_gpus_and_cores_allow(tmp_path: Path) -> None:
    found = chosen(tmp_path)
    assert workers(found, RunOptions(cpus=8)) == 8
    assert workers(found, RunOptions(cpus=8, engine="fused_gpu")) == 2
    assert workers(found, RunOptions(cpus=8, engine="fused_gpu", gpus=1)) == 1
    assert workers(found, RunOptions(cpus=8, engine="plain", gpus=1)) == 4
    assert workers(found, RunOptions(cpus=1, engine="plain", gpus=1)) == 1


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("asked", [None, 1, 3])
def test_an_engine_that_needs_a_gpu_is_refused_where_there_is_none(
    tmp_path: Path, asked: int | None
) -> None:
    said = refusal(tmp_path, RunOptions(cpus=2, engine="fused_gpu", gpus=asked))
    wanted = "3 GPUs" if asked == 3 else "1 GPU"
    assert f"The run needs {wanted}, but this machine has none, and 2 cores." in said
    assert "sweep doctor" in said


@pytest.mark.usefixtures("two_gpus")
def test_more_gpus_than_there_are_is_refused_naming_those(tmp_path: Path) -> None:
    said = refusal(tmp_path, RunOptions(cpus=2, engine="plain", gpus=3))
    assert f"needs 3 GPUs, but this machine has 2 ({H100}, {H100}), and 2 cores" in said


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("options", "trials", "expected"),
    [
        (
            RunOptions(gpus=1),
            TRIALS,
            "--gpus 1 has no effect: the engine fused_cpu computes on cpu. Choose another with "
            "--engine: plain or fused_gpu.",
        ),
        (RunOptions(device="mps"), TRIALS, "with --engine: plain."),
        (RunOptions(gpus=1), [Walk()], "Give its class an attribute `gpus`"),
    ],
)
def test_a_device_that_nothing_is_put_on_is_refused(
    tmp_path: Path, options: RunOptions, trials: list[Any], expected: str
) -> None:
    assert expected in refusal(tmp_path, options, trials)


@pytest.mark.usefixtures("two_gpus")
def test_what_is_there_is_not_refused(tmp_path: Path) -> None:
    require_resources(chosen(tmp_path), RunOptions(engine="plain", gpus=2))
    require_resources(chosen(tmp_path, [OnGpu()]), RunOptions())
    require_resources(chosen(tmp_path, [OnGpu()]), RunOptions(gpus=2))
    require_resources(chosen(tmp_path, [Walk()]), RunOptions(device="mps"))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("hidden", "batch", "expected"),
    [
        (129, 20, "129 units at batches of 20"),
        (50, 500, "50 units at batches of 500"),
        (10, 300, "48 KB of shared memory"),
    ],
)
def test_a_network_too_large_for_the_engine_is_refused_with_the_remedy(
    tmp_path: Path, hidden: int, batch: int, expected: str
) -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is for Linux on x86-64")
    trial = Trial(hidden=hidden, batch=batch, check_every=10)
    said = refusal(tmp_path, RunOptions(engine="fused_gpu"), [trial])
    assert expected in said
    assert "fused_cpu" in said


@pytest.mark.usefixtures("two_gpus")
def test_an_engine_that_is_not_installed_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnlab.trainer.find_spec", lambda name: None)
    said = refusal(tmp_path, RunOptions(engine="fused_gpu"))
    assert "pip install 'rnnlab[gpu]'" in said


@pytest.mark.usefixtures("two_gpus")
def test_a_card_that_is_not_used_is_named_with_what_it_would_bring(tmp_path: Path) -> None:
    found, work = chosen(tmp_path), plan(TRIALS, {}, 1_000_000)
    said = unused_gpus(found, work, RunOptions())
    assert said is not None
    assert said.startswith(f"not used: 2 GPUs ({H100}). With --engine fused_gpu the run ")
    assert unused_gpus(found, work, RunOptions(engine="fused_gpu")) is None
    assert unused_gpus(found, work, RunOptions(address="far:1")) is None
    assert unused_gpus(found, plan([], {}, 10), RunOptions()) is None
    assert (
        unused_gpus(chosen(tmp_path, [Walk()]), plan([Walk()], {}, 10), RunOptions())
        is None
    )


@pytest.mark.usefixtures("no_gpu")
def test_without_a_card_nothing_is_said_of_one(tmp_path: Path) -> None:
    assert unused_gpus(chosen(tmp_path), plan(TRIALS, {}, 1000), RunOptions()) is None


def test_packs_for_slots_are_one_a_worker_and_equal_in_cost() -> None:
    trials = [Walker(seed=seed, length=1 + seed) for seed in range(10)]
    work = plan(trials, {}, 100)
    one, two = packs_for_slots(work, 2)
    assert {*one.trials, *two.trials} == set(trials)
    costs = [sum(each.length for each in pack.trials) for pack in (one, two)]
    assert abs(costs[0] - costs[1]) <= 5
    assert len(packs_for_slots(work, 1)) == 1
    assert len(packs_for_slots(plan(trials[:2], {}, 100), 8)) == 2


def test_a_run_on_a_gpu_is_forecast_in_gpu_hours() -> None:
    trials = [Walker(seed=seed) for seed in range(8)]
    work, speeds = plan(trials, {}, 36_000), measured([(trials[0], 0.01)], "a test")
    needs = Resources(1, 1, SLOTS, "cuda")
    found = estimate(work, speeds, 1, resources=needs)
    assert found.gpu_hours == pytest.approx(8 * 36_000 * 0.01 / 3600, rel=0.1)
    assert found.core_hours == pytest.approx(found.gpu_hours)  # its worker holds a core
    said = found.summary()
    assert "on 1 GPU and 1 core, 0.8" in said
    assert "GPU-hours and 0.8" in said
    assert "core-hours" in said


def test_the_longest_of_trials_side_by_side_decides() -> None:
    """Of two, each has half of the worker's time: the long one takes twice its share."""
    pair = [Walker(length=4), Walker(length=1)]
    speeds = measured([(pair[0], 0.04), (pair[1], 0.01)], "a test")
    needs = Resources(1, 1, SLOTS, "cuda")
    found = estimate(plan(pair, {}, 36_000), speeds, 1, resources=needs)
    assert found.seconds == pytest.approx(2 * 0.04 * 36_000, rel=0.1)


def test_crews_side_by_side_are_forecast_together() -> None:
    on_gpu = Estimate(3600, 3000, 4000, 1.0, 1, False, "a pilot of 4 s", 1, 1.0)
    on_cores = Estimate(1800, 1000, 9000, 7.5, 15, True, "a pilot of 4 s")
    found = side_by_side([on_gpu, on_cores])
    assert (found.seconds, found.low_s, found.high_s) == (3600, 3000, 9000)
    assert found.summary() == (
        "at most 1 h 0 min (50 min 0 s to 2 h 30 min) on 1 GPU and 16 cores, 1 GPU-hours and 8.5 "
        "core-hours (from a pilot of 4 s)"
    )


def test_a_trial_of_several_cores_counts_all_in_core_hours() -> None:
    work, speeds = plan([Walker()], {}, 3600), measured([(Walker(), 1.0)], "a test")
    one, four = (
        estimate(work, speeds, 1, resources=Resources(cpus=cpus)) for cpus in (1, 4)
    )
    assert four.core_hours == pytest.approx(4 * one.core_hours)
    assert four.cpus == 4


ON_A100 = RunOptions(cpus=2, engine="fused_gpu", accelerator_type="A100")


@pytest.mark.usefixtures("two_gpus")
def test_a_type_of_gpu_that_is_not_there_is_refused_naming_those(tmp_path: Path) -> None:
    said = refusal(tmp_path, ON_A100)
    expected = f"of type A100, but this machine has 2 ({H100}, {H100}), of type H100."
    assert expected in said


@pytest.mark.usefixtures("no_gpu")
def test_a_type_of_gpu_is_refused_where_there_is_none(tmp_path: Path) -> None:
    said = refusal(tmp_path, ON_A100)
    assert "needs GPUs of type A100, but this machine has none. Ask" in said


def test_a_machine_with_two_types_must_hide_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_gpus(monkeypatch, tmp_path, ["NVIDIA A100-SXM4-40GB", H100])
    said = refusal(tmp_path, ON_A100)
    assert "Set CUDA_VISIBLE_DEVICES to those of type A100." in said
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert f"has 1 ({H100}), of type H100" in refusal(tmp_path, ON_A100)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("options", "engine"),
    [
        (RunOptions(accelerator_type="H100"), "fused_cpu"),
        (RunOptions(accelerator_type="H100", engine="plain", device="mps"), "plain"),
    ],
)
def test_a_type_that_nothing_is_put_on_is_refused(
    tmp_path: Path, options: RunOptions, engine: str
) -> None:
    said = refusal(tmp_path, options)
    assert f"--accelerator-type H100 has no effect: the engine {engine} computes" in said


@pytest.mark.usefixtures("two_gpus")
def test_a_type_of_gpu_is_part_of_what_a_worker_needs(tmp_path: Path) -> None:
    found, options = chosen(tmp_path, [OnGpu()]), RunOptions(accelerator_type="H100")
    require_resources(found, options)
    assert resources(found, options).accelerator == "H100"
    assert resources(found, RunOptions()).accelerator is None
