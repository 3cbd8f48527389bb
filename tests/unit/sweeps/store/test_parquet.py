"""A schema that may grow: old tables keep their bytes, and are read as if they had the new."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from methods import Constant, Halving, Momentum, Sgd
from small import RECURRENT, Walk, path_of, result, store, table_bytes, trial

from rnnlab import Trial
from sweeps.errors import StoreError
from sweeps.spec.trial_type import type_of
from sweeps.storage.folder import Folder
from sweeps.store.columns import Columns
from sweeps.store.parquet import Schema, parsed, serialised
from sweeps.store.repair import repair
from sweeps.store.result import Result
from sweeps.store.standing import Outcome
from sweeps.store.store import Store
from sweeps.store.trial_id import id_of

RESULTS = Path(__file__).parents[4] / "results"
TABLES = sorted(RESULTS.glob("*/table.parquet"))
COLUMNS = RECURRENT.columns
Later: Any = make_dataclass(
    "Trial",
    [("momentum", float, field(default=0.0))],
    bases=(Trial,),
    frozen=True,
    kw_only=True,
)
"""rnnlab's trial as it may be one day: with one field more."""
LATER = Columns(Later, COLUMNS.result, COLUMNS.check, COLUMNS.always)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_the_committed_tables_are_written_again_with_the_same_bytes(path: Path) -> None:
    data = path.read_bytes()
    for columns in (COLUMNS, LATER):
        schema = Schema(columns, "results")
        assert schema.serialised(schema.conformed(parsed(data))) == data


def test_there_are_committed_tables() -> None:
    assert len(TABLES) >= 5


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_an_old_table_is_read_as_if_it_had_the_later_field(path: Path) -> None:
    data = path.read_bytes()
    today = Schema(COLUMNS, "results").conformed(parsed(data))
    later = Schema(LATER, "results").conformed(parsed(data))
    assert later["momentum"].to_pylist() == [0.0] * len(today)
    assert later.drop_columns(["momentum"]).equals(today)
    names = later.column_names
    assert names.index("momentum") == names.index("outcome") - 1


def later(seed: int, momentum: float = 0.0) -> Any:
    one = trial(seed)
    given = {name: getattr(one, name) for name in ("task", "hidden", "check_every", "lr")}
    return Later(**given, seed=seed, momentum=momentum)


def test_a_later_field_at_its_default_changes_no_id_and_no_byte(tmp_path: Path) -> None:
    old, new = store(tmp_path / "old"), Store(Folder(tmp_path / "new"), LATER)
    for seed in range(3):
        assert id_of(later(seed)) == id_of(trial(seed))
        old.commit([(trial(seed), result(trial(seed)))])
        new.commit([(later(seed), result(trial(seed)))])
    assert old.parts.names() == new.parts.names()
    assert table_bytes(new) == table_bytes(old)


def test_a_later_field_off_its_default_is_written(tmp_path: Path) -> None:
    kept = Store(Folder(tmp_path), LATER)
    one, other = later(1), later(2, momentum=0.9)
    assert id_of(other) != id_of(trial(2))
    store(tmp_path).commit([(trial(1), result(trial(1)))])
    kept.commit([(other, replace(result(trial(2)), trial_id=id_of(other)))])
    written = parsed(Path(kept.compact()).read_bytes())
    assert "momentum" in written.column_names
    found = {r["trial_id"]: r["momentum"] for r in kept.read().to_pylist()}
    assert found == {id_of(one): 0.0, id_of(other): 0.9}


class Trains:
    """The methods that make a dataclass a trial; it is not trained here."""

    def start(self, device: str) -> None:
        raise NotImplementedError

    advance = check = start


@dataclass(frozen=True, kw_only=True)
class Fit(Trains):
    """A trial with everything that a field may hold."""

    data: str = "a"
    check_every: int = 10
    method: Sgd | Momentum = field(default_factory=Sgd)
    warmup: Constant | None = None
    sizes: tuple[int, ...] = (3, 4)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class OldFit(Trains):
    """The same before it knew methods."""

    data: str = "a"
    check_every: int = 10
    seed: int = 0


OldFit.__name__ = Fit.__name__  # ids are hashes of the class's name, too


def measured(
    of: Any, updates: int = 20, outcome: Outcome = "unsolved", **values: Any
) -> Result:
    """A made-up result of a user's trial."""
    values = values or {"loss": 0.5}
    at = range(10, updates + 1, 10)
    return Result(
        trial_id=id_of(of),
        outcome=outcome,
        updates=updates,
        summary=values,
        engine=None,
        numerics_id="Fit-000000000000",
        checks=tuple({"update": update, **values} for update in at),
    )


def columns_of(kept: Store) -> list[str]:
    """The columns that a store's table has on the disk."""
    return parsed(table_bytes(kept)).column_names


def rows_of(kept: Store) -> dict[int, dict[str, Any]]:
    return {row["seed"]: row for row in kept.read().to_pylist()}


FITS = [
    Fit(seed=1, method=Momentum(), sizes=(1, 2)),
    Fit(seed=2, method=Momentum(0.5, Halving(every=7))),
    Fit(seed=3, warmup=Halving()),
    Fit(seed=4, warmup=Constant(0.3), sizes=()),
    Fit(data="b"),
]


def test_nested_dataclasses_and_unions_are_read_back(tmp_path: Path) -> None:
    kept = store(tmp_path, Fit)
    for one in FITS:
        kept.commit([(one, measured(one))])
    found = rows_of(kept)
    for one in FITS:
        of_it = type_of(Fit).columns.known_fields(found[one.seed])
        assert {"trial_id": id_of(one), **of_it} == type_of(Fit).columns.of_trial(one)


def test_a_column_at_its_default_in_every_row_is_not_written(tmp_path: Path) -> None:
    kept = store(tmp_path, Fit)
    kept.commit([(one, measured(one)) for one in (Fit(seed=1), Fit(seed=2))])
    last = ["outcome", "updates", "loss", "numerics_id"]
    assert columns_of(kept) == ["trial_id", "seed", *last]
    assert kept.read().column_names == [
        "trial_id",
        *type_of(Fit).columns.trial_types(),
        "outcome",
        "updates",
        "loss",
        "engine",
        "numerics_id",
    ]
    assert rows_of(kept)[1]["method.kind"] == "Sgd"
    other = Fit(seed=3, method=Momentum())
    kept.commit([(other, measured(other))])
    assert columns_of(kept) == ["trial_id", "method.kind", "seed", *last]
    assert rows_of(kept)[3]["method.schedule.value"] == 0.1
    assert rows_of(kept)[1]["method.schedule.value"] is None


def test_a_field_without_a_default_is_always_written(tmp_path: Path) -> None:
    needy: Any = make_dataclass(
        "Needy", [("data", str), ("check_every", int, field(default=10))], frozen=True
    )
    columns = Columns(needy)
    kept = Store(Folder(tmp_path), columns)
    kept.commit([(needy("a"), measured(needy("a")))])
    assert "data" in columns_of(kept)


def test_fields_that_hold_dataclasses_may_be_added_later_too(tmp_path: Path) -> None:
    """Their default is what all earlier trials had; so it is with those in a tagged union."""
    old, new = store(tmp_path / "a", OldFit), store(tmp_path / "b", Fit)
    for seed in range(3):
        made = measured(Fit(seed=seed))
        old.commit([(OldFit(seed=seed), made)])
        new.commit([(Fit(seed=seed), made)])
    assert table_bytes(new) == table_bytes(old)
    again = Store(Folder(path_of(old)), type_of(Fit).columns)
    for row in again.read().to_pylist():
        assert (row["method.kind"], row["warmup.kind"]) == ("Sgd", None)
        assert (row["method.beta"], row["sizes"]) == (None, [3, 4])
    assert table_bytes(again) == table_bytes(old)


def test_a_default_that_is_not_its_classs_own_is_kept(tmp_path: Path) -> None:
    """Where the field's column is left out, its default is read; else its class's."""
    tuned: Any = make_dataclass(
        "Tuned",
        [
            ("method", Momentum, field(default=Momentum(0.5))),
            ("seed", int, field(default=0)),
            ("check_every", int, field(default=10)),
        ],
        frozen=True,
    )
    columns = Columns(tuned)
    for name, betas in (("one", [0.5]), ("class", [0.9]), ("both", [0.5, 0.9])):
        kept = Store(Folder(tmp_path / name), columns)
        for seed, beta in enumerate(betas):
            one = tuned(Momentum(beta), seed)
            kept.commit([(one, measured(one))])
        assert [rows_of(kept)[s]["method.beta"] for s in range(len(betas))] == betas


def test_what_was_measured_nowhere_is_no_column(tmp_path: Path) -> None:
    kept = store(tmp_path, Fit)
    first, second = Fit(seed=1), Fit(seed=2)
    kept.commit([(first, measured(first, loss=0.5, best=None))])
    assert "best" not in columns_of(kept)
    assert rows_of(kept)[1].get("best") is None
    kept.commit([(second, measured(second, loss=0.5, best=3))])
    assert [rows_of(kept)[seed]["best"] for seed in (1, 2)] == [None, 3]
    assert "best" in columns_of(kept)
    assert kept.history()["best"].to_pylist().count(3) == 2


def test_whole_and_other_numbers_join_to_one_column(tmp_path: Path) -> None:
    kept = store(tmp_path, Fit)
    for seed, loss in enumerate([1, 0.5, None]):
        one = Fit(seed=seed)
        kept.commit([(one, measured(one, loss=loss))])
    table = kept.read()
    assert table["loss"].type == pa.float64()
    assert [rows_of(kept)[seed]["loss"] for seed in range(3)] == [1.0, 0.5, None]
    assert kept.history()["loss"].type == pa.float64()


@pytest.mark.parametrize("values", [(1.5, "a"), (True, "a"), (2, "a")])
def test_words_and_numbers_in_one_column_are_refused_in_one_line(
    tmp_path: Path, values: Sequence[Any]
) -> None:
    apart, together = store(tmp_path / "apart", Fit), store(tmp_path / "b", Fit)
    pairs = [
        (Fit(seed=seed), measured(Fit(seed=seed), loss=value))
        for seed, value in enumerate(values)
    ]
    for pair in pairs:
        apart.commit([pair])
    for read in (apart.read, apart.history, apart.compact):
        with pytest.raises(StoreError, match="Results do not fit together") as caught:
            read()
        assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="A result cannot be written"):
        together.commit(pairs)
    assert repair(apart) == []
    assert len(apart.parts.names()) == 2


def with_lr(kind: type, default: Any) -> Any:
    return make_dataclass(
        "Fit",
        [
            ("lr", kind, field(default=default)),
            ("seed", int, field(default=0)),
            ("check_every", int, field(default=10)),
        ],
        frozen=True,
    )


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        (float, 0.5, str),
        (str, "a", float),
        (str, "7", float),
        (float, 0.5, int),
        (int, 3, str),
        (int, 1, bool),
        (bool, True, int),
        (tuple[int, ...], (1, 2), float),
        (tuple[int, ...], (1, 2), tuple[str, ...]),
    ],
)
def test_a_field_whose_type_has_changed_is_named_and_nothing_is_set_aside(
    tmp_path: Path, before: Any, value: Any, after: Any
) -> None:
    one = with_lr(before, None)(lr=value)
    old = Store(Folder(tmp_path), Columns(type(one)))
    old.commit([(one, measured(one))])
    old.compact()
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    new = Store(Folder(tmp_path), Columns(with_lr(after, None)))
    for act in (new.read, new.compact):
        with pytest.raises(
            StoreError, match=r"The results hold 'lr' as .*, but the trials"
        ):
            act()
    repair(new)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == files
    assert len(old.read()) == 1


def test_whole_numbers_in_what_is_a_float_today_are_read(tmp_path: Path) -> None:
    one = with_lr(int, 0)(lr=3)
    Store(Folder(tmp_path), Columns(type(one))).commit([(one, measured(one))])
    new = Store(Folder(tmp_path), Columns(with_lr(float, 0.0)))
    (row,) = new.read().to_pylist()
    assert (row["lr"], type(row["lr"])) == (3.0, float)


def test_a_field_that_is_gone_stays_a_column_before_the_outcome(tmp_path: Path) -> None:
    kept = store(tmp_path, Fit)
    for seed, loss in enumerate([1, 0.5]):
        one = Fit(seed=seed, data="b", sizes=(seed,))
        kept.commit([(one, measured(one, loss=loss))])
    (smaller,) = [Store(Folder(tmp_path), Columns(OldFit))]
    names = smaller.read().column_names
    gone = {"sizes"}
    assert gone <= set(names[: names.index("outcome")])
    assert set(names[names.index("updates") :]) == {
        "updates",
        "loss",
        "engine",
        "numerics_id",
    }


losses = st.one_of(
    st.none(), st.integers(-5, 5), st.sampled_from([0.5, -0.0, float("inf")])
)
notes = st.sampled_from([None, "a", "b"])
results = st.fixed_dictionaries({"loss": losses}, optional={"note": notes, "best": losses})
PACK = [Fit(seed=seed) for seed in range(2)] + FITS


@settings(max_examples=25)
@given(
    st.permutations(range(len(PACK))),
    st.lists(results, min_size=len(PACK), max_size=len(PACK)),
    st.sets(st.integers(1, len(PACK) - 1)),
    st.booleans(),
)
def test_the_table_of_own_trials_does_not_depend_on_how_it_is_cut_into_parts(
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int],
    values: list[Mapping[str, Any]],
    cuts: set[int],
    compacted_between: bool,
) -> None:
    pairs = [(one, measured(one, **found)) for one, found in zip(PACK, values, strict=True)]
    together = store(tmp_path_factory.mktemp("together"), Fit)
    together.commit(pairs)
    apart = store(tmp_path_factory.mktemp("apart"), Fit)
    edges = [0, *sorted(cuts), len(PACK)]
    for start, end in itertools.pairwise(edges):
        apart.commit([pairs[place] for place in order[start:end]])
        if compacted_between:
            apart.compact()
    assert table_bytes(apart) == table_bytes(together)
    assert apart.history().equals(together.history())


def test_what_a_trial_measured_at_a_smaller_budget_leaves_no_column(tmp_path: Path) -> None:
    one = Walk()
    raised, at_once = store(tmp_path / "raised", Walk), store(tmp_path / "once", Walk)
    raised.commit([(one, measured(one, 10, distance=0.5, extra="a"))])
    final = measured(one, 20, distance=0.25)
    raised.commit([(one, final)], committed=raised.standings())
    at_once.commit([(one, final)])
    assert table_bytes(raised) == table_bytes(at_once)


def test_bytes_that_are_no_table_are_refused_in_one_line() -> None:
    good = serialised(pa.table({"trial_id": ["a"]}))
    for data in (b"", b"PAR1", good[:-4], good[:20] + b"x" + good[21:]):
        with pytest.raises(ValueError, match=r"\w") as caught:
            parsed(data)
        assert "\n" not in str(caught.value)
