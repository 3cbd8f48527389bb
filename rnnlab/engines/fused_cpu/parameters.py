"""The way of parameters into padded arrays, and out of them.

Apart from `network`, so that what is compiled imports nothing of trials and tasks.
"""

import numpy as np

from rnnlab.engines.fused_cpu.network import Arrays
from rnnlab.state import Parameters


def load(parameters: Parameters, room: Arrays) -> None:
    """Lay parameters out, rounded to float32; padding is 0 whatever was there before."""
    outputs, hidden = parameters.w_out.shape
    room.flat[:] = 0
    room.w_rec[:, :hidden] = parameters.w_rec
    room.w_in[:, :hidden] = parameters.w_in.T
    room.bias[:hidden] = parameters.bias
    room.w_out[:, :hidden] = parameters.w_out
    room.bias_out[:outputs] = parameters.bias_out


def unload(room: Arrays) -> Parameters:
    """Copy parameters out, without their padding, as float32."""
    hidden, outputs = room.w_rec.shape[0], room.w_out.shape[0]
    return Parameters(
        w_in=np.ascontiguousarray(room.w_in[:, :hidden].T),
        w_rec=room.w_rec[:, :hidden].copy(),
        bias=room.bias[:hidden].copy(),
        w_out=room.w_out[:, :hidden].copy(),
        bias_out=room.bias_out[:outputs].copy(),
    )
