"""The page of claims: every claim of the paper is there, and no verdict without a table."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from small import result, store

from rnnlab import Outcome
from sweeps.claims import Claim, Finding
from sweeps.claims_page import Row, facts, judged, page, write_claims
from sweeps.cli import call
from sweeps.errors import SweepError
from sweeps.experiment import load_experiment, names
from sweeps.folder import Folder
from sweeps.where import select

MEMORISED = "task.kind == 'Memorisation' and positions == 5"


def run(folder: Path, outcomes: list[Outcome], where: str = MEMORISED) -> str:
    """Put made-up results of the first trials of a claim into a store; give the table's hash."""
    trials = select(load_experiment("pathological").sweep.trials, where)
    of = store(folder / "pathological")
    pairs = zip(trials, outcomes, strict=False)
    of.commit([(each, result(each, 2000, outcome)) for each, outcome in pairs])
    of.compact()
    data = (folder / "pathological" / "table.parquet").read_bytes()
    return hashlib.sha256(data).hexdigest()


def row(folder: Path, number: str) -> Row:
    rows = {each.claim.number: each for each in judged(Folder(folder))}
    return rows[number]


def test_every_claim_of_the_paper_has_a_row_from_the_start(tmp_path: Path) -> None:
    rows = judged(Folder(tmp_path))
    numbers = [each.claim.number for each in rows]
    assert {re.sub(r"\D", "", number) for number in numbers} == set("123456789")
    assert len(numbers) == len(set(numbers))
    assert numbers == sorted(numbers)
    assert {each.finding.verdict for each in rows} == {"not run yet"}
    assert not any(each.table or each.finding.ours for each in rows)


def test_every_claim_of_an_experiment_has_trials_and_a_command(tmp_path: Path) -> None:
    commands = {each.command for each in judged(Folder(tmp_path)) if each.claim.judge}
    assert len(commands) > 10
    for name in names():
        experiment = load_experiment(name)
        for claim in experiment.claims:
            assert select(experiment.sweep.trials, claim.where)
            assert any(f"sweep run {name}" in command for command in commands)


def test_a_table_gives_a_verdict_and_its_hash(tmp_path: Path) -> None:
    digest = run(tmp_path, ["solved"] * 20)
    found = row(tmp_path, "3f")
    assert found.finding == Finding("20 of 20 solved (84 to 100 %)", "reproduced")
    assert found.table == digest
    assert found.command == f'sweep run pathological --where "{MEMORISED}" --budget 2000'
    assert row(tmp_path, "3g").finding.verdict == "not run yet"


def test_trials_that_were_not_run_take_back_a_verdict(tmp_path: Path) -> None:
    run(tmp_path, ["solved"] * 19)
    finding = row(tmp_path, "3f").finding
    assert finding.verdict == "partly"
    assert finding.ours.endswith("; 1 trial not run yet")


@pytest.mark.parametrize(
    ("outcomes", "so_far"),
    [
        (["solved"] * 20, False),
        (["solved"] * 19, True),
        ([*["solved"] * 19, "unsolved"], True),
    ],
)
def test_a_verdict_that_more_training_might_change_is_so_far(
    tmp_path: Path, outcomes: list[Outcome], so_far: bool
) -> None:
    run(tmp_path, outcomes)
    found = row(tmp_path, "3f")
    assert found.so_far == so_far
    written = page([found])
    assert ("** so far |" in written) == so_far
    assert facts([found])[0]["so_far"] == so_far


def test_a_trial_that_had_the_papers_updates_is_no_longer_so_far(tmp_path: Path) -> None:
    (trial, *others) = select(load_experiment("pathological").sweep.trials, MEMORISED)
    of = store(tmp_path / "pathological")
    unsolved = replace(result(trial, 2000), updates=5_000_000)
    of.commit(
        [(trial, unsolved), *((each, result(each, 2000, "solved")) for each in others)]
    )
    of.compact()
    found = row(tmp_path, "3f")
    assert (found.finding.verdict, found.so_far) == ("partly", False)


def test_the_command_trains_what_the_verdict_rests_on(tmp_path: Path) -> None:
    run(tmp_path, ["solved"])
    words = re.findall(r'"[^"]+"|\S+', row(tmp_path, "3f").command)
    assert (
        call(["plan", *(w.strip('"') for w in words[2:]), "--results", str(tmp_path)]) == 0
    )


def test_the_page_has_the_remarks_of_claims_that_differ(tmp_path: Path) -> None:
    claim = Claim(
        number="1", source="Section 1", says="it rains", paper="a lot", remark="Sun."
    )
    rows = [
        Row(replace(claim, number=str(k)), Finding("", verdict), "", "f" * 64)
        for k, verdict in enumerate(("reproduced", "partly", "not", "not run yet"))
    ]
    written = page(rows)
    assert "4 claims: 1 reproduced, 1 partly, 1 not, 1 not run yet." in written
    assert re.findall(r"- \*\*(\d)\*\* Sun.", written) == ["1", "2"]
    assert "Where we differ" not in page(rows[:1])


def test_the_page_is_made_again_from_the_results_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, ["solved", "unsolved"])
    assert call(["claims", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(f"{tmp_path}/claims.md\n")
    first = (tmp_path / "claims.md").read_bytes()
    write_claims(str(tmp_path))
    assert (tmp_path / "claims.md").read_bytes() == first
    assert "1 of 2 solved (9 to 91 %)" in first.decode()


def test_claims_for_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = run(tmp_path, ["solved"] * 20)
    assert call(["claims", "--results", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = {each["number"]: each for each in told["claims"]}
    assert found["3f"]["verdict"] == "reproduced"
    assert found["3f"]["table_sha256"] == digest
    assert found["9"]["table_sha256"] == ""


def test_a_damaged_table_is_told_with_a_remedy(tmp_path: Path) -> None:
    run(tmp_path, ["solved"])
    (tmp_path / "pathological" / "table.parquet").write_bytes(b"PAR1")
    with pytest.raises(SweepError, match=r"table.parquet is damaged .* derives it again"):
        judged(Folder(tmp_path))


def test_a_page_that_cannot_be_written_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "claims.md").mkdir()
    with pytest.raises(SweepError, match="another with --results DIR"):
        write_claims(str(tmp_path))


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(
        SweepError, match=r"no results in .* Train first: sweep run figure7"
    ):
        write_claims(str(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_a_number_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Claim(number="x", source="", says="", paper="")
    monkeypatch.setattr("sweeps.unclaimed.UNCLAIMED", (bad,))
    with pytest.raises(SweepError, match="like 3 or 3b, not 'x'"):
        judged(Folder(tmp_path))
