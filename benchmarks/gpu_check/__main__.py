"""Check the engine fused_gpu on an NVIDIA card, and measure it: one command, under 8 minutes.

    python benchmarks/gpu_check [--parts machine,speed] [--json FILE] [--out FOLDER]

| part | what it does |
| --- | --- |
| `machine` | the card, its clocks, versions, and how long the kernels take to compile |
| `speed` | trial-updates a second at T = 50, 100, 200, for 1, 132 and 264 trials, by layout |
| `contract` | gradients against float64, and bits: in chunks, alone in a crowd, beside NaN |
| `contenders` | `gpu_contenders.py` on the same card |
| `success` | trials that `fused_gpu` and `fused_cpu` solve, of the same 20 |
| `run` | Figure 7's grid for as long as time is left, with its states kept |

Each part is one process or some, with a time limit; a part that fails or hangs leaves the others
alone, and what it had found until then is kept. At the end come one line of JSON and the table of
what is to be reached. It needs NumPy, Numba, numba-cuda and this repository, installed or not;
PyTorch for the contenders and for gradients in float64, which fused_cpu replaces if there is none;
and JAX for the contenders that it has.

Without a card, NUMBA_ENABLE_CUDASIM=1 and `--tiny` try all of this in Numba's simulator.
"""

import sys
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parents[2])]

from benchmarks.gpu_check.processes import main  # noqa: E402

if __name__ == "__main__":
    main()
