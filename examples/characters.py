"""How much context does a small language model need to learn a nursery rhyme by heart?"""

from dataclasses import dataclass

import torch
from torch import nn, optim
from torch.nn.functional import cross_entropy

from sweeps import Sweep

RHYME = """This is the farmer sowing his corn, that kept the cock that crowed in the morn,
that waked the priest all shaven and shorn, that married the man all tattered and torn,
that kissed the maiden all forlorn, that milked the cow with the crumpled horn."""
rhyme = torch.tensor(list(RHYME.encode("ascii")))


@dataclass(frozen=True, kw_only=True)
class Characters:
    context: int
    seed: int
    check_every: int = 50

    def build(self):
        hidden = [nn.Linear(8 * self.context, 64), nn.Tanh(), nn.Linear(64, 128)]
        model = nn.Sequential(nn.Embedding(128, 8), nn.Flatten(), *hidden)
        adam = optim.Adam(model.parameters(), lr=0.01)
        schedule = optim.lr_scheduler.StepLR(adam, step_size=30, gamma=0.95)
        return {"model": model, "adam": adam, "schedule": schedule}

    def start(self, device):
        torch.manual_seed(self.seed)
        saved = {name: part.state_dict() for name, part in self.build().items()}
        return saved | {"generator": torch.Generator().manual_seed(self.seed)}

    def advance(self, state, updates):
        parts, pieces = self.build(), rhyme.unfold(0, self.context + 1, 1)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        for _ in range(updates):
            batch = pieces[torch.randint(len(pieces), (32,), generator=state["generator"])]
            parts["adam"].zero_grad()
            cross_entropy(parts["model"](batch[:, :-1]), batch[:, -1]).backward()
            parts["adam"].step()
            parts["schedule"].step()
        return state | {name: part.state_dict() for name, part in parts.items()}

    @torch.no_grad()
    def check(self, state):
        model, pieces = self.build()["model"], rhyme.unfold(0, self.context + 1, 1)
        model.load_state_dict(state["model"])
        return {"loss": cross_entropy(model(pieces[:, :-1]), pieces[:, -1])}


trials = [Characters(context=c, seed=seed) for c in (1, 2, 4, 8, 16) for seed in range(3)]
sweep = Sweep(name="characters", budget=1000, quick_budget=100, trials=trials)


def draw(results):
    return results.boxplot("loss", by="context").figure
