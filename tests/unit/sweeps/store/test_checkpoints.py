"""Checkpoints: what was saved comes back, or nothing does and a warning says why."""

import hashlib
import io
import json
import logging
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from states import same

from sweeps.storage.folder import Folder
from sweeps.store.checkpoints import (
    CheckpointFolder,
    Checkpoints,
    Position,
    decoded,
    encoded,
    glance,
    name_of,
)
from sweeps.store.hashed_npz import packed, unpacked

ONE, OTHER = "0123456789abcdef", "fedcba9876543210"
POSITION = Position(
    update=17,
    state={
        "weights": np.arange(60, dtype=np.float32).reshape(6, 10) / 7,
        "random": np.random.default_rng(5),
        "rate": 0.1,
        "best": (3, None),
    },
    checks=(
        {"update": 10, "loss": float("inf"), "solved": False, "note": "é", "rho": None},
    ),
)
FORMAT_1 = sorted((Path(__file__).parent / "checkpoint-1").glob("*.npz"))


def saved(folder: Path, position: Position = POSITION) -> tuple[CheckpointFolder, Path]:
    kept = CheckpointFolder(Folder(folder))
    kept.save(ONE, "code-1", position)
    return kept, folder / name_of(ONE)


def equal(a: Position, b: Position) -> bool:
    return (a.update, a.diverged) == (b.update, b.diverged) and same(
        [a.state, a.checks], [b.state, b.checks]
    )


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    kept, _ = saved(tmp_path)
    found = kept.load(ONE, "code-1")
    assert found is not None
    assert equal(found, POSITION)
    assert [path.name for path in tmp_path.iterdir()] == [f"{ONE}.npz"]


def test_a_trial_that_was_never_saved_has_no_checkpoint(tmp_path: Path) -> None:
    said: list[str] = []
    assert CheckpointFolder(Folder(tmp_path), said.append).load(ONE, "code-1") is None
    assert said == []


def test_a_flipped_bit_anywhere_is_noticed_or_harmless(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, path = saved(tmp_path)
    good = path.read_bytes()
    noticed = 0
    for place in range(0, len(good), 7):
        data = bytearray(good)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        caplog.clear()
        found = kept.load(ONE, "code-1")
        if found is None:
            noticed += 1
            assert "the trial restarts" in caplog.text
        else:
            assert equal(found, POSITION)
    assert noticed > len(good) / 7 / 2


def test_a_changed_number_in_a_sound_file_is_noticed(tmp_path: Path) -> None:
    kept, path = saved(tmp_path)
    with np.load(path) as file:
        arrays = {name: file[name].copy() for name in file.files}
    changed = next(name for name in arrays if arrays[name].shape == (6, 10))
    arrays[changed][0, 0] += 1e-6
    np.savez(path, **arrays)
    assert kept.load(ONE, "code-1") is None


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_torn_file_is_noticed(tmp_path: Path, size: int) -> None:
    kept, path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    assert kept.load(ONE, "code-1") is None


def test_a_checkpoint_is_resumed_only_under_its_own_numerics_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, path = saved(tmp_path)
    data = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        assert kept.load(ONE, "code-2") is None
    assert "made by code-1, not by code-2" in caplog.text
    assert not path.exists()
    assert (tmp_path / "damaged" / path.name).read_bytes() == data
    assert kept.load(ONE, "code-1") is None


def test_a_checkpoint_of_another_trial_is_set_aside_and_reported(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    other = path.rename(tmp_path / name_of(OTHER))
    said: list[str] = []
    kept = CheckpointFolder(Folder(tmp_path), said.append)
    assert kept.load(OTHER, "code-1") is None
    (line,) = said
    assert f"is of another trial, {ONE}" in line
    assert f"kept as {tmp_path / 'damaged' / other.name}" in line


def test_a_glance_tells_whose_checkpoint_it_is(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    assert glance(path.read_bytes()) == (ONE, "code-1", 17)
    with pytest.raises(ValueError, match="npz"):
        glance(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="facts"):
        glance(packed({"a0": np.zeros(3)}))


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    kept, path = saved(tmp_path)
    touched = tmp_path / "touched"
    for name in ("sha256", "facts", "a0"):
        buffer = io.BytesIO()
        pickled: dict[str, Any] = {name: np.array([Touches(str(touched))], dtype=object)}
        np.savez(buffer, **pickled)
        path.write_bytes(buffer.getvalue())
        assert kept.load(ONE, "code-1") is None
    path.write_bytes(pickle.dumps(Touches(str(touched))))
    assert kept.load(ONE, "code-1") is None
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
    Checkpoints().save(ONE, "code-1", POSITION)
    assert Checkpoints().load(ONE, "code-1") is None


def test_what_was_kept_is_replaced_and_discarded(tmp_path: Path) -> None:
    kept, _ = saved(tmp_path)
    later = replace(POSITION, update=18, diverged=True)
    kept.save(ONE, "code-1", later)
    found = kept.load(ONE, "code-1")
    assert found is not None
    assert equal(found, later)
    kept.discard(ONE)
    kept.discard(ONE)
    assert kept.load(ONE, "code-1") is None
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_half(tmp_path: Path) -> None:
    kept = CheckpointFolder(Folder(tmp_path))
    (tmp_path / name_of(ONE) / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=ONE):
        kept.save(ONE, "code-1", POSITION)
    assert [path.name for path in tmp_path.iterdir()] == [name_of(ONE)]


def test_a_state_that_cannot_be_kept_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    kept, _ = saved(tmp_path)
    with pytest.raises(TypeError, match=r'state\["seen"\] is a set'):
        kept.save(ONE, "code-1", replace(POSITION, state={"seen": {1}}))
    found = kept.load(ONE, "code-1")
    assert found is not None
    assert equal(found, POSITION)


def test_the_file_is_replaced_durably_or_not_as_asked(tmp_path: Path) -> None:
    asked: list[bool] = []

    class Recording(Folder):
        def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
            asked.append(durable)

    kept = CheckpointFolder(Recording(tmp_path))
    kept.save(ONE, "code-1", POSITION)
    kept.save(ONE, "code-1", POSITION, durable=False)
    assert asked == [True, False]


def with_facts(data: bytes, **changes: Any) -> bytes:
    """The same file with other facts, and the hash that fits them; None takes a fact out."""
    arrays = unpacked(data)
    facts = json.loads(arrays["facts"].tobytes()) | changes
    left = {name: fact for name, fact in facts.items() if fact is not None}
    arrays["facts"] = np.frombuffer(json.dumps(left).encode(), dtype=np.uint8)
    return packed(arrays)


def test_a_file_of_a_later_version_is_set_aside_and_called_that(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    path.write_bytes(with_facts(path.read_bytes(), format=3))
    said: list[str] = []
    assert CheckpointFolder(Folder(tmp_path), said.append).load(ONE, "code-1") is None
    (line,) = said
    assert "of format 3, which a later version of this program wrote" in line


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"state": {"later kind": 1}},
        {"state": {"array": "a99"}},
        {"state": {"tuple": 5}},
        {"checks": None},
        {"checks": [5]},
        {"update": None},
        {"numerics_id": None},
    ],
)
def test_a_sound_file_of_another_shape_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    kept, path = saved(tmp_path)
    path.write_bytes(with_facts(path.read_bytes(), **changes))
    assert kept.load(ONE, "code-1") is None
    assert "its checkpoint is damaged" in caplog.text


def test_a_checkpoint_of_other_code_is_reported_by_its_numerics_id(tmp_path: Path) -> None:
    """It is whole: what it holds is only known to the code that made it."""
    _, path = saved(tmp_path)
    path.write_bytes(with_facts(path.read_bytes(), format=3))
    said: list[str] = []
    kept = CheckpointFolder(Folder(tmp_path), said.append)
    assert kept.load(ONE, "code-2") is None
    (line,) = said
    assert line.startswith("its checkpoint was made by code-1, not by code-2")


@pytest.mark.parametrize("path", FORMAT_1, ids=lambda path: path.name)
def test_a_file_of_the_first_format_is_read(path: Path) -> None:
    data = path.read_bytes()
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(arrays["facts"].tobytes())
    found = decoded(data, path.stem, facts["numerics_id"])
    names = ["w_in", "w_rec", "bias", "w_out", "bias_out"]
    assert set(found.state) == {*names, "totals"}
    assert same([found.state[n] for n in names], [arrays[n] for n in names])
    assert found.state["totals"] == facts["totals"]
    assert set(found.state["totals"]) >= {"updates", "clipped", "loss", "grad_norm_max"}
    assert same(list(found.checks), facts["checks"])
    assert len(found.checks) >= 20
    assert (found.update, found.diverged) == (facts["update"], facts["diverged"])
    assert glance(data) == (path.stem, facts["numerics_id"], found.update)
    assert all(found.state[n].flags.writeable for n in names)
    again = decoded(encoded(found, path.stem, "code-1"), path.stem, "code-1")
    assert equal(again, found)


def format_1(**facts: Any) -> bytes:
    """A file as rnnlab/checkpoint.py wrote it, put together by hand."""
    whole = {"trial_id": ONE, "numerics_id": "plain-1", "update": 7, **facts}
    arrays = {
        "facts": np.frombuffer(json.dumps(whole).encode(), dtype=np.uint8),
        "w_in": np.array([[np.nan, -0.0]], dtype=np.float32),
    }
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(
            f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes()
        )
    arrays["sha256"] = np.frombuffer(digest.digest(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def test_a_diverged_trial_of_the_first_format_is_read() -> None:
    checks = [{"update": 5, "loss": float("nan"), "errors": 3}]
    data = format_1(diverged=True, totals={"loss": float("-inf")}, checks=checks)
    found = decoded(data, ONE, "plain-1")
    weights = np.array([[np.nan, -0.0]], dtype=np.float32)
    state = {"w_in": weights, "totals": {"loss": float("-inf")}}
    assert equal(found, Position(7, state, tuple(checks), diverged=True))


def test_a_file_of_the_first_format_that_lacks_a_fact_is_damaged() -> None:
    with pytest.raises(ValueError, match=r"damaged.*totals"):
        decoded(format_1(diverged=False, checks=[]), ONE, "plain-1")


def test_the_file_is_an_npz_whose_facts_any_program_can_read(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    with np.load(path, allow_pickle=False) as file:
        facts = json.loads(file["facts"].tobytes())
        (weights,) = (file[n] for n in file.files if file[n].shape == (6, 10))
    assert facts["checks"] == list(POSITION.checks)
    assert (facts["format"], facts["trial_id"], facts["update"]) == (2, ONE, 17)
    assert same(weights, POSITION.state["weights"])


def test_numbers_of_numpy_in_a_check_come_back_as_python_numbers() -> None:
    check = {"update": np.int64(3), "loss": np.float32(0.1), "solved": np.True_}
    found = decoded(encoded(Position(3, None, (check,)), ONE, "code-1"), ONE, "code-1")
    expected = {"update": 3, "loss": float(np.float32(0.1)), "solved": True}
    assert same(list(found.checks), [expected])


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"loss": 1.0}, r'checks\[0\] has no "update".*Add the number of updates'),
        ({"update": 1, "w": [1]}, r'checks\[0\]\["w"\] is a list, .* Keep numbers'),
        ({"update": 1, "w": np.zeros(2)}, r'checks\[0\]\["w"\] is a ndarray'),
        ({"update": 1, "z": np.complex64(1)}, r'checks\[0\]\["z"\] is a complex'),
        ({"update": 1, 2: 1}, r"checks\[0\]\[2\] has a name that is not a string"),
    ],
)
def test_a_check_that_cannot_be_kept_is_refused(check: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        encoded(Position(3, None, (check,)), ONE, "code-1")


def test_large_weights_are_stored_and_zeros_are_deflated() -> None:
    weights = np.random.default_rng(0).standard_normal(500_000, dtype=np.float32)
    size = len(encoded(Position(1, weights), ONE, "code-1"))
    assert weights.nbytes < size < weights.nbytes + 2000
    assert len(encoded(Position(1, np.zeros_like(weights)), ONE, "code-1")) < 20_000
    checks = tuple({"update": i, "loss": 1 / (i + 1)} for i in range(1000))
    plain = len(json.dumps(checks))
    assert len(encoded(Position(1, None, checks), ONE, "code-1")) < plain / 2


def test_torch_is_not_imported_for_a_state_without_tensors() -> None:
    program = (
        "import sys, numpy as np\n"
        "from sweeps.store.checkpoints import Position, decoded, encoded\n"
        "state = {'w': np.ones(3), 'rng': np.random.default_rng(0)}\n"
        "decoded(encoded(Position(1, state), 'a', 'b'), 'a', 'b')\n"
        "try: encoded(Position(1, {1, 2}), 'a', 'b')\n"
        "except TypeError: pass\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
