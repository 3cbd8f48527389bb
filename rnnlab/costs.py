"""The three costs C, and when a sequence is wrong.

| `Task.cost` | C | a sequence is wrong if |
| --- | --- | --- |
| `class_at_end` | mean over the batch of −log softmax(y_T)[target] | argmax y_T ≠ target |
| `class_at_each_step` | mean over the T·batch rows of −log softmax(y_t)[target_t] | any step is |
| `value_at_end` | mean over the batch of ‖y_T − target‖², without ½ | ‖y_T − target‖² > .04 |

with y_t = W_out h_t + b_out. Authors' code, 2013; the squared error is averaged over the
outputs too (their tasks have one output).
"""

from jaxtyping import Bool, Float, Int, Num
from torch import Tensor
from torch.nn import functional

from rnnlab.bounds import WRONG_ABOVE
from rnnlab.tasks.task import Cost


def cost(
    kind: Cost,
    outputs: Float[Tensor, "*time batch outputs"],
    targets: Num[Tensor, "*rest"],
) -> Float[Tensor, ""]:
    """Compute C.

    Args:
        kind: Which cost.
        outputs: y_T, or y_1 to y_T.
        targets: Classes, one per row of `outputs`; or numbers, one per output.

    Returns:
        C in nats, or in the square of the numbers' unit.
    """
    if kind == "value_at_end":
        return functional.mse_loss(outputs, targets.to(outputs.dtype))
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def wrong(
    kind: Cost,
    outputs: Float[Tensor, "*time batch outputs"],
    targets: Num[Tensor, "*rest"],
) -> Bool[Tensor, " batch"]:
    """Return which sequences are wrong; same arguments as `cost`."""
    if kind == "value_at_end":
        right = (outputs - targets).square().sum(-1) <= WRONG_ABOVE  # False for NaN
        return ~right
    missed: Int[Tensor, "*time batch"] = outputs.argmax(-1) != targets
    return missed.any(0) if kind == "class_at_each_step" else missed
