"""``vfl check``: the whole report, and an exit code for programs."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from parties.commands.cli import main
from parties.config import Config


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_check_tells_by_its_exit_code(bank: Config) -> None:
    """Usable data is exit code 0; data that cannot be used is 1, with the whole report as JSON."""
    assert run("check", bank.directory).exit_code == 0
    Path(bank.data.source).write_text("customer_id,age,default\nC1,old,1\nC1,3,0\n")
    result = run("check", bank.directory, "--json")
    assert result.exit_code == 1
    assert {problem["column"] for problem in json.loads(result.output)["problems"]} == {"age", "customer_id"}
