"""Engines make the updates of trials; the loop around them is `rnnlab.train`.

| engine | what it is |
| --- | --- |
| `plain` | PyTorch autograd, a readable page: the reference, on any device |
| `fused_cpu` | compiled code without Python between updates: one CPU core, the default |
| `fused_gpu` | the same on a GPU, hundreds of trials at once |

All engines draw data from the same generators; each is tested against the one above it.
"""

from collections.abc import Callable

from rnnlab.engines.engine import CHECK_SEQUENCES as CHECK_SEQUENCES
from rnnlab.engines.engine import Engine as Engine
from rnnlab.engines.engine import Gradients as Gradients


def _plain(device: str = "cpu") -> Engine:
    from rnnlab.engines.plain import Plain

    if device != "cpu":
        _require_device(device)
    return Plain(device=device)


def _require_device(device: str) -> None:
    """Refuse a device on which PyTorch cannot compute.

    Raises:
        RuntimeError: If it cannot; with PyTorch's reason.
    """
    import torch

    try:
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RuntimeError(
            f"PyTorch {torch.__version__} cannot compute on {device!r} here ({reason}). Choose "
            "another device, or the engine fused_cpu."
        ) from None


def _fused_cpu(device: str = "cpu") -> Engine:
    from rnnlab.engines.fused_cpu import FusedCpu

    return FusedCpu()


def _fused_gpu(device: str = "cuda") -> Engine:
    from rnnlab.engines.fused_gpu import FusedGpu

    return FusedGpu()


ENGINES: dict[str, Callable[..., Engine]] = {"fused_cpu": _fused_cpu, "plain": _plain}
"""Engines by name; torch or Numba are imported only when one is built."""

GPU_ENGINES: dict[str, Callable[..., Engine]] = {"fused_gpu": _fused_gpu}
"""Engines that can be built on a machine with a GPU alone."""

DEFAULT = "fused_cpu"


def choose(name: str = DEFAULT, device: str | None = None) -> Engine:
    """Build an engine by its name; there is no automatic choice and no fallback.

    Args:
        name: One of `ENGINES` or of `GPU_ENGINES`.
        device: Where `plain` computes, as PyTorch names it; the others have one device.

    Raises:
        ValueError: If there is no such engine.
    """
    builders = {**ENGINES, **GPU_ENGINES}
    if name not in builders:
        known = ", ".join(builders)
        raise ValueError(f"No engine is called {name!r}. Known: {known}.")
    return builders[name]() if device is None else builders[name](device)
