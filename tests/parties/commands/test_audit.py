"""``vfl audit``: exit codes, and what is written where."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.contracts.contract_store import ContractStore
from parties.storage import database


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def test_a_flipped_byte_is_named_with_exit_code_1(pair: Any) -> None:
    """The acceptance in small: whole, then one byte of one field, then named."""
    pair.score()
    assert run("verify", pair.bank.directory).exit_code == 0
    with sqlite3.connect(pair.bank.directory / "state" / "party.sqlite") as connection:
        connection.execute("UPDATE ledger_entries SET kind = 'OpenScorinf' WHERE entry = 2")
    result = run("verify", pair.bank.directory)
    assert result.exit_code == 1
    assert "entry 2 was changed" in result.output
    assert json.loads(run("verify", pair.bank.directory, "--json").output)["findings"][0]["entry"] == 2


def test_a_job_is_shown_with_what_it_reveals(pair: Any) -> None:
    """Each message of a job, as a table for people and as JSON."""
    job = pair.score()
    shown = run("show", pair.bureau.directory, "--job", job)
    assert "exactly who is scored" in shown.output
    lines = json.loads(run("show", pair.bureau.directory, "--job", job, "--json").output)
    assert [line["kind"] for line in lines] == ["OpenScoring", "AskDirections", "CloseScoring", "CloseLedger"]
    assert "has no such message" in run("show", pair.bureau.directory, "--job", "unknown").output


def test_messages_are_shown_with_their_contract(pair: Any) -> None:
    """The proposal and the job that it led to, by the first digits of the contract."""
    pair.score()
    (kept,) = ContractStore(database.connect(pair.bureau)).all()
    name = kept.digest.hex()
    lines = json.loads(run("show", pair.bureau.directory, "--contract", name[:8], "--json").output)
    assert [line["kind"] for line in lines][:2] == ["ProposeContract", "OpenScoring"]
    assert {line["contract"] for line in lines} == {name}
    assert run("show", pair.bureau.directory, "--contract", name[:8]).output.count(f" {name[:12]} ") == 5


def test_exports_are_private_files(pair: Any, tmp_path: Path) -> None:
    """JSON and HTML, readable by their owner only; another ending is refused."""
    pair.score()
    for name in ("ledger.json", "processing.html"):
        result = run("export", pair.bank.directory, "--out", tmp_path / name, "--peer", "bureau")
        assert "1 jobs, 5 entries" in result.output
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert run("verify", pair.bureau.directory, "--against", tmp_path / "ledger.json").exit_code == 0
    refused = run("export", pair.bank.directory, "--out", tmp_path / "ledger.txt")
    assert refused.exit_code == 1
    assert ".json or .html" in refused.output
