"""A frozen dataclass with three methods is a trial; what is missing is named with its remedy."""

import enum
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from small import RECURRENT, Walk, trial

from sweeps.errors import SweepError, UnknownNameError
from sweeps.spec.own_trials import RESERVED, OwnTrainer
from sweeps.spec.sweep import Sweep
from sweeps.spec.trainer import OwnTrial, Trainer
from sweeps.spec.trial_type import Resources, TrialType, type_of


class Trains:
    """The methods of a trial that makes nothing."""

    def start(self, device: str) -> dict[str, Any]:
        return {"device": device}

    def advance(self, state: Any, updates: int) -> Any:
        return state

    def check(self, state: Any) -> Mapping[str, Any]:
        return {"loss": 0.5}


def made(*fields: Any, bases: tuple[type, ...] = (Trains,), **options: Any) -> type:
    """Make a class of trials."""
    options = {"frozen": True, "kw_only": True} | options
    every = ("check_every", int, field(default=10))
    return make_dataclass("Mine", [every, *fields], bases=bases, **options)


class Plain(Trains):
    """No dataclass."""


class NoCheck:
    def start(self, device: str) -> None: ...
    def advance(self, state: Any, updates: int) -> None: ...

    check = 3


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Plain, "A trial must be a frozen dataclass, and Plain is not. Write @dataclass("),
        (
            made(frozen=False),
            "and Mine is not. Write @dataclass(frozen=True, kw_only=True)",
        ),
        (made(bases=(NoCheck,)), "Mine has no method check. A trial needs start(device), "),
        (made(bases=()), "Mine has no method start, advance, check. A trial needs"),
        (
            made(("sizes", list[int])),
            "Mine.sizes: A column cannot hold list[int]: use int,",
        ),
        (made(("net", Plain)), "Mine.net: A column cannot hold <class"),
        (
            make_dataclass("Mine", [("seed", int)], bases=(Trains,), frozen=True),
            "Mine has no check_every. Add a field such as check_every: int = 100, the upd",
        ),
        *(
            (
                made((name, int)),
                f"Mine.{name}: every table has a column of that name. Rename",
            )
            for name in RESERVED
        ),
    ],
)
def test_a_class_that_cannot_be_a_trial_is_refused_with_the_remedy(
    kind: type, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        type_of(kind)
    assert "\n" not in str(caught.value)


def test_a_sweep_of_such_trials_names_itself_too() -> None:
    with pytest.raises(ValueError, match="Sweep 's': A trial must be a frozen dataclass"):
        Sweep(name="s", trials=[Plain()], budget=10)


def test_trials_of_several_types_are_refused() -> None:
    with pytest.raises(ValueError, match=r"trials of several types: Walk, Trial\. Make a"):
        Sweep(name="s", trials=[Walk(), trial()], budget=10)


@pytest.mark.parametrize("every", [0, -1, 2.0, True, "10"])
def test_checks_come_every_whole_number_of_updates(every: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number of updates, at least 1"):
        Sweep(name="s", trials=[Walk(check_every=every)], budget=10)


def test_how_often_is_checked_may_be_an_attribute_of_the_class() -> None:
    class Fixed(Trains):
        check_every = 25

    kind = make_dataclass("Mine", [("seed", int)], bases=(Fixed,), frozen=True)
    sweep = Sweep(name="s", trials=[kind(seed) for seed in range(2)], budget=50)
    assert "check_every" not in sweep.type.columns.trial_types()
    with pytest.raises(ValueError, match="checks come every 25"):
        sweep.require_budget(10)


def test_the_trials_of_these_tests_are_what_the_protocols_say() -> None:
    assert isinstance(Walk(), OwnTrial)
    trainer: Trainer = OwnTrainer("cpu")
    assert trainer.start(Walk())["x"].shape == (4,)
    assert (trainer.engine, trainer.in_place) == (None, True)


class Scripted(Trains):
    """Returns and decides what `script` was given."""

    _check: Any = None
    _after: Any = 0
    _outcome: Any = None

    def advance(self, state: Any, updates: int) -> Any:
        return self._after

    def check(self, state: Any) -> Any:
        return self._check

    def outcome(self, checks: Sequence[Any]) -> Any:
        return self._outcome


@dataclass(frozen=True)
class Script(Scripted):
    """A trial with the fields `lr` and `check_every`."""

    lr: float = 0.1
    check_every: int = 10


def script(**given: Any) -> Script:
    one = Script()
    for name, value in given.items():
        object.__setattr__(one, f"_{name}", value)
    return one


def measured(value: Any) -> Any:
    return OwnTrainer("cpu").check(script(check={"x": value}), None, 10)["x"]


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (0.5, 0.5),
        (7, 7),
        (True, True),
        (None, None),
        ("word", "word"),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.str_("word"), "word"),
        (np.array(0.5), 0.5),
        (np.array([[7]]), 7),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([7]), 7),
        (torch.tensor(True), True),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
    ],
    ids=repr,
)
def test_what_was_measured_becomes_a_plain_value(value: Any, plain: Any) -> None:
    found = measured(value)
    assert (found, type(found)) == (plain, type(plain))


@pytest.mark.parametrize(
    "value", [[1], {}, 1j, b"a", np.zeros(2), torch.zeros(2), np.datetime64(3, "s"), object]
)
def test_what_no_column_can_hold_is_refused(value: Any) -> None:
    kind = type(value.item() if isinstance(value, np.datetime64) else value).__name__
    with pytest.raises(
        TypeError, match=rf"Script\.check measures 'x' as a {kind}\. Return numbers, "
    ):
        measured(value)


@pytest.mark.parametrize("check", [None, {}, 0.5, [("loss", 1)]])
def test_a_check_that_is_no_dictionary_is_refused(check: Any) -> None:
    with pytest.raises(TypeError, match=r"Return a dictionary such as \{\"loss\": 0.5\}"):
        OwnTrainer("cpu").check(script(check=check), None, 10)


@pytest.mark.parametrize("name", [3, "", None])
def test_a_measurement_is_named_by_a_string(name: Any) -> None:
    with pytest.raises(TypeError, match="Use strings as names"):
        OwnTrainer("cpu").check(script(check={name: 1}), None, 10)


@pytest.mark.parametrize("name", [*RESERVED, "lr", "check_every"])
def test_a_measurement_may_not_be_called_as_a_column_that_is_there(name: str) -> None:
    with pytest.raises(
        TypeError, match=f"measures '{name}', but the table already has a column"
    ):
        OwnTrainer("cpu").check(script(check={name: 1}), None, 10)


def test_advance_must_return_the_state() -> None:
    with pytest.raises(
        TypeError, match=r"Script\.advance returned None\. Return the state"
    ):
        OwnTrainer("cpu").advance(script(after=None), {}, 0, 5)
    assert OwnTrainer("cpu").advance(script(after=3), {}, 0, 5) == (3, 5, False)


def outcome(said: Any, **values: Any) -> Any:
    return OwnTrainer("cpu").outcome(script(outcome=said), [{"update": 10, **values}])


@pytest.mark.parametrize("said", ["solved", "diverged", None])
def test_a_trial_may_say_how_it_ended(said: Any) -> None:
    assert outcome(said, loss=0.5) == said
    assert OwnTrainer("cpu").outcome(made()(), [{"update": 10, "loss": 0.5}]) is None


@pytest.mark.parametrize("said", ["unsolved", "Solved", True, False, 0, ""])
def test_another_outcome_is_refused(said: Any) -> None:
    with pytest.raises(ValueError, match=r"Script\.outcome returned .* Return one of"):
        outcome(said, loss=0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_divergence(value: float) -> None:
    assert outcome(None, loss=0.5, norm=value) == "diverged"
    assert outcome("solved", loss=value) == "solved"
    assert outcome(None, loss=1e308, note="nan", known=None, count=10**400) is None


def test_only_the_last_check_decides_on_divergence() -> None:
    checks = [{"update": 10, "loss": math.nan}, {"update": 20, "loss": 0.5}]
    assert OwnTrainer("cpu").outcome(script(), checks) is None


def test_a_row_of_the_table_has_what_the_last_check_measured() -> None:
    trainer = OwnTrainer("cpu")
    checks = [{"update": 10, "loss": 0.5}, {"update": 20, "loss": 0.25}]
    assert trainer.summary(Walk(), {}, checks, "unsolved") == {"loss": 0.25}
    assert trainer.summary(Walk(), {}, [], "diverged") == {}


class AsAttribute(Trains):
    cost, cpus, gpus = 6.0, 2, 0.5


class AsProperty(Trains):
    width: int

    @property
    def cost(self) -> float:
        return self.width * 2.0

    @property
    def cpus(self) -> int:
        return self.width - 1

    @property
    def gpus(self) -> float:
        return self.width / 6


class AsMethod(Trains):
    width: int

    def cost(self) -> float:
        return self.width * 2.0

    def cpus(self) -> int:
        return self.width - 1

    def gpus(self) -> float:
        return self.width / 6


@pytest.mark.parametrize("base", [AsAttribute, AsProperty, AsMethod])
def test_cost_and_resources_are_attributes_properties_or_methods(base: type) -> None:
    one = made(("width", int), bases=(base,))(width=3)
    described = TrialType.of(one).described
    assert described.cost(one) == 6.0
    assert described.resources(one, None, None) == Resources(2.0, 0.5, device="cuda")


def test_without_them_a_trial_costs_one_and_takes_a_core() -> None:
    described = TrialType.of(Walk()).described
    assert described.cost(Walk()) == 1.0
    assert described.resources(Walk(), None, None) == Resources()
    assert described.assumed_s(None) > 0


def test_a_worker_takes_what_the_greediest_trial_takes() -> None:
    kind: Callable[..., Any] = made(("width", int), bases=(AsProperty,))
    trials = [kind(width=3), kind(width=2)]
    found = TrialType.of(trials[0]).resources(trials)
    assert found == Resources(2.0, 0.5, device="cuda")


def test_trials_of_equal_fields_but_the_seed_take_equally_long() -> None:
    shape = TrialType.of(Walk()).described.shape
    assert shape(Walk(seed=1)) == shape(Walk(seed=2))
    assert shape(Walk(width=3)) != shape(Walk(width=4))


def test_an_engine_is_chosen_where_there_are_some() -> None:
    assert (RECURRENT.engine(None), RECURRENT.engine("plain")) == ("fused_cpu", "plain")
    assert type_of(Walk).engine(None) is None
    with pytest.raises(UnknownNameError, match="No engine is called 'plane'"):
        RECURRENT.engine("plane")
    with pytest.raises(
        SweepError, match="--engine plain has no effect: trials of type Walk"
    ):
        type_of(Walk).engine("plain")
