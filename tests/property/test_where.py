"""`--where` means what Python would mean, and refuses everything else."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import trial

from rnnlab import TemporalOrder, Trial
from sweeps.errors import UnknownNameError, WhereError
from sweeps.where import parse, select

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
        ]
    ),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=6,
)


@given(expressions)
def test_a_selection_is_what_python_would_select(text: str) -> None:
    def python(each: Trial) -> bool:
        names = {name: getattr(each, name) for name in ("seed", "lr", "init", "clip_norm")}
        task = SimpleNamespace(length=each.task.length)
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
        "\0",
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "near"),
    [("lenght < 5", "length"), ("task.lenght < 5", "task.length"), ("sed == 1", "seed")],
)
def test_a_misspelt_column_names_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean {near}"):
        parse(text)


def test_one_trial_is_selected_by_its_id() -> None:
    assert select(TRIALS, f"trial_id == '{TRIALS[3].trial_id}'") == [TRIALS[3]]
    assert select([trial()], None) == [trial()]


def test_comparing_none_by_size_holds_for_no_trial() -> None:
    assert all(each.clip_norm == 1.0 for each in select(TRIALS, "clip_norm > 0.5"))
