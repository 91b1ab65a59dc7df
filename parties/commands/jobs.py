"""``vfl jobs``: the contracts of a party, and what its people decide about them."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import click
import msgspec

from parties import config as configuration
from parties.commands.lazy import LazyGroup
from parties.commands.output import example, json_option, party_directory, show
from parties.config import Config
from parties.contracts.contract_store import (
    APPROVED,
    REJECTED,
    WAITING,
    ContractStore,
    StoredContract,
    approval,
)
from parties.contracts.summary import ContractSummary, describe
from parties.keys import identity
from parties.report.tables import table
from parties.storage import database
from vfl.errors import NotAllowed, StateError

PLACES = {
    "approve": "parties.commands.jobs:approve",
    "key": "parties.commands.jobs:key",
    "list": "parties.commands.jobs:list_contracts",
    "reject": "parties.commands.jobs:reject",
    "show": "parties.commands.jobs:show_contract",
}

key_option = click.option(
    "--key", "file", type=click.Path(path_type=Path), help="Your key, where [approvers] names who may decide."
)


@click.group(cls=LazyGroup, places=PLACES)
def jobs() -> None:
    """List, show, approve and reject the contracts that jobs run under."""


@click.command(epilog=example("vfl jobs list bureau"))
@party_directory
@json_option
def list_contracts(directory: Path, as_json: bool) -> None:
    """List the contracts of DIR, the newest first."""
    config = configuration.load(directory)
    found = [describe(kept, config, time.time()) for kept in _contracts(config).all()]
    lines = [
        (one.contract[:12], one.state, one.action, one.subject, one.peer, _approved(one), one.expires)
        for one in found
    ]
    heading = ("contract", "state", "action", "about", "with", "people", "until")
    show(found, as_json, table(heading, lines, texts=len(heading)) if lines else "no contract yet")


@click.command(epilog=example("vfl jobs show bureau 3f9c2a"))
@party_directory
@click.argument("contract")
@json_option
def show_contract(directory: Path, contract: str, as_json: bool) -> None:
    """Print a CONTRACT of DIR, named by the first digits of its digest: terms, signatures, approvals."""
    config = configuration.load(directory)
    found = describe(_contracts(config).named(contract), config, time.time())
    said = {name: value for name, value in msgspec.to_builtins(found).items() if value not in ("-", 0, [])}
    show(found if as_json else said, as_json)


@click.command(epilog=example("vfl jobs approve bureau 3f9c2a --key alice.pem"))
@party_directory
@click.argument("contract")
@key_option
@json_option
def approve(directory: Path, contract: str, file: Path | None, as_json: bool) -> None:
    """Approve a CONTRACT that waits in DIR; the party signs it once enough people have."""
    config = configuration.load(directory)
    contracts = _contracts(config)
    kept = contracts.named(contract)
    if kept.state != WAITING:
        raise StateError(f"this contract is {kept.state}; only one that waits can be approved")
    if time.time() >= kept.contract.expires:
        raise StateError("this contract has expired; the label party proposes another one")
    name, signature = _approver(config, file, kept, APPROVED)
    contracts.decide(kept.digest, name, APPROVED, signature)
    after = contracts.named(kept.digest.hex())
    missing = max(0, kept.needed - len(after.approved_by(config.approvers)))
    show(describe(after, config, time.time()), as_json, f"approved by {name}; " + _still(missing))


@click.command(epilog=example("vfl jobs reject bureau 3f9c2a"))
@party_directory
@click.argument("contract")
@key_option
@json_option
def reject(directory: Path, contract: str, file: Path | None, as_json: bool) -> None:
    """Reject a CONTRACT of DIR, or end one that was signed: from now on nothing runs under it."""
    config = configuration.load(directory)
    contracts = _contracts(config)
    kept = contracts.named(contract)
    if kept.state == REJECTED:
        raise StateError("this contract is rejected already")
    name, signature = _approver(config, file, kept, REJECTED)
    contracts.decide(kept.digest, f"{name} (rejecting)"[:64], REJECTED, signature)
    contracts.set_state(kept.digest, REJECTED)
    show(describe(contracts.named(kept.digest.hex()), config, time.time()), as_json, f"rejected by {name}")


@click.command(epilog=example("vfl jobs key alice.pem"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def key(file: Path, as_json: bool) -> None:
    """Make a person's key in FILE and print the public half, for [approvers] of party.toml."""
    try:
        public = identity.create(file.resolve()).public
    except FileExistsError:
        raise StateError(f"{file} exists already; choose another name") from None
    show({"file": str(file), "public": public}, as_json)


def _contracts(config: Config) -> ContractStore:
    return ContractStore(database.connect(config))


def _approver(config: Config, file: Path | None, kept: StoredContract, decision: str) -> tuple[str, bytes]:
    """Return the name of who decides, and their signature where they have a key.

    Raises:
        NotAllowed: the key is nobody's in ``[approvers]``, or one is needed.
    """
    if config.party.role == "label":
        raise NotAllowed("a label party proposes contracts; those of feature parties decide on them")
    if not config.approvers:
        return pwd.getpwuid(os.getuid()).pw_name, b""
    if file is None:
        raise NotAllowed("[approvers] names who may decide; give your key with --key")
    own = identity.open_file(file.resolve())
    for name, public in config.approvers.items():
        if public == own.public:
            return name, own.sign("approval", approval(kept.digest, decision))
    raise NotAllowed("this key is nobody's in [approvers]")


def _approved(one: ContractSummary) -> str:
    return f"{len(one.approved_by)} of {one.approvals_needed}" if one.approvals_needed else "-"


def _still(missing: int) -> str:
    if missing:
        return f"{missing} more approval(s) needed"
    return "it is signed when the label party asks again"
