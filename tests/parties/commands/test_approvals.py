"""Work that waits for people, as it is typed at both parties: it goes on where it stood, under its name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from parties.commands.cli import main
from parties.config import Config
from parties.contracts.contract_store import ContractStore
from parties.storage import database


class Typed(NamedTuple):
    """What is typed at the bank and at the bureau, whose people approve every contract."""

    bank: Path
    bureau: Config

    def runs(self, command: str, *options: str, process: bool = False) -> Any:
        """Type a command at the bank, in a process of its own if so; return its result."""
        words = [command, str(self.bank), *options, "--json"]
        if process:
            done = subprocess.run(
                [sys.executable, "-m", "parties", *words], capture_output=True, text=True, check=True
            )
            return json.loads(done.stdout)
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def waits(self, command: str, *options: str) -> str:
        """Type a command that has to wait; return the contract, as the bank is told to have it approved."""
        result = CliRunner().invoke(main, [command, str(self.bank), *options])
        assert result.exit_code == 1
        told = result.output
        assert "waits for people at bureau: they run `vfl contracts approve DIR " in told
        assert "then run this command again" in told
        return told.split("vfl contracts approve DIR ")[1].split("`")[0]

    def approve(self, contract: str) -> dict[str, Any]:
        """Approve a contract at the bureau; return what its people saw before."""
        seen = CliRunner().invoke(main, ["contracts", "show", str(self.bureau.directory), contract, "--json"])
        done = CliRunner().invoke(main, ["contracts", "approve", str(self.bureau.directory), contract])
        assert done.exit_code == 0, done.output
        facts: dict[str, Any] = json.loads(seen.stdout)
        return facts

    def contracts(self) -> int:
        return len(ContractStore(database.connect(self.bureau)).all())


@pytest.fixture
def typed(
    make_party: Any, bank: Config, grant: Any, serve: Callable[[Config], str], join: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Typed:  # fmt: skip
    monkeypatch.setenv("VFL_PASSWORD", "test")
    limits = {"min_rows": 50, "min_bin_rows": 20, "max_directions": 2}
    bureau = grant(make_party("bureau", "feature"), bank, approvals=1, limits=limits)
    return Typed(join(bank, bureau, serve(bureau)).directory, bureau)


def test_every_command_goes_on_under_the_name_that_was_approved(typed: Typed) -> None:
    """Aligning, binning, a linear training (run again by a new process) and trees, each after an approval."""
    typed.approve(typed.waits("align"))
    alignment = typed.runs("align")["alignment"]

    binning = ("bin", "--param", "max_bins=3", "--param", "min_iv=0")
    facts = typed.approve(typed.waits(*binning))
    assert (facts["action"], facts["alignment"]) == ("bin", alignment)
    made = typed.runs(*binning)["record"]["binning"]
    assert made == facts["binning"]

    linear = ("train", "--algorithm", "linear", "--binning", made, "--param", "max_iter=4")
    facts = typed.approve(typed.waits(*linear))
    assert (facts["algorithm"], facts["binning"], facts["terms"]["rounds"]) == ("linear", made, 4)
    assert typed.runs(*linear, process=True)["model"] == facts["model"]

    trees = ("train", "--param", "n_estimators=2", "--param", "max_depth=2")
    facts = typed.approve(typed.waits(*trees))
    assert (facts["algorithm"], facts["terms"]["trees"]) == ("trees", 2)
    assert typed.runs(*trees)["model"] == facts["model"]
    assert typed.contracts() == 4, "one each, however often a command was run"


def test_a_command_that_is_run_while_it_waits_proposes_nothing_else(typed: Typed) -> None:
    """The same contract is told of again, also by a new process; other terms are another contract."""
    typed.approve(typed.waits("align"))
    typed.runs("align")
    first = typed.waits("bin")
    again = subprocess.run(
        [sys.executable, "-m", "parties", "bin", str(typed.bank)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert first in again.stderr
    linear = ("train", "--algorithm", "linear", "--param", "max_iter=4")
    assert typed.waits(*linear) == typed.waits(*linear)
    more = typed.waits("train", "--algorithm", "linear", "--param", "max_iter=5")
    assert more not in (first, typed.waits(*linear))
    assert typed.contracts() == 4


def test_what_was_made_under_a_made_up_name_is_not_made_again(typed: Typed) -> None:
    """A command that is run once more after it was done waits for a contract of its own."""
    typed.approve(typed.waits("align"))
    typed.runs("align")
    binning = ("bin", "--param", "min_iv=0")
    first = typed.waits(*binning)
    typed.approve(first)
    typed.runs(*binning)
    second = typed.waits(*binning)
    assert second != first
    assert typed.approve(second)["binning"] == typed.runs(*binning)["record"]["binning"]
