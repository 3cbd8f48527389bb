"""The fast engine for CPUs: thousands of updates in one call of compiled code.

| module | content |
| --- | --- |
| `microkernel` | a product of small matrices in registers, written in LLVM's vector types |
| `operations` | the microkernel and a few more instructions, callable from compiled Python |
| `products` | products of any shape, split into tiles |
| `units` | tanh and eˣ |
| `network`, `steps` | memory layout: padded, aligned arrays |
| `parameters` | copying parameters in and out |
| `batches` | drawing a batch into memory |
| `inputs` | the input of a step, forward and backward |
| `costs` | outputs, costs, and whether an answer is wrong |
| `kernel` | the recurrence, Ω, clipping, the step; and the loop over updates |
| `engine` | the interface to the training loop |
"""

from rnnlab.engines.fused_cpu.engine import FusedCpu

__all__ = ["FusedCpu"]
