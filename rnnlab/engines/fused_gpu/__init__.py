"""The engine for NVIDIA cards: hundreds of trials in one call of compiled code.

| module | content |
| --- | --- |
| `layout` | threads, tiles, and places in memory |
| `intrinsics`: `block`, `simulator` | what differs between a card and Numba's simulator of one |
| `recurrence` | products with W_rec, and the hidden unit |
| `inputs` | the input of a step, forward and backward |
| `outputs` | outputs, costs, and whether an answer is wrong |
| `tiles` | the gradient of W_rec |
| `omega` | the regulariser Ω |
| `kernel` | the order of all this, drawing, clipping and the step |
| `card`, `rooms` | arrays on the card |
| `engine` | the interface to the training loop |
"""

from rnnlab.engines.fused_gpu.engine import FusedGpu

__all__ = ["FusedGpu"]
