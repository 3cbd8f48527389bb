"""What is asked of a network: three costs C, and what counts as wrong.

| `Task.cost` | C | a sequence is wrong if |
| --- | --- | --- |
| `class_at_end` | mean over the batch of −log softmax(y_T)[target] | y_T is largest elsewhere |
| `class_at_each_step` | mean over the T·batch rows of −log softmax(y_t)[target_t] | any step is |
| `value_at_end` | mean over the batch of ‖y_T − target‖², without ½ | ‖y_T − target‖² > .04 |

with y_t = W_out h_t + b_out. Authors' code, 2013; the mean squared error is over the
outputs too, of which their tasks have one.
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
    """Give C.

    Args:
        kind: What is asked.
        outputs: y_T, or y_1 to y_T.
        targets: Classes, as many as there are rows of `outputs`; or numbers, one for each.

    Returns:
        In nats, or in the square of the numbers' unit.
    """
    if kind == "value_at_end":
        return functional.mse_loss(outputs, targets.to(outputs.dtype))
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def wrong(
    kind: Cost,
    outputs: Float[Tensor, "*time batch outputs"],
    targets: Num[Tensor, "*rest"],
) -> Bool[Tensor, " batch"]:
    """Say which sequences are wrong; same arguments as `cost`."""
    if kind == "value_at_end":
        right = (outputs - targets).square().sum(-1) <= WRONG_ABOVE  # which NaN is not
        return ~right
    missed: Int[Tensor, "*time batch"] = outputs.argmax(-1) != targets
    return missed.any(0) if kind == "class_at_each_step" else missed
