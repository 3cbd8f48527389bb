"""States of any trainer: what comes back, what is refused, and that training continues with the same bits."""

import enum
import functools
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from states import same
from torch import nn
from torch.optim import lr_scheduler

from sweeps.storage.folder import Folder
from sweeps.store.checkpoints import CheckpointFolder, Position, decoded, encoded
from sweeps.store.state_codec import DEEPEST, joined, split
from sweeps.store.torch_values import WrongDeviceError


def returned(state: Any, device: str = "cpu") -> Any:
    """What a state comes back as, by way of a file."""
    return decoded(encoded(Position(1, state), "t", "c"), "t", "c", device).state


KEPT: dict[str, Any] = {
    "nothing": None,
    "empty containers": [{}, [], (), b"", "", ((),)],
    "kinds of numbers": [
        True,
        1,
        1.0,
        1j,
        np.True_,
        np.int64(1),
        np.float32(1),
        np.float64(1),
    ],
    "large integers": [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**5000],
    "floats": [0.1, -0.0, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf")],
    "not a number": [float("nan"), complex(float("nan"), -0.0)],
    "strings": ["é", "\0", "a\0b", "\ud800", "\ud800\udc00", "\U00010000", "\n"],
    "bytes": [b"\0\xff", bytes(range(256))],
    "a tuple of lists of dicts": ([{"a": (1,)}], {"b": []}),
    "keys": {
        "": 0,
        "a/b": 1,
        "a.b": 2,
        "a0": 3,
        "facts": 4,
        "sha256": 5,
        "state": 6,
        "dict": 7,
    },
    "keys alike": {
        1: "int",
        "1": "str",
        0: {"0": 0},
        -1: 1,
        2**70: 2,
        "\ud800": 3,
        "\0": 4,
    },
    "a tree of ours": {"tensor": {"dtype": "float32", "array": "a0"}, "array": "a0"},
    "ordered dict": OrderedDict([("b", 1), ("a", 2)]),
    "counter": Counter({3: 2, "x": 0}),
    "random.getstate()": random.Random(3).getstate(),
    "0-d": [np.array(1.5), np.array(3, dtype=">i2"), torch.tensor(1.5), torch.tensor(True)],
    "no elements": [np.zeros((0, 3), "f2"), torch.zeros(3, 0), torch.zeros(0).bfloat16()],
    "times": [
        np.array(["2026-11-26", "NaT"], "M8[ns]"),
        np.datetime64("NaT"),
        np.timedelta64(3),
    ],
    "texts": [np.array(["a", "bc"]), np.array([b"a"])],
    "big-endian": np.arange(3, dtype=">f8"),
    "payload of a nan": np.array([0x7FC01234, 0xFFC00001], dtype="u4").view("f4"),
    "part of a tensor": torch.arange(12.0).reshape(3, 4).T[1:, ::2],
    "expanded tensor": torch.tensor([1.0, 2.0]).expand(3, 2),
    "conjugate": torch.tensor([1 + 2j, 3 - 4j]).conj(),
    "negative": torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
    "negative, one": torch.tensor([1 + 2j]).conj().imag,
    "one of stride 2": [torch.arange(2)[::2], torch.zeros(0, dtype=torch.int16)[::2]],
    "bfloat16": torch.tensor([0x7FC1, 0x8000, 0x3F80], dtype=torch.uint16).view(
        torch.bfloat16
    ),
    "parameters and buffers": nn.BatchNorm1d(3).state_dict(),
}


@pytest.mark.parametrize("state", KEPT.values(), ids=KEPT.keys())
def test_it_comes_back_bit_for_bit_and_type_for_type(state: Any) -> None:
    assert same(returned(state), state)
    assert same(returned({"deep": [(state,)]}), {"deep": [(state,)]})


def test_arrays_and_tensors_that_look_alike_are_kept_apart() -> None:
    found = returned([np.ones(2, "f4"), torch.ones(2), np.float32(1), torch.tensor(1.0)])
    assert [type(each) for each in found] == [
        np.ndarray,
        torch.Tensor,
        np.float32,
        torch.Tensor,
    ]


def test_an_array_of_fortran_order_comes_back_in_c_order() -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3))
    found = returned(array)
    assert found.flags.c_contiguous
    assert not array.flags.c_contiguous
    assert same(found, array)


def test_what_comes_back_is_writable_aligned_and_its_own() -> None:
    one = torch.arange(3.0)
    a, b, array = returned([one, one, np.arange(3)])
    a += 1
    array += 1
    assert torch.equal(b, one)
    assert a.data_ptr() % 64 == 0  # as torch aligns its own: kernels may depend on it


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_a_numpy_generator_continues_and_spawns_alike(kind: str) -> None:
    generator = np.random.Generator(getattr(np.random, kind)([5, 2**100]))
    generator.spawn(2)
    generator.integers(3, size=3, dtype=np.uint32)  # leaves half of 64 bits for later
    found = returned(generator)
    assert found is not generator
    for ours, theirs in zip(
        [found, *found.spawn(2)], [generator, *generator.spawn(2)], strict=True
    ):
        draws = [each.integers(9, size=5, dtype=np.uint32) for each in (ours, theirs)]
        assert same(*draws)
        assert same(ours.standard_normal(3), theirs.standard_normal(3))


def test_a_torch_generator_continues() -> None:
    generator = torch.Generator().manual_seed(7)
    torch.randn(3, generator=generator)
    found = returned({"minibatches": generator})["minibatches"]
    draws = [torch.randn(20, generator=each) for each in (found, generator)]
    assert torch.equal(*draws)


def test_tensors_of_another_device_go_to_the_device_and_those_of_the_cpu_stay() -> None:
    tree, arrays = split([torch.ones(2), torch.ones(3)])
    tree[1]["tensor"]["on_cpu"] = False
    found = joined(tree, arrays, "meta")
    assert [each.device.type for each in found] == ["cpu", "meta"]
    assert joined(tree, arrays, "cpu")[1].device.type == "cpu"


def test_a_generator_of_another_kind_of_device_cannot_continue(tmp_path: Any) -> None:
    tree, arrays = split(torch.Generator())
    tree["torch_generator"]["device"] = "cuda"
    with pytest.raises(
        WrongDeviceError, match="of a cuda device, which cannot continue on cpu"
    ):
        joined(tree, arrays, "cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_and_generators_of_a_gpu_come_back_there_or_where_asked() -> None:
    generator = torch.Generator("cuda").manual_seed(3)
    weights = torch.randn(5, generator=generator, device="cuda")
    found = returned([weights, torch.ones(2), generator], "cuda")
    assert same(found[:2], [weights, torch.ones(2)])
    draws = [torch.randn(5, generator=g, device="cuda") for g in (found[2], generator)]
    assert torch.equal(*draws)
    assert same(returned(weights, "cpu"), weights.cpu())
    with pytest.raises(WrongDeviceError, match="cuda"):
        returned(generator, "cpu")


class Colour(enum.Enum):
    RED = 1


class Rank(enum.IntEnum):
    FIRST = 1


class Pair(NamedTuple):
    a: int


@dataclass
class Settings:
    rate: float = 0.1


class Sized(list[int]):
    pass


class Opaque:
    pass


class Seeds(np.random.bit_generator.ISeedSequence):
    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        return np.ones(n_words, dtype)


MODEL = nn.Linear(2, 2)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "set": (lambda: {1}, r"a set\..*Keep sorted"),
    "frozenset": (lambda: frozenset([1]), r"a frozenset\..*Keep sorted"),
    "function": (lambda: returned, r"a function\..*Keep its name"),
    "builtin": (lambda: len, r"a builtin_function_or_method\..*Keep its name"),
    "partial": (lambda: functools.partial(len), r"a partial\..*values that it is made of"),
    "class": (lambda: Settings, r"a type\..*Keep its name"),
    "enum": (lambda: Colour.RED, r"a Colour\..*Keep its \.value"),
    "int enum": (lambda: Rank.FIRST, r"a Rank\..*Keep its \.value"),
    "named tuple": (lambda: Pair(1), r"a Pair\..*Keep its \._asdict\(\)"),
    "dataclass": (Settings, r"a Settings\..*Keep dataclasses\.asdict"),
    "any object": (Opaque, r"an Opaque\..*values that it is made of"),
    "Random": (lambda: random.Random(1), r"a Random\..*Keep its \.getstate\(\)"),
    "RandomState": (lambda: np.random.RandomState(1), r"Keep its \.get_state\(\)"),
    "bit generator": (np.random.PCG64, r"Keep numpy\.random\.Generator"),
    "seed sequence": (
        lambda: np.random.Generator(np.random.PCG64(cast("Any", Seeds()))),
        r"\.bit_generator\.seed_seq is a Seeds",
    ),
    "module": (lambda: MODEL, r"a Linear\..*Keep its \.state_dict\(\)"),
    "optimizer": (
        lambda: torch.optim.SGD(MODEL.parameters()),
        r"Keep its \.state_dict\(\)",
    ),
    "defaultdict": (lambda: defaultdict(int), r"a defaultdict\..*Keep dict"),
    "deque": (lambda: deque([1]), r"a deque\..*Keep list"),
    "range": (lambda: range(3), r"a range\..*Keep list"),
    "list of its own": (Sized, r"a Sized\..*Keep list"),
    "torch.Size": (lambda: torch.Size([2]), r"a Size\..*Keep tuple"),
    "bytearray": (lambda: bytearray(b"a"), r"a bytearray\..*Keep bytes"),
    "str_": (lambda: np.str_("a"), r"a str_\..*Keep str"),
    "bytes_": (lambda: np.bytes_(b"a"), r"a bytes_\..*Keep bytes"),
    "void": (lambda: np.zeros(1, "i4,f4")[0], r"a void\..*Keep its \.item\(\)"),
    "object array": (lambda: np.array([None]), r"an array of dtype object\..*list"),
    "structured array": (lambda: np.zeros(1, "i4,f4"), r"an array of dtype \[.*list"),
    "masked array": (lambda: np.ma.array([1]), r"a MaskedArray\..*Keep numpy\.array"),
    "dtype": (lambda: torch.float32, r"a dtype\."),
    "requires grad": (
        lambda: torch.ones(1, requires_grad=True),
        r"a tensor that requires grad\..*Call \.detach\(\)",
    ),
    "parameter": (lambda: MODEL.weight, r"a tensor that requires grad\..*\.detach\(\)"),
    "frozen parameter": (
        lambda: nn.Parameter(torch.ones(1), requires_grad=False),
        r"a Parameter, not a plain tensor\..*\.detach\(\)",
    ),
    "sparse": (lambda: torch.eye(2).to_sparse(), r"a sparse tensor\..*\.to_dense\(\)"),
    "meta": (lambda: torch.ones(2, device="meta"), r"meta device.*Leave it out"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_kept_is_refused_by_its_place(
    make: Callable[[], Any], message: str
) -> None:
    state = {"optimizer": {"state": [0, (make(),)]}}
    place = r'^state\["optimizer"\]\["state"\]\[1\]\[0\]'
    with pytest.raises(TypeError, match=place + ".*" + message):
        encoded(Position(1, state), "t", "c")


@pytest.mark.filterwarnings(
    "ignore:.*quant:UserWarning", "ignore:.*quant:DeprecationWarning"
)
def test_a_quantized_tensor_is_refused() -> None:
    quantized = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    with pytest.raises(TypeError, match=r"a quantized tensor\..*Call \.dequantize\(\)"):
        split(quantized)


@pytest.mark.parametrize(
    "key", [True, None, 1.0, (1,), np.int64(1), np.str_("a"), Rank.FIRST]
)
def test_keys_are_strings_or_integers(key: Any) -> None:
    with pytest.raises(TypeError, match=r'^state\["by"\] has the key .*Use such keys'):
        split({"by": {key: 1}})


def test_a_state_that_holds_itself_is_refused() -> None:
    inner: list[Any] = [1]
    state = {"a": (inner,)}
    inner.append(state)
    with pytest.raises(
        TypeError, match=r'^state\["a"\]\[0\]\[1\] is a container that it is in'
    ):
        split(state)


def test_one_list_in_two_places_is_no_circle() -> None:
    shared = [1]
    assert same(returned([shared, {"b": shared}]), [[1], {"b": [1]}])


def nested(depth: int) -> Any:
    return functools.reduce(lambda inner, _: {"a": inner}, range(depth), {})


def test_nesting_ends_before_python_does() -> None:
    assert same(returned(nested(DEEPEST - 1)), nested(DEEPEST - 1))
    with pytest.raises(TypeError, match=rf"nested over {DEEPEST} deep"):
        split(nested(100_000))


@dataclass
class Training:
    """A small model, trained as users do."""

    model: nn.Sequential
    optimizer: torch.optim.Optimizer
    schedule: Any
    minibatches: torch.Generator

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "minibatches": self.minibatches,
        }

    def resume_from(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.minibatches = state["minibatches"]

    def update(self, times: int) -> None:
        inputs = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
        targets = inputs.sum(1, keepdim=True).sin()
        for _ in range(times):
            chosen = torch.randperm(64, generator=self.minibatches)[:16]
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model(inputs[chosen]), targets[chosen])
            loss.backward()
            self.optimizer.step()
            self.schedule.step()


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.05, amsgrad=True)


def momentum(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True)


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 4, 7]),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda update: 0.9**update),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 3, cycle_momentum=False),
}


def fresh(
    optimizer: Callable[[Any], Any], schedule: Callable[[Any], Any], seed: int
) -> Training:
    random_source = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    for each in model.parameters():
        nn.init.normal_(each, generator=random_source)
    made = optimizer(model.parameters())
    return Training(model, made, schedule(made), random_source)


@pytest.mark.parametrize("optimizer", [adam, momentum])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
def test_training_interrupted_by_a_checkpoint_gives_the_same_bits(
    tmp_path: Any, optimizer: Callable[[Any], Any], schedule: Callable[[Any], Any]
) -> None:
    straight = fresh(optimizer, schedule, seed=1)
    straight.update(10)

    first = fresh(optimizer, schedule, seed=1)
    first.update(5)
    kept = CheckpointFolder(Folder(tmp_path))
    kept.save("trial", "code", Position(5, first.state()))
    halfway = returned(first.state())

    second = fresh(optimizer, schedule, seed=2)
    found = kept.load("trial", "code")
    assert found is not None
    second.resume_from(found.state)
    second.update(5)

    assert same(second.state(), straight.state())
    assert not same(halfway["model"], straight.state()["model"])
