"""``vfl contracts``: the contracts of a party, and what its people decide about them."""

from __future__ import annotations

import os
import pwd
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
from parties.telemetry.clock import SYSTEM_CLOCK
from vfl.errors import NotAllowed, StateError

PLACES = {
    "approve": "parties.commands.contracts:approve",
    "key": "parties.commands.contracts:key",
    "list": "parties.commands.contracts:list_contracts",
    "reject": "parties.commands.contracts:reject",
    "show": "parties.commands.contracts:show_contract",
}

key_option = click.option(
    "--key", "file", type=click.Path(path_type=Path), help="Your key, where [approvers] names who may decide."
)


@click.group(cls=LazyGroup, places=PLACES)
def contracts() -> None:
    """List, show, approve and reject the contracts of a party."""


@click.command(epilog=example("vfl contracts list bureau"))
@party_directory
@json_option
def list_contracts(directory: Path, as_json: bool) -> None:
    """List the contracts of DIR, the newest first."""
    config = configuration.load(directory)
    summaries = [describe(stored, config, SYSTEM_CLOCK()) for stored in _store(config).all()]
    lines = [
        (each.contract[:12], each.state, each.action, each.subject, each.peer, _approvals(each), each.expires)
        for each in summaries
    ]
    heading = ("contract", "state", "action", "about", "with", "people", "until")
    show(summaries, as_json, table(heading, lines, texts=len(heading)) if lines else "no contract yet")


@click.command(epilog=example("vfl contracts show bureau 3f9c2a"))
@party_directory
@click.argument("contract")
@json_option
def show_contract(directory: Path, contract: str, as_json: bool) -> None:
    """Print a CONTRACT of DIR, named by the first digits of its digest: terms, signatures, approvals."""
    config = configuration.load(directory)
    summary = describe(_store(config).named(contract), config, SYSTEM_CLOCK())
    facts = msgspec.to_builtins(summary)
    present = {name: value for name, value in facts.items() if value not in ("-", 0, [], {})}
    show(summary if as_json else present, as_json)


@click.command(epilog=example("vfl contracts approve bureau 3f9c2a --key alice.pem"))
@party_directory
@click.argument("contract")
@key_option
@json_option
def approve(directory: Path, contract: str, file: Path | None, as_json: bool) -> None:
    """Approve a CONTRACT that waits in DIR; the party signs it once enough people have."""
    config = configuration.load(directory)
    store = _store(config)
    stored = store.named(contract)
    if stored.state != WAITING:
        raise StateError(f"this contract is {stored.state}; only one that waits can be approved")
    if SYSTEM_CLOCK() >= stored.contract.expires:
        raise StateError("this contract has expired; the label party proposes another one")
    name, signature = _approver(config, file, stored, APPROVED)
    store.decide(stored.digest, name, APPROVED, signature)
    after = store.named(stored.digest.hex())
    missing = max(0, stored.needed - len(after.approved_by(config.approvers)))
    show(describe(after, config, SYSTEM_CLOCK()), as_json, f"approved by {name}; " + _still(missing))


@click.command(epilog=example("vfl contracts reject bureau 3f9c2a"))
@party_directory
@click.argument("contract")
@key_option
@json_option
def reject(directory: Path, contract: str, file: Path | None, as_json: bool) -> None:
    """Reject a CONTRACT of DIR, or end one that was signed: from now on nothing runs under it."""
    config = configuration.load(directory)
    store = _store(config)
    stored = store.named(contract)
    if stored.state == REJECTED:
        raise StateError("this contract is rejected already")
    name, signature = _approver(config, file, stored, REJECTED)
    store.decide(stored.digest, f"{name} (rejecting)"[:64], REJECTED, signature)
    store.set_state(stored.digest, REJECTED)
    show(describe(store.named(stored.digest.hex()), config, SYSTEM_CLOCK()), as_json, f"rejected by {name}")


@click.command(epilog=example("vfl contracts key alice.pem"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def key(file: Path, as_json: bool) -> None:
    """Make a person's key in FILE and print the public half, for [approvers] of party.toml."""
    try:
        public = identity.create(file.resolve()).public
    except FileExistsError:
        raise StateError(f"{file} exists already; choose another name") from None
    show({"file": str(file), "public": public}, as_json)


def _store(config: Config) -> ContractStore:
    return ContractStore(database.connect(config))


def _approver(config: Config, file: Path | None, stored: StoredContract, decision: str) -> tuple[str, bytes]:
    """Return the name of the person who decides, and their signature where they have a key.

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
            return name, own.sign("approval", approval(stored.digest, decision))
    raise NotAllowed("this key is nobody's in [approvers]")


def _approvals(summary: ContractSummary) -> str:
    return f"{len(summary.approved_by)} of {summary.approvals_needed}" if summary.approvals_needed else "-"


def _still(missing: int) -> str:
    if missing:
        return f"{missing} more approval(s) needed"
    return "it is signed when the label party asks again"
