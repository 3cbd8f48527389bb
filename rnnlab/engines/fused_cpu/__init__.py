"""The fast engine for CPUs: thousands of updates in one call of compiled code.

| module | what it holds |
| --- | --- |
| `microkernel` | a product of small matrices in registers, written in LLVM's vector types |
| `operations` | that, and a few more instructions, as functions for compiled Python |
| `products` | products of any shape, cut into tiles |
| `units` | tanh and eˣ |
| `network`, `steps` | where numbers lie, padded and aligned |
| `parameters` | their way in and out |
| `batches` | a batch is drawn into its place |
| `inputs` | what enters a step, and its way back |
| `costs` | what comes out, what it costs, and whether it is wrong |
| `kernel` | the recurrence, Ω, clipping, the step; and the loop over updates |
| `engine` | what the training loop calls |
"""

from rnnlab.engines.fused_cpu.engine import FusedCpu

__all__ = ["FusedCpu"]
