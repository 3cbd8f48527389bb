"""The bits of a sum depend on the number of threads, so a trial decides it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

from sweeps.spec.own_threads import threads
from sweeps.spec.own_trials import OwnTrials


def blas() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A trial that measures the threads it is trained with."""

    cpus: int = 1
    check_every: int = 1

    def start(self, device: str) -> list[int]:
        return [torch.get_num_threads()]

    def advance(self, state: list[int], updates: int) -> list[int]:
        return [*state, torch.get_num_threads(), *blas()]

    def check(self, state: list[int]) -> dict[str, Any]:
        return {"fewest": min(state), "most": max([*state, torch.get_num_threads()])}


def counted(trial: Counted) -> tuple[int, int]:
    trainer = OwnTrials(Counted).trainer(None, "cpu")
    state, _, _ = trainer.advance(trial, trainer.start(trial), 0, 1)
    found = trainer.check(trial, state, 1)
    return found["fewest"], found["most"]


def test_a_trial_is_trained_with_one_thread_for_each_core_that_it_takes() -> None:
    with threads(3):
        assert counted(Counted()) == (1, 1)
        assert counted(Counted(cpus=2)) == (2, 2)


def test_the_threads_of_the_process_are_as_before_afterwards() -> None:
    with threads(3):
        before = torch.get_num_threads(), blas()
        counted(Counted())
        assert (torch.get_num_threads(), blas()) == before


def test_a_sum_has_the_same_bits_whatever_the_process_is_set_to() -> None:
    numbers = torch.from_numpy(np.random.default_rng(0).random(1_000_000, np.float32))
    found = set[float]()
    for outside in (1, 2, 3):
        torch.set_num_threads(outside)
        with threads(1):
            found.add(float(numbers.sum()))
    torch.set_num_threads(1)
    assert len(found) == 1
