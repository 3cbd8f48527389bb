"""The page of claims: every claim of the paper is there, and no verdict without a table."""

import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from small import result, store

from rnnlab import Outcome
from sweeps.claims.claim import Claim, Finding
from sweeps.cli import call
from sweeps.errors import SweepError
from sweeps.report.claims_page import JudgedClaim, facts, judged, page, write_claims
from sweeps.spec.experiment_file import load_experiment, names
from sweeps.spec.selection import Selection, resolve
from sweeps.spec.where import select
from sweeps.storage.folder import Folder

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


def row(folder: Path, number: str) -> JudgedClaim:
    rows = {each.claim.number: each for each in judged(Folder(folder))}
    return rows[number]


def test_every_claim_of_the_paper_has_a_row_from_the_start(tmp_path: Path) -> None:
    rows = judged(Folder(tmp_path))
    assert " ".join(each.claim.number for each in rows) == (
        "1a 1b 1c 1d 1e 1f 2a 2b 2c 3a 3b 3c 3d 3e 3f 3g 3h 4a 4b 4c 5a 5b 5c 5d 5e 6a 6b 7 8 9"
    )
    assert {each.finding.verdict for each in rows} == {"not run yet"}
    assert not any(each.table or each.finding.ours for each in rows)


def test_every_claim_of_an_experiment_has_trials_and_its_command(tmp_path: Path) -> None:
    rows = {each.claim.number: each for each in judged(Folder(tmp_path))}
    for name in names():
        experiment = load_experiment(name)
        for claim in experiment.claims:
            words = shlex.split(rows[claim.number].command)
            assert words[:3] == ["sweep", "run", name]
            assert words[3:] == (["--where", claim.where] if claim.where else [])
            assert select(experiment.sweep.trials, claim.where)


def test_a_table_gives_a_verdict_and_its_hash(tmp_path: Path) -> None:
    digest = run(tmp_path, ["solved"] * 20)
    found = row(tmp_path, "3e")
    assert found.finding == Finding("20 of 20 solved (84 to 100 %)", "reproduced")
    assert found.table == digest
    assert found.command == f'sweep run pathological --where "{MEMORISED}" --budget 2000'
    assert row(tmp_path, "3f").finding.verdict == "not run yet"


def test_trials_that_were_not_run_take_back_a_verdict(tmp_path: Path) -> None:
    run(tmp_path, ["solved"] * 19)
    finding = row(tmp_path, "3e").finding
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
    found = row(tmp_path, "3e")
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
    found = row(tmp_path, "3e")
    assert (found.finding.verdict, found.so_far) == ("partly", False)


def test_the_command_trains_what_the_verdict_rests_on(tmp_path: Path) -> None:
    """Also where the last trial to end diverged between two checks."""
    trials = select(load_experiment("pathological").sweep.trials, MEMORISED)
    ends: list[tuple[Outcome, int]] = [("solved", 2000), ("diverged", 2345)]
    of = store(tmp_path / "pathological")
    of.commit([(t, result(t, at, how)) for t, (how, at) in zip(trials, ends, strict=False)])
    _, _, *words = shlex.split(row(tmp_path, "3e").command)
    experiment, _, where, _, budget = words
    chosen = resolve(
        Selection(
            experiment=experiment, where=where, budget=int(budget), results=str(tmp_path)
        )
    )
    assert (chosen.trials, chosen.budget) == (trials, 4000)


def test_the_page_has_the_remarks_of_claims_that_differ(tmp_path: Path) -> None:
    claim = Claim(
        number="1", source="Section 1", says="it rains", paper="a lot", remark="Sun."
    )
    rows = [
        JudgedClaim(replace(claim, number=str(k)), Finding("", verdict), "", "f" * 64)
        for k, verdict in enumerate(("reproduced", "partly", "not", "not run yet"))
    ]
    written = page(rows)
    assert (
        "4 rows: 1 reproduced, 1 partly, 1 not, 1 not run yet; 0 of these verdicts are so far."
        in written
    )
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
    printed = json.loads(capsys.readouterr().out)
    found = {each["number"]: each for each in printed["claims"]}
    assert found["3e"]["verdict"] == "reproduced"
    assert found["3e"]["table_sha256"] == digest
    assert found["9"]["table_sha256"] == ""


def test_results_that_came_after_the_table_are_judged(tmp_path: Path) -> None:
    """A run that was killed left its parts, and the table of the run before."""
    digest = run(tmp_path, ["solved"])
    _, second, *_ = select(load_experiment("pathological").sweep.trials, MEMORISED)
    of = store(tmp_path / "pathological")
    of.commit([(second, result(second, 2000, "solved"))])
    found = row(tmp_path, "3e")
    assert found.finding.ours.startswith("2 of 2 solved")
    assert found.table != digest
    of.compact()
    data = (tmp_path / "pathological" / "table.parquet").read_bytes()
    assert found.table == hashlib.sha256(data).hexdigest()


def test_a_page_that_cannot_be_written_is_reported_with_a_remedy(tmp_path: Path) -> None:
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
    monkeypatch.setattr("sweeps.claims.untested_claims.UNCLAIMED", (bad,))
    with pytest.raises(SweepError, match="like 3 or 3b, not 'x'"):
        judged(Folder(tmp_path))
