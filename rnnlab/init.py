"""The three initialisations (authors' code, 2013; "N(0, s)" there is a standard deviation).

| name | units | W_in, W_out | W_rec |
| --- | --- | --- | --- |
| sigmoid | logistic | sd 0.01 | sd 0.01 |
| basic_tanh | tanh | sd 0.1 | sd 0.1 |
| smart_tanh | tanh | sd 0.01 | 15 outgoing connections per unit, spectral radius 0.95 |

Biases are zero. The numbers depend on the seed and the shape only, so all variants of a
replicate start from the same point.
"""

from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

from rnnlab.compiled import compiled
from rnnlab.diagnostics import spectral_radius
from rnnlab.rng import INIT, below, words
from rnnlab.spec import Trial
from rnnlab.state import Parameters

CONNECTIONS = 15
SPECTRAL_RADIUS = 0.95
_STANDARD_DEVIATION = {"sigmoid": 0.01, "basic_tanh": 0.1, "smart_tanh": 0.01}
_W_IN, _W_REC, _W_OUT, _TARGETS = range(4)
_FILL = "void(int64, int64, int64, int64[:, ::1])"


def initial_parameters(trial: Trial) -> Parameters:
    """Draw a trial's initial parameters, in float64.

    Args:
        trial: The numbers depend on its `init`, `hidden`, `task` and `seed`.

    Returns:
        Parameters of the shapes (hidden, inputs), (hidden, hidden), (hidden),
        (outputs, hidden) and (outputs).

    Example:
        >>> w_rec = initial_parameters(Trial(init="smart_tanh")).w_rec
        >>> np.count_nonzero(w_rec, axis=0).tolist() == [15] * 50
        True
    """
    scale = _STANDARD_DEVIATION[trial.init]
    hidden, task = trial.hidden, trial.task
    w_rec = scale * normals(trial.seed, _W_REC, (hidden, hidden))
    if trial.init == "smart_tanh":
        w_rec = sparse_of_radius(w_rec, trial.seed)
    return Parameters(
        w_in=scale * normals(trial.seed, _W_IN, (hidden, task.inputs)),
        w_rec=w_rec,
        bias=np.zeros(hidden),
        w_out=scale * normals(trial.seed, _W_OUT, (task.outputs, hidden)),
        bias_out=np.zeros(task.outputs),
    )


def sparse_of_radius(
    dense: Float[np.ndarray, "hidden hidden"], seed: int
) -> Float[np.ndarray, "hidden hidden"]:
    """Keep 15 outgoing connections per unit, then scale to spectral radius 0.95.

    The paper says incoming; the authors' code uses outgoing: column j of W_rec holds the
    weights from unit j. A network of 15 units or fewer keeps all connections.

    Args:
        dense: The dense weights.
        seed: The trial's seed.
    """
    hidden = dense.shape[0]
    sparse = np.zeros_like(dense)
    for unit in range(hidden):
        targets = _targets(seed, unit, hidden)
        sparse[targets, unit] = dense[targets, unit]
    return sparse * (SPECTRAL_RADIUS / spectral_radius(sparse))


def _targets(seed: int, unit: int, hidden: int) -> Int[np.ndarray, " targets"]:
    """Choose the targets of one unit's connections: the head of a Fisher-Yates shuffle."""
    order = np.arange(hidden)
    chosen = min(CONNECTIONS, hidden)
    draws = uniform_words(seed, _TARGETS, chosen, example=unit)
    for place in range(chosen):
        other = place + below(int(draws[place]), hidden - place)
        order[[place, other]] = order[[other, place]]
    return order[:chosen]


def normals(
    seed: int, parameter: int, shape: tuple[int, int]
) -> Float[np.ndarray, "rows columns"]:
    """Draw standard normal numbers by inverting the cumulative distribution function.

    Args:
        seed: The trial's seed.
        parameter: Index of the parameter array.
        shape: Rows and columns.

    Returns:
        float64; one 32-bit word per number, so none exceeds 6.4 standard deviations.
    """
    drawn = uniform_words(seed, parameter, shape[0] * shape[1])
    inverse = NormalDist().inv_cdf
    return np.array([inverse((int(w) + 0.5) / 2**32) for w in drawn]).reshape(shape)


def uniform_words(
    seed: int, parameter: int, count: int, example: int = 0
) -> Int[np.ndarray, " count"]:
    """Draw `count` uniform 32-bit words for one parameter, as int64."""
    drawn = np.empty((-(-count // 4), 4), dtype=np.int64)
    compiled(_fill, _FILL)(seed, parameter, example, drawn)
    return drawn.reshape(-1)[:count]


def _fill(seed: int, parameter: int, example: int, drawn: np.ndarray) -> None:
    """Draw blocks of four words; compiled before use."""
    for block in range(drawn.shape[0]):
        drawn[block] = words(seed, INIT, parameter, example, block)
