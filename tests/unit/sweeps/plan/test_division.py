"""Two engines divide the trials of a run: which takes which, and that it does not change."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from device import SLOTS, Walker
from hypothesis import given
from hypothesis import strategies as st
from pretended import pretend_gpus
from small import trial

from sweeps.errors import SweepError
from sweeps.plan.crews import Crew, crews
from sweeps.plan.division import Pace, divide, most_expensive_for_gpus
from sweeps.plan.packs import in_one_queue, packs, packs_for_slots
from sweeps.plan.plan import Plan, plan
from sweeps.spec.experiment_file import Experiment
from sweeps.spec.run_options import RunOptions
from sweeps.spec.selection import Chosen, Selection
from sweeps.spec.sweep import Sweep
from sweeps.spec.trial_type import Resources
from sweeps.storage.folder import Folder
from sweeps.store.attempts import Attempts
from sweeps.store.events import Started
from sweeps.store.trial_id import id_of

WALKERS = [Walker(seed=seed, length=1 + seed % 5) for seed in range(20)]
BOTH = RunOptions(cpus=3, engine="core,gpu")
ON_GPU = Crew("gpu", Resources(1, 1, SLOTS, "cuda"), 1)
ON_CORES = Crew("core", Resources(), 2)
COSTS = st.lists(st.floats(0.1, 100), min_size=1, max_size=12).map(
    lambda costs: sorted(costs, reverse=True)
)


@pytest.fixture(autouse=True)
def _one_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_gpus(monkeypatch, tmp_path, ["NVIDIA H100 80GB HBM3"])


def chosen(
    path: Path, trials: Sequence[Any] = WALKERS, of: Sequence[Any] | None = None
) -> Chosen:
    """Choose trials of a sweep; of all, if not said otherwise."""
    sweep = Sweep(name="small", trials=list(of or trials), budget=1000, quick_budget=1000)
    experiment = Experiment("small", path / "small.py", "", sweep, None)
    return Chosen(
        Selection(experiment="small"), experiment, list(trials), 1000, Folder(path)
    )


def started(path: Path, trial: Any, engine: str | None) -> None:
    Attempts(Folder(path / "attempts")).record(
        Started(trial_id=id_of(trial), engine=engine)
    )


def ids_on(path: Path, engine: str, options: RunOptions = BOTH) -> set[str]:
    """The ids of the trials that an engine is to train."""
    division = divide(chosen(path), options)
    return {id_of(each) for each in WALKERS if division.crew_of(each).engine == engine}


@pytest.mark.parametrize("engines", ["core,gpu", "gpu,core", " gpu , core", "gpu,core,gpu"])
def test_each_engine_gets_its_workers_and_the_gpus_take_their_cores_first(
    tmp_path: Path, engines: str
) -> None:
    found = crews(chosen(tmp_path), RunOptions(cpus=3, engine=engines))
    assert found == (ON_GPU, ON_CORES)


def refusal(path: Path, trials: Sequence[Any] = WALKERS, **options: Any) -> str:
    with pytest.raises(SweepError) as error:
        crews(chosen(path, trials), RunOptions(**options))
    return str(error.value)


def test_engines_that_cannot_share_trials_are_refused_in_a_line(tmp_path: Path) -> None:
    said = refusal(tmp_path, [trial(0)], cpus=4, engine="fused_cpu,plain")
    assert "names fused_cpu on cores, plain on cores. Several engines share" in said
    said = refusal(tmp_path, [trial(0)], cpus=4, engine="plain,fused_cpu,fused_gpu")
    assert "plain on cores, fused_cpu on cores, fused_gpu on GPUs" in said
    assert "called 'car'" in refusal(tmp_path, cpus=4, engine="core,car")
    assert "called ''" in refusal(tmp_path, cpus=4, engine="core,")


def test_a_run_without_a_core_beside_its_gpus_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, cpus=1, engine="core,gpu")
    assert "may use 1 core, and the workers on 1 GPU take 1 core" in said
    assert "--engine gpu alone" in said


def test_on_a_cluster_the_shares_are_asked_for(tmp_path: Path) -> None:
    far: dict[str, Any] = {"engine": "core,gpu", "address": "far:1"}
    assert "Pass --cpus N and --gpus N too" in refusal(tmp_path, **far)
    assert "Pass --cpus N and --gpus N too" in refusal(tmp_path, **far, cpus=4)
    options = RunOptions(**far, cpus=9, gpus=4)
    on_gpus, on_cores = crews(chosen(tmp_path), options)
    assert (on_gpus.workers, on_cores.workers) == (4, 5)


def test_the_gpus_take_the_most_expensive_trials(tmp_path: Path) -> None:
    on_gpus = ids_on(tmp_path, "gpu")
    lengths = [each.length for each in WALKERS if id_of(each) in on_gpus]
    others = [each.length for each in WALKERS if id_of(each) not in on_gpus]
    assert lengths
    assert others
    assert min(lengths) >= max(others)


def test_the_division_is_the_same_whatever_is_chosen_or_done(tmp_path: Path) -> None:
    whole, few = divide(chosen(tmp_path), BOTH), [w for w in WALKERS if w.length == 1]
    part = divide(chosen(tmp_path, few, WALKERS), BOTH)
    assert [part.crew_of(each) for each in few] == [whole.crew_of(each) for each in few]
    assert {part.crew_of(each) for each in few} == {
        ON_CORES
    }  # not the most expensive of all


def test_a_trial_stays_with_the_engine_that_started_it(tmp_path: Path) -> None:
    on_gpus, on_cores = ids_on(tmp_path, "gpu"), ids_on(tmp_path, "core")
    by_id = {id_of(each): each for each in WALKERS}
    moved, back, unknown = sorted(on_gpus)[:3]
    taken = min(on_cores)
    started(tmp_path, by_id[moved], "core")
    started(tmp_path, by_id[taken], "gpu")
    started(tmp_path, by_id[back], "core")
    started(tmp_path, by_id[back], "gpu")
    started(tmp_path, by_id[unknown], None)
    assert ids_on(tmp_path, "gpu") == on_gpus - {moved} | {taken}
    for name in on_gpus - {moved, back}:
        started(tmp_path, by_id[name], "gpu")
    for name in on_cores - {taken}:
        started(tmp_path, by_id[name], "core")
    many_cores = RunOptions(cpus=40, engine="core,gpu")  # would divide anew
    assert ids_on(tmp_path, "gpu", many_cores) == on_gpus - {moved} | {taken}


def test_shares_partition_the_work_and_leave_out_who_has_none(tmp_path: Path) -> None:
    division, work = divide(chosen(tmp_path), BOTH), plan(WALKERS, {}, 1000)
    (gpu, part), (core, rest) = division.shares(work)
    assert (gpu, core) == (ON_GPU, ON_CORES)
    assert sorted(map(id_of, part.to_run + rest.to_run)) == sorted(map(id_of, WALKERS))
    ((only, _),) = division.shares(plan(part.to_run, {}, 1000))
    assert only == ON_GPU


def test_the_plan_says_who_trains_what(tmp_path: Path) -> None:
    division, work = divide(chosen(tmp_path), BOTH), plan(WALKERS, {}, 1000)
    counts = division.counts(work)
    assert sum(counts.values()) == 20
    assert division.summary(work) == (
        f"gpu trains {counts['gpu']} trials on 1 GPU, core trains {counts['core']} trials on "
        "2 cores; a trial continues with the engine that started it"
    )
    alone = divide(chosen(tmp_path), RunOptions(engine="core"))
    assert alone.summary(work) is None
    assert alone.counts(work) == {"core": 20}


def test_speeds_are_those_of_the_engine_that_trained(tmp_path: Path) -> None:
    started(tmp_path, WALKERS[0], "gpu")
    started(tmp_path, WALKERS[1], "core")
    division = divide(chosen(tmp_path), RunOptions(cpus=3, engine="core"))
    found = division.timed(division.crews[0], WALKERS[:3])
    assert found == WALKERS[1:3]  # of the third nothing is known


@given(COSTS, st.integers(1, 3), st.integers(1, 8), st.integers(1, 8), st.floats(0.01, 1))
def test_no_other_cut_ends_earlier(
    costs: list[float], gpus: int, slots: int, cores: int, gpu_s: float
) -> None:
    on_gpus, on_cores = Pace(gpus, slots, gpu_s), Pace(cores, 1, 1.0)

    def ends(most: int) -> float:
        """The time of both, computed anew: by throughput, or by the longest trial."""
        head, tail = costs[:most], costs[most:]
        beside = max(1, min(slots, len(head) // gpus))
        gpu = max(sum(head) / gpus, beside * max(head, default=0.0)) * gpu_s
        return max(gpu, sum(tail) / cores, max(tail, default=0.0))

    most = most_expensive_for_gpus(costs, on_gpus, on_cores)
    best = min(ends(each) for each in range(len(costs) + 1))
    assert ends(most) == pytest.approx(best)


def test_one_queue_starts_gpus_first_and_retries_last() -> None:
    gpu_trials, core_trials = WALKERS[:4], WALKERS[4:8]
    failed = frozenset({id_of(gpu_trials[0]), id_of(core_trials[0])})
    gpu_work, core_work = (plan_with(each, failed) for each in (gpu_trials, core_trials))
    cut = [(ON_GPU, packs_for_slots(gpu_work, 1)), (ON_CORES, packs(core_work, 1))]
    queue = in_one_queue(cut, failed)
    assert [pack.number for pack in queue] == [1, 2, 3, 4, 5, 6]
    assert [pack.crew for pack in queue] == [ON_GPU, *[ON_CORES] * 4, ON_GPU]
    assert queue[4].trials == (core_trials[0],)
    assert queue[5].trials == (gpu_trials[0],)
    assert sorted(id_of(each) for pack in queue for each in pack.trials) == sorted(
        map(id_of, gpu_trials + core_trials)
    )


def plan_with(trials: list[Any], failed: frozenset[str]) -> Plan:
    return replace(plan(trials, {}, 100), failed=failed)
