"""How slowly must simulated annealing cool to find a short tour of sixty cities?"""

from dataclasses import dataclass

import numpy as np

from sweeps import Sweep

COOLINGS = (0.03, 0.01, 0.003, 0.001, 0.0003)
cities = np.random.default_rng(0).random((60, 2))


def length(tour):
    ahead = np.roll(tour, -1)
    return np.hypot(*(cities[tour] - cities[ahead]).T).sum()


@dataclass(frozen=True, kw_only=True)
class Salesman:
    cooling: float
    """Share of the temperature that is lost at each step."""
    seed: int
    check_every: int = 1000

    def start(self, device):
        random = np.random.default_rng(self.seed)
        return {"tour": random.permutation(60), "temperature": 1.0, "random": random}

    def advance(self, state, updates):
        tour, temperature, random = state.values()
        for _ in range(updates):
            first, last = np.sort(random.integers(0, 61, size=2))
            other = np.concatenate([tour[:first], tour[first:last][::-1], tour[last:]])
            longer = length(other) - length(tour)
            if longer < temperature * random.exponential():
                tour = other
            temperature *= 1 - self.cooling
        return {"tour": tour, "temperature": temperature, "random": random}

    def check(self, state):
        return {"length": length(state["tour"]), "temperature": state["temperature"]}


trials = [Salesman(cooling=c, seed=s) for c in COOLINGS for s in range(5)]
sweep = Sweep(name="salesman", budget=20_000, quick_budget=2000, trials=trials)


def draw(results):
    axes = results.plot.scatter("cooling", "length", logx=True)
    axes.set(xlabel="share of the temperature lost at each step")
    return axes.figure
