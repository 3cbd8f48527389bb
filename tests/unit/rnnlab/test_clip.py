"""Algorithm 1: the norm after is at most the threshold, the direction is unchanged."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnlab.clip import clip_by_global_norm, global_norm, needs_repair, repaired

numbers = st.lists(
    st.floats(-1e6, 1e6, allow_subnormal=False, width=32), min_size=1, max_size=6
)
thresholds = st.floats(1e-3, 1e3)


@given(st.lists(numbers, min_size=1, max_size=3), thresholds)
def test_clipping_bounds_the_norm_and_keeps_the_direction(
    values: list[list[float]], max_norm: float
) -> None:
    grads = [torch.tensor(each, dtype=torch.float64) for each in values]
    clipped, norm = clip_by_global_norm(grads, max_norm)
    after = float(global_norm(clipped))
    assert after <= max_norm * (1 + 1e-9)
    if norm < max_norm:
        assert all(torch.equal(a, b) for a, b in zip(grads, clipped, strict=True))
    else:
        scale = max_norm / float(norm)
        for a, b in zip(grads, clipped, strict=True):
            torch.testing.assert_close(b, a * scale)


def test_a_norm_beyond_the_square_root_of_float32_is_still_clipped() -> None:
    clipped, norm = clip_by_global_norm([torch.tensor([3e30, 4e30])], 1.0)
    assert float(norm) == pytest.approx(5e30)
    torch.testing.assert_close(clipped[0], torch.tensor([0.6, 0.8]))


def test_the_threshold_itself_counts_as_too_long() -> None:
    clipped, _ = clip_by_global_norm([torch.tensor([3.0, 4.0])], 5.0)
    torch.testing.assert_close(clipped[0], torch.tensor([3.0, 4.0]))


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_a_threshold_that_is_not_positive_is_refused(max_norm: float) -> None:
    with pytest.raises(ValueError, match="max_norm must be positive"):
        clip_by_global_norm([torch.ones(1)], max_norm)


def test_the_authors_repair_shrinks_w_rec_where_the_norm_is_huge_or_not_finite() -> None:
    assert [needs_repair(n) for n in (1.0, 1e10, 1.1e10, float("inf"), float("nan"))] == [
        False,
        False,
        True,
        True,
        True,
    ]
    torch.testing.assert_close(repaired(torch.eye(2), 0.5), 0.99 * torch.eye(2))
