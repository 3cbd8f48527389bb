"""The Python around the kernel: it looks at what goes in, for the kernel does not."""

import subprocess
import sys
from dataclasses import replace

import pytest
from small import trial

from rnnlab import TemporalOrder
from rnnlab.data import Batch, draw_batch
from rnnlab.engines.fused_cpu import FusedCpu
from rnnlab.init import initial_parameters
from rnnlab.rng import TRAIN
from rnnlab.train import fresh

ENGINE = FusedCpu()


class FewSymbols(TemporalOrder):
    """Temporal order that forgets one of its symbols."""

    @property
    def inputs(self) -> int:
        return 5


class FewTargets(TemporalOrder):
    """Temporal order that forgets one of its classes."""

    @property
    def outputs(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (FewSymbols(length=10), "FewSymbols has 5 symbols, 0 to 4, but drew 0 to 5"),
        (FewTargets(length=10), "FewTargets has 3 classes, 0 to 2, but drew 0 to 3"),
    ],
)
def test_a_task_that_draws_what_it_has_not_is_refused(
    task: TemporalOrder, message: str
) -> None:
    one = replace(trial(), task=task)
    with pytest.raises(ValueError, match=message):
        ENGINE.advance(one, fresh(one), 1)
    with pytest.raises(ValueError, match=message):
        ENGINE.count_errors(one, fresh(one).parameters, index=1, stop_at=1)


@pytest.mark.parametrize(("symbol", "target"), [(6, 0), (-1, 0), (0, 4), (0, -1)])
def test_a_batch_of_another_task_is_refused(symbol: int, target: int) -> None:
    drawn = draw_batch(trial().task, seed=0, purpose=TRAIN, index=0, size=2)
    batch = Batch(drawn.inputs.copy(), drawn.targets.copy())
    batch.inputs[3, 1], batch.targets[1] = symbol, target
    with pytest.raises(ValueError, match="Mend its draw_example"):
        ENGINE.gradients(trial(), initial_parameters(trial()), batch)


NUMPY_INTEGERS = """
import numpy as np
from rnnlab import Trial, TemporalOrder
from rnnlab.engines import choose
from rnnlab.engines.fused_cpu import kernel
from rnnlab.train import fresh
trial = Trial(task=TemporalOrder(length=10), seed=2**32 - 1)
state = choose().advance(trial, fresh(trial), np.int32(3))
choose().count_errors(trial, state.parameters, index=np.int16(1), stop_at=np.int64(5))
print(state.update, len(kernel.advance.signatures), len(kernel.count_errors.signatures))
"""


def test_other_kinds_of_integers_do_not_compile_again() -> None:
    """In a process of its own: tests check types, and would refuse them."""
    done = subprocess.run(
        [sys.executable, "-c", NUMPY_INTEGERS], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3", "1", "1"]
