"""Checkpoints: what was saved comes back, or nothing does and a warning says why."""

import io
import logging
import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import check, checkpoints, trial

from rnnlab.checkpoint import CheckpointFolder, Checkpoints, glance, name_of
from rnnlab.state import State, Totals
from rnnlab.train import fresh
from sweeps.storage.folder import Folder

ONE = trial()
STATE = State(
    fresh(ONE).parameters,
    update=17,
    totals=Totals(updates=7, clipped=2, loss=1.5, grad_norm=0.1, grad_norm_max=0.3),
    checks=(check(10, loss=float("inf")),),
)


def saved(folder: Path) -> tuple[CheckpointFolder, Path]:
    kept = checkpoints(folder)
    kept.save(ONE, "plain-1", STATE)
    return kept, folder / name_of(ONE)


def same(a: State, b: State) -> bool:
    return repr(a.checks) == repr(b.checks) and (
        (a.update, a.totals, a.diverged) == (b.update, b.totals, b.diverged)
        and all(
            x.dtype == y.dtype and x.tobytes() == y.tobytes()
            for x, y in zip(a.parameters, b.parameters, strict=True)
        )
    )


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    kept, _ = saved(tmp_path)
    found = kept.load(ONE, "plain-1")
    assert found is not None
    assert same(found, STATE)
    assert [path.name for path in tmp_path.iterdir()] == [f"{ONE.trial_id}.npz"]


def test_a_flipped_bit_anywhere_is_noticed_or_harmless(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, path = saved(tmp_path)
    good = path.read_bytes()
    noticed = 0
    for place in range(0, len(good), 37):
        data = bytearray(good)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        caplog.clear()
        found = kept.load(ONE, "plain-1")
        if found is None:
            noticed += 1
            assert "the trial starts again" in caplog.text
        else:
            assert same(found, STATE)
    assert noticed > len(good) / 37 / 2


def test_a_changed_number_in_a_sound_file_is_noticed(tmp_path: Path) -> None:
    kept, path = saved(tmp_path)
    with np.load(path) as file:
        arrays = {name: file[name].copy() for name in file.files}
    arrays["w_rec"][0, 0] += 1e-6
    np.savez(path, **arrays)
    assert kept.load(ONE, "plain-1") is None


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_torn_file_is_noticed(tmp_path: Path, size: int) -> None:
    kept, path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    assert kept.load(ONE, "plain-1") is None


def test_a_checkpoint_is_resumed_only_under_its_own_numerics_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, path = saved(tmp_path)
    data = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        assert kept.load(ONE, "plain-2") is None
    assert "made by plain-1, not by plain-2" in caplog.text
    assert not path.exists()
    assert (tmp_path / "damaged" / path.name).read_bytes() == data
    assert kept.load(ONE, "plain-1") is None


def test_a_checkpoint_of_another_trial_is_set_aside_and_told(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    other = path.rename(tmp_path / name_of(trial(1)))
    told: list[str] = []
    kept = CheckpointFolder(Folder(tmp_path), told.append)
    assert kept.load(trial(1), "plain-1") is None
    (said,) = told
    assert f"is of another trial, {ONE.trial_id}" in said
    assert f"kept as {tmp_path / 'damaged' / other.name}" in said


def test_a_glance_tells_whose_checkpoint_it_is(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    assert glance(path.read_bytes()) == (ONE.trial_id, "plain-1", 17)
    with pytest.raises(ValueError, match="npz"):
        glance(path.read_bytes()[:-1])


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    kept, path = saved(tmp_path)
    touched = tmp_path / "touched"
    for name in ("sha256", "w_rec"):
        buffer = io.BytesIO()
        pickled: dict[str, Any] = {name: np.array([Touches(str(touched))], dtype=object)}
        np.savez(buffer, **pickled)
        path.write_bytes(buffer.getvalue())
        assert kept.load(ONE, "plain-1") is None
    path.write_bytes(pickle.dumps(Touches(str(touched))))
    assert kept.load(ONE, "plain-1") is None
    assert not touched.exists()
    pickle.loads(pickle.dumps(Touches(str(touched))))
    assert touched.exists()


class Touches:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.path,))


def test_nothing_is_kept_where_no_folder_is_given() -> None:
    Checkpoints().save(ONE, "plain-1", STATE)
    assert Checkpoints().load(ONE, "plain-1") is None


def test_what_was_kept_is_replaced_and_forgotten(tmp_path: Path) -> None:
    kept, _ = saved(tmp_path)
    later = replace(STATE, update=18, diverged=True)
    kept.save(ONE, "plain-1", later)
    found = kept.load(ONE, "plain-1")
    assert found is not None
    assert same(found, later)
    kept.discard(ONE)
    kept.discard(ONE)
    assert kept.load(ONE, "plain-1") is None
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_and_minus_zero_come_back(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    bias = np.array([np.nan, np.inf, -np.inf, -0.0], dtype=np.float32)
    strange = replace(
        STATE,
        parameters=STATE.parameters._replace(bias=bias),
        checks=(check(10, loss=float("nan")), check(20, loss=-0.0)),
        diverged=True,
    )
    kept.save(ONE, "plain-1", strange)
    found = kept.load(ONE, "plain-1")
    assert found is not None
    assert same(found, strange)


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_half(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    (tmp_path / name_of(ONE) / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=ONE.trial_id):
        kept.save(ONE, "plain-1", STATE)
    assert [path.name for path in tmp_path.iterdir()] == [name_of(ONE)]


def test_a_sound_file_of_another_shape_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a later version might write: its hash fits, a fact is not known."""
    kept = checkpoints(tmp_path)
    kept.save(ONE, "plain-1", replace(STATE, totals=LaterTotals()))
    assert kept.load(ONE, "plain-1") is None
    assert "the trial starts again" in caplog.text


def test_a_checkpoint_of_other_code_is_told_by_its_numerics_id(tmp_path: Path) -> None:
    """It is whole: what it holds is only known to the code that made it."""
    told: list[str] = []
    kept = CheckpointFolder(Folder(tmp_path), told.append)
    kept.save(ONE, "plain-1", replace(STATE, totals=LaterTotals()))
    assert kept.load(ONE, "plain-2") is None
    (said,) = told
    assert said.startswith("its checkpoint was made by plain-1, not by plain-2")


@dataclass(frozen=True)
class LaterTotals(Totals):
    skipped: int = 1
