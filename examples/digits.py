"""How wide must a network be, and how fast may it learn, to read handwritten digits?"""

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from sweeps import Sweep

pixels, digits = load_digits(return_X_y=True)
images, labels = torch.tensor(pixels / 16).float(), torch.tensor(digits)
TRAINED = 1400  # images to train on; the other 397 are held out


@dataclass(frozen=True, kw_only=True)
class Digits:
    width: int
    lr: float
    seed: int
    check_every: int = 100

    def net(self, weights=None):
        net = nn.Sequential(nn.Linear(64, self.width), nn.ReLU(), nn.Linear(self.width, 10))
        if weights is not None:
            net.load_state_dict(weights)
        return net

    def start(self, device):
        torch.manual_seed(self.seed)
        generator = torch.Generator().manual_seed(self.seed)
        return {"weights": self.net().state_dict(), "generator": generator}

    def advance(self, state, updates):
        net, generator = self.net(state["weights"]), state["generator"]
        optimizer = torch.optim.SGD(net.parameters(), lr=self.lr)
        for _ in range(updates):
            batch = torch.randint(TRAINED, (32,), generator=generator)
            optimizer.zero_grad()
            cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
        return {"weights": net.state_dict(), "generator": generator}

    @torch.no_grad()
    def check(self, state):
        output, right = self.net(state["weights"])(images[TRAINED:]), labels[TRAINED:]
        accuracy = (output.argmax(1) == right).float().mean()
        return {"accuracy": accuracy, "loss": cross_entropy(output, right)}


grid = [(width, lr) for width in (8, 32, 128) for lr in (0.01, 0.1, 1.0)]
trials = [Digits(width=width, lr=lr, seed=seed) for seed in range(3) for width, lr in grid]
sweep = Sweep(name="digits", budget=2000, quick_budget=200, trials=trials)


def draw(results):
    mean = results.pivot_table(index="lr", columns="width", values="accuracy")
    return mean.plot(logx=True, marker="o", ylabel="accuracy").figure
