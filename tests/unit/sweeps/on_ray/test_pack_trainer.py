"""What a pack asks Ray for, as a Tune trial."""

from dataclasses import asdict

import pytest

from sweeps.spec.trial_type import Resources

H100 = "accelerator_type:H100"


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (Resources(), {"CPU": 1.0}),
        (Resources(cpus=2, gpus=1, slots=264, device="cuda"), {"CPU": 2.0, "GPU": 1.0}),
        (Resources(gpus=1, accelerator="H100"), {"CPU": 1.0, "GPU": 1.0, H100: 0.001}),
    ],
)
def test_a_pack_asks_for_what_its_workers_need(
    needs: Resources, expected: dict[str, float]
) -> None:
    from sweeps.on_ray.pack_trainer import PackTrainer

    asked = PackTrainer.default_resource_request({"pack": {"resources": asdict(needs)}})
    assert asked.bundles == [expected]
