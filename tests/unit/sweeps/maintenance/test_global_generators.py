"""A trainer that draws from a global random generator, and one that draws in vain."""

from dataclasses import dataclass

import torch

from sweeps.maintenance.retrain import Kept, Verified, verify_one
from sweeps.maintenance.verify import lines
from sweeps.spec.own_trials import OwnTrials
from sweeps.worker.training import result_of, training


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A random walk that draws its steps from PyTorch's global generator."""

    seed: int = 0
    check_every: int = 5

    def start(self, device: str) -> torch.Tensor:
        torch.manual_seed(self.seed)  # noqa: TID251 - as a user would
        return torch.zeros(1)

    def advance(self, state: torch.Tensor, updates: int) -> torch.Tensor:
        return state + torch.randn(updates).sum()

    def check(self, state: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"place": state}


@dataclass(frozen=True, kw_only=True)
class Vain(Walk):
    """Draws numbers, and does not use them."""

    def advance(self, state: torch.Tensor, updates: int) -> torch.Tensor:
        torch.randn(updates)
        return state + updates


def verified(trial: Walk) -> Verified:
    """Train a trial, and verify it."""
    trainer = OwnTrials(type(trial)).trainer(None, "cpu")
    *_, last = training(trial, budget=10, trainer=trainer)
    result = result_of(trial, last, trainer, 10)
    return verify_one(Kept(trial, result.row(), tuple(result.history())))


def said(found: Verified) -> str:
    each = {**vars(found)}
    counts = {"equal": 0, "different": 0, "not comparable": 0}
    return "\n".join(lines({**counts, "trials": [each]}))


def test_a_trainer_whose_numbers_come_from_a_global_generator_is_reported() -> None:
    found = verified(Walk())
    assert (found.verdict, found.global_generators) == ("different", ("torch",))
    assert "draws from global random generators (torch)" in said(found)


def test_nothing_is_said_of_numbers_that_are_drawn_in_vain() -> None:
    found = verified(Vain())
    assert (found.verdict, found.global_generators) == ("equal", ())
    assert "global" not in said(found)
