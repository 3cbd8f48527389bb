"""The fast engine for CPUs: thousands of updates in one call of compiled code.

| module | what it holds |
| --- | --- |
| `microkernel` | a product of small matrices in registers, written in LLVM's vector types |
| `operations` | that, and a few more instructions, as functions for compiled Python |
| `products` | products of any shape, cut into tiles |
| `units` | tanh and eˣ |
| `network` | where numbers lie, padded and aligned |
| `kernel` | the stages of an update, and the loop over updates |
| `engine` | what the training loop calls |
"""

from rnnlab.engines.fused_cpu.engine import FusedCpu

__all__ = ["FusedCpu"]
