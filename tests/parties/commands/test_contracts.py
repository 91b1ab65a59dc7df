"""``vfl contracts``: people see what is proposed, and decide under their own names."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from parties import config as configuration
from parties.commands.cli import main
from parties.config import Config
from parties.contracts.contract_store import WAITING, ContractStore
from parties.contracts.verifier import ContractVerifier
from parties.data.rows import Source
from parties.keys import identity
from parties.storage import database
from vfl.errors import ConfigError, NotAllowed
from vfl.wire import contract_messages as m


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["contracts", *map(str, arguments)])


@pytest.fixture
def propose(bank: Config, bureau: Config, drafted: Callable[..., Any]) -> Callable[..., m.ContractAnswered]:
    """Proposes one contract to the bureau, as it is configured, once and again."""
    contract = drafted(bank, bureau, "align", alignment="a1")
    own = identity.load(bank)
    signed = m.Signature(bytes.fromhex(own.public), own.sign("contract", contract.digest()))

    def ask(needed: int) -> m.ContractAnswered:
        peer = msgspec.structs.replace(bureau.peers["bank"], approvals=needed)
        config = msgspec.structs.replace(bureau, peers={"bank": peer})
        request = m.ProposeContract(contract.to_bytes(), [signed])
        return ContractVerifier(config, database.connect(config), Source(config)).answer("bank", request)

    return ask


def waiting(bureau: Config) -> str:
    (kept,) = ContractStore(database.connect(bureau)).all()
    assert kept.state == WAITING
    return kept.digest.hex()[:12]


def test_what_waits_is_listed_shown_and_approved(bureau: Config, propose: Callable[..., Any]) -> None:
    """Without [approvers] whoever may open the directory decides, under the name of their account."""
    assert propose(1) == m.ContractAnswered("waiting", 1, b"")
    name = waiting(bureau)
    assert f"{name}  waiting  align   a1     bank  0 of 1" in run("list", bureau.directory).output
    facts = json.loads(run("show", bureau.directory, name, "--json").output)
    assert (facts["action"], facts["purpose"], facts["signed_by"]) == ("align", "fraud", ["bank"])
    user = pwd.getpwuid(os.getuid()).pw_name
    assert f"approved by {user}" in run("approve", bureau.directory, name).output
    assert propose(1).state == "signed"
    facts = json.loads(run("show", bureau.directory, name, "--json").output)
    assert (facts["state"], facts["approved_by"], facts["signed_by"].sort()) == ("signed", [user], None)
    assert run("approve", bureau.directory, name).exit_code == 1


def test_what_is_rejected_is_refused_from_then_on(bureau: Config, propose: Callable[..., Any]) -> None:
    """A rejection ends a contract, signed or not."""
    assert propose(0).state == "signed"
    (kept,) = ContractStore(database.connect(bureau)).all()
    assert run("reject", bureau.directory, kept.digest.hex()).exit_code == 0
    with pytest.raises(NotAllowed, match="rejected this contract"):
        propose(0)
    assert "rejected already" in run("reject", bureau.directory, kept.digest.hex()).output


def with_approvers(bureau: Config, tmp_path: Path, *names: str) -> None:
    file = bureau.directory / "party.toml"
    keys = {
        name: json.loads(run("key", tmp_path / f"{name}.pem", "--json").output)["public"] for name in names
    }
    lines = "".join(f'{name} = "{public}"\n' for name, public in keys.items())
    file.write_text(f"{file.read_text()}\n[approvers]\n{lines}")


def test_two_approvals_are_by_two_keys(bureau: Config, propose: Callable[..., Any], tmp_path: Path) -> None:
    """One person cannot approve twice, without a key, or with a key that is not named."""
    with_approvers(bureau, tmp_path, "alice", "bob")
    run("key", tmp_path / "mallory.pem")
    assert propose(2) == m.ContractAnswered("waiting", 2, b"")
    name = waiting(bureau)
    assert "give your key" in run("approve", bureau.directory, name).output
    mallory = run("approve", bureau.directory, name, "--key", tmp_path / "mallory.pem")
    assert "nobody's in [approvers]" in mallory.output
    alice = ("approve", bureau.directory, name, "--key", tmp_path / "alice.pem")
    assert "approved by alice; 1 more" in run(*alice).output
    assert "decided on this contract already" in run(*alice).output
    assert propose(2) == m.ContractAnswered("waiting", 1, b"")
    assert "approved by bob" in run("approve", bureau.directory, name, "--key", tmp_path / "bob.pem").output
    assert propose(2).state == "signed"


def test_an_approval_written_past_the_command_does_not_count(
    bureau: Config, propose: Callable[..., Any], tmp_path: Path
) -> None:
    """Where people have keys, only what they signed is theirs: a row in the database is not."""
    with_approvers(bureau, tmp_path, "alice")
    config = configuration.load(bureau.directory)
    assert config.approvers
    propose(1)
    contracts = ContractStore(database.connect(config))
    (kept,) = contracts.all()
    contracts.decide(kept.digest, "alice", "approved", bytes(64))
    peer = msgspec.structs.replace(config.peers["bank"], approvals=1)
    strict = msgspec.structs.replace(config, peers={"bank": peer})
    request = m.ProposeContract(
        kept.contract.to_bytes(),
        [m.Signature(bytes.fromhex(public), signature) for public, signature in kept.signatures.items()],
    )
    assert (
        ContractVerifier(strict, database.connect(strict), Source(strict)).answer("bank", request).state
        == "waiting"
    )


def test_two_approvals_need_two_names(bureau: Config) -> None:
    """A party that asks for two approvals names the people who may give them."""
    file = bureau.directory / "party.toml"
    file.write_text(file.read_text().replace("[peers.bank.limits]", "approvals = 2\n[peers.bank.limits]"))
    with pytest.raises(ConfigError, match=r"name them in \[approvers\]"):
        configuration.load(bureau.directory)


def test_a_label_party_decides_on_nothing(bank: Config, bureau: Config, drafted: Callable[..., Any]) -> None:
    """It proposes; the contracts in its directory are for others to sign."""
    contract = drafted(bank, bureau, "align", alignment="a1")
    ContractStore(database.connect(bank)).add("bureau", contract, state="proposed")
    assert "label party proposes" in run("reject", bank.directory, contract.digest().hex()[:8]).output
