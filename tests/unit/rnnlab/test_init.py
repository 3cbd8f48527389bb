"""The three initialisations have the published statistics."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rnnlab import Trial
from rnnlab.diagnostics import spectral_radius
from rnnlab.init import initial_parameters, normals


@pytest.mark.parametrize(("init", "sd"), [("sigmoid", 0.01), ("basic_tanh", 0.1)])
def test_dense_initialisations_have_their_standard_deviation(init: str, sd: float) -> None:
    parameters = initial_parameters(Trial(init=init, hidden=100))  # type: ignore[arg-type]
    assert parameters.w_rec.std() == pytest.approx(sd, rel=0.03)
    assert parameters.w_in.std() == pytest.approx(sd, rel=0.1)
    assert parameters.w_out.std() == pytest.approx(sd, rel=0.15)
    assert not parameters.bias.any()
    assert not parameters.bias_out.any()


def test_basic_tanh_starts_near_the_radius_of_the_circular_law() -> None:
    radii = [
        spectral_radius(initial_parameters(Trial(init="basic_tanh", seed=seed)).w_rec)
        for seed in range(10)
    ]
    assert np.mean(radii) == pytest.approx(0.1 * np.sqrt(50), rel=0.1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_smart_tanh_has_15_outgoing_connections_and_radius_0_95(seed: int) -> None:
    parameters = initial_parameters(Trial(init="smart_tanh", seed=seed))
    outgoing = np.count_nonzero(parameters.w_rec, axis=0)
    assert outgoing.tolist() == [15] * 50
    assert len(set(np.count_nonzero(parameters.w_rec, axis=1).tolist())) > 1
    assert spectral_radius(parameters.w_rec) == pytest.approx(0.95, rel=1e-9)
    assert parameters.w_in.std() == pytest.approx(0.01, rel=0.15)


def test_a_small_smart_network_keeps_all_its_connections() -> None:
    w_rec = initial_parameters(Trial(init="smart_tanh", hidden=7)).w_rec
    assert np.count_nonzero(w_rec) == 49


def test_variants_of_a_replicate_start_from_the_same_point() -> None:
    plain, regularised = Trial(clip_norm=None), Trial(omega_weight=4.0)
    for a, b in zip(
        initial_parameters(plain), initial_parameters(regularised), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_normals_are_standard_normal_and_differ_by_parameter() -> None:
    drawn = normals(0, 0, (200, 200))
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(drawn) > 3).mean() == pytest.approx(0.0027, abs=0.001)
    assert not np.isclose(drawn, normals(0, 1, (200, 200))).any()


def test_no_bit_depends_on_the_number_of_threads() -> None:
    code = (
        "import hashlib; from rnnlab import Trial; "
        "from rnnlab.init import initial_parameters; "
        "w = initial_parameters(Trial(hidden=300)).w_rec; "
        "print(hashlib.sha256(w.tobytes()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1
