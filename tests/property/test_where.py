"""`--where` means what Python would mean, and refuses everything else."""

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import trial

from rnnlab import TemporalOrder, Trial
from sweeps.errors import UnknownNameError, WhereError
from sweeps.spec.where import parse, select
from sweeps.store.columns import Columns

TYPES = Columns(Trial).trial_types()
TRIALS = [
    Trial(task=TemporalOrder(length=length), init=init, seed=seed, clip_norm=clip)
    for length in (50, 100)
    for init in ("sigmoid", "smart_tanh")
    for seed in (0, 1)
    for clip in (None, 1.0)
]

comparisons = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["seed", "length", "task.length", "lr"]),
        st.sampled_from(["<", "<=", "==", "!=", ">", ">="]),
        st.sampled_from(["0", "1", "50", "100", "0.01", "75.5", "-1"]),
    ),
    st.builds(
        "init {} {!r}".format,
        st.sampled_from(["==", "!="]),
        st.sampled_from(["sigmoid", "smart_tanh"]),
    ),
    st.sampled_from(
        [
            "clip_norm == None",
            "None != clip_norm",
            "0 <= seed < 1",
            "50 < length <= 100",
            "seed in (0, 5)",
            "init not in ['sigmoid']",
            "repair_nonfinite == False",
            "clip_norm in (None, 5)",
            "clip_norm not in [1.0, 2]",
            'init == "sigmoid"',
            "task.kind == 'TemporalOrder'",
            "0 == seed != 1",
            "seed in ()",
            "lr == +1e-2",
        ]
    ),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("{} or {} and {}".format, inner, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("  ( {} )\t".format, inner),
    ),
    max_leaves=6,
)


@given(expressions)
def test_a_selection_is_what_python_would_select(text: str) -> None:
    def python(each: Trial) -> bool:
        names = {name: getattr(each, name) for name in ("seed", "lr", "init", "clip_norm")}
        task = SimpleNamespace(length=each.task.length, kind="TemporalOrder")
        names |= {"length": task.length, "task": task, "repair_nonfinite": False}
        return bool(eval(text, {}, names))  # the oracle; the package never does this

    assert select(TRIALS, text) == [each for each in TRIALS if python(each)]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: True)()",
        "[x for x in (1,)]",
        "seed + 1 == 2",
        "seed == seed",
        "1 == 1",
        "init.upper() == 'SIGMOID'",
        "init == sigmoid",
        "init == 'sig' 'moid' + ''",
        "seed is None",
        "seed",
        "True",
        "",
        " ",
        "seed ==",
        "seed = 1",
        "seed == 'one'",
        "init == 3",
        "repair_nonfinite == 1",
        "seed in 5",
        "seed == (1, 2)",
        "not",
        "f'{seed}' == '1'",
        "(" * 300 + "seed" + ")" * 300,
        "seed == 1 if True else 2",
        "(seed := 1) == 1",
        "seed == 1\nseed == 2",
        "seed == 1;",
        "'seed' == 1",
        "init in 'sigmoid'",
        "seed in {0: 1}",
        "seed in (0, *(1,))",
        "1 < 2 < seed",
        "task['length'] == 50",
        "seed == 1 or open('x')",
        "seed == 1 and seed",
        "lr == nan",
        "lr == 1 + 2j",
        "init == b'sigmoid'",
        "seed == True",
        "await seed",
        "...",
        "\ud800",
        "\0",
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse(text, TYPES)
    assert "\n" not in str(caught.value)


def test_what_is_refused_is_never_executed(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    call = f"__import__('pathlib').Path({str(touched)!r}).touch()"
    for text in (call, f"seed == {call}", f"seed in [{call}]", f"not {call}"):
        with pytest.raises(WhereError):
            select(TRIALS, text)
    assert not touched.exists()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 150 + "seed" + ")" * 150,
        "not " * 1500 + "seed == 1",
        "not " * 3000 + "seed == 1",
        "0 < " * 3000 + "seed",
        "task" + ".x" * 20,
        "task" + ".x" * 500,
        "seed == " + "-" * 500 + "1",
        "task" + "[0]" * 2000,
        "0x" + "f" * 6000,
    ],
    ids=lambda text: f"{text[:9]} {len(text)}",
)
def test_what_is_nested_too_deeply_is_refused_like_the_rest(text: str) -> None:
    with pytest.raises((WhereError, UnknownNameError)):
        parse(text, TYPES)


def test_what_is_nested_in_many_ways_is_selected_by_or_refused() -> None:
    for depth in range(50, 200, 5):
        text = "seed == 1"
        for level in range(depth):
            text = (
                f"(seed == {1 - level % 2} {('and', 'or')[level % 2]} {'not ' * 4}{text})"
            )
        found: list[Trial] = []
        with suppress(WhereError):
            found = select(TRIALS, text)
        assert set(found) <= set(TRIALS)


@pytest.mark.parametrize("depth", [10, 100, 300])
def test_what_is_nested_deeply_is_read(depth: int) -> None:
    ones = select(TRIALS, "not " * depth + "seed == 1")
    assert {each.seed for each in ones} == {1}
    assert select(TRIALS, " or ".join(["seed == 1"] * depth * 10)) == ones


@pytest.mark.parametrize(
    ("text", "near"),
    [("lenght < 5", "length"), ("task.lenght < 5", "task.length"), ("sed == 1", "seed")],
)
def test_a_misspelt_column_names_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean {near}"):
        parse(text, TYPES)


def test_one_trial_is_selected_by_its_id() -> None:
    assert select(TRIALS, f"trial_id == '{TRIALS[3].trial_id}'") == [TRIALS[3]]
    assert select([trial()], None) == [trial()]


def test_comparing_none_by_size_holds_for_no_trial() -> None:
    assert all(each.clip_norm == 1.0 for each in select(TRIALS, "clip_norm > 0.5"))
