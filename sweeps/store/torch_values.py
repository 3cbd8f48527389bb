"""Tensors and random generators of torch as arrays and back, torch imported only if needed.

A tensor's bytes are kept, as an array of the same dtype where numpy has it. What comes back
is contiguous, aligned as torch aligns its own, and shares no memory with anything.
"""

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from sweeps.store.hashed_npz import Array

if TYPE_CHECKING:
    import torch

CPU = "cpu"
IN_NUMPY = frozenset(
    f"{kind}{bits}"
    for kind, sizes in {
        "int": (8, 16, 32, 64),
        "uint": (8, 16, 32, 64),
        "float": (16, 32, 64),
        "complex": (64, 128),
    }.items()
    for bits in sizes
) | {"bool"}
"""Dtypes of torch that numpy has under the same name; bfloat16 and others are kept as bytes."""


class WrongDeviceError(ValueError):
    """A random generator cannot continue on another kind of device."""


def is_tensor(value: object) -> TypeGuard["torch.Tensor"]:
    """Return whether a value is a tensor, without importing torch to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_generator(value: object) -> TypeGuard["torch.Generator"]:
    """Return whether a value is a random generator of torch, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and type(value) is torch.Generator


def objection(tensor: "torch.Tensor") -> tuple[str, str] | None:
    """Return what is wrong with a tensor and what to do, or None where it can be kept."""
    import torch

    if tensor.requires_grad:
        return "a tensor that requires grad", "Call .detach() on it"
    if type(tensor) is not torch.Tensor:
        return f"a {type(tensor).__name__}, not a plain tensor", "Call .detach() on it"
    if tensor.is_quantized:
        return "a quantized tensor", "Call .dequantize() on it"
    if tensor.is_nested:
        return "a nested tensor", "Call .unbind() on it"
    if tensor.layout != torch.strided:
        return "a sparse tensor", "Call .to_dense() on it"
    if tensor.is_meta:
        return "a tensor of the meta device, which holds no numbers", "Leave it out"
    return None


def array_of(tensor: "torch.Tensor") -> tuple[dict[str, Any], Array]:
    """Return what a tensor is beside its numbers, as JSON, and its numbers.

    Args:
        tensor: One that there is no `objection` to.
    """
    import torch

    dtype = str(tensor.dtype).removeprefix("torch.")
    facts = {"dtype": dtype, "shape": list(tensor.shape), "on_cpu": _on_cpu(tensor)}
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().reshape(-1)
    # as_strided: one number or none counts as contiguous, whatever its stride.
    array = flat.contiguous().as_strided([flat.numel()], [1]).view(torch.uint8).numpy()
    if dtype in IN_NUMPY:
        array = array.view(dtype).reshape(tensor.shape)
    return facts, array


def tensor_of(facts: dict[str, Any], array: Array, device: str) -> "torch.Tensor":
    """Return a tensor: on the CPU if it was there, else on `device`.

    Raises:
        ValueError: If this version of torch has no such dtype.
    """
    import torch

    dtype = getattr(torch, facts["dtype"], None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"torch {torch.__version__} has no dtype {facts['dtype']}")
    numbers = torch.from_numpy(array.reshape(-1).view(np.uint8)).view(dtype)
    place = CPU if facts["on_cpu"] else device
    return numbers.reshape(facts["shape"]).to(place, copy=True)


def state_of(generator: "torch.Generator") -> tuple[dict[str, Any], Array]:
    """Return the kind of device of a random generator, as JSON, and its state."""
    return {"device": generator.device.type}, generator.get_state().numpy()


def generator_of(facts: dict[str, Any], array: Array, device: str) -> "torch.Generator":
    """Return a random generator in its last state: on the CPU if it was there, else on `device`.

    Raises:
        WrongDeviceError: If it is of another kind of device than `device`.
    """
    import torch

    kind, place = facts["device"], CPU if facts["device"] == CPU else device
    if torch.device(place).type != kind:
        raise WrongDeviceError(
            f"its checkpoint holds a random generator of a {kind} device, which cannot continue "
            f"on {place}: train it on {kind}, as before"
        )
    generator = torch.Generator(place)
    generator.set_state(torch.from_numpy(array))
    return generator


def _on_cpu(tensor: "torch.Tensor") -> bool:
    return tensor.device.type == CPU
