"""A contract in words, for `vfl contracts` and for the record of processing."""

from __future__ import annotations

import datetime

from msgspec import Struct

from parties.config import Config
from parties.contracts.contract_store import PROPOSED, REJECTED, WAITING, StoredContract


class ContractSummary(Struct, kw_only=True):
    """What a contract says, and where it stands at this party. Times are UTC.

    Attributes:
        contract: its digest.
        columns: of this party, those that it covers, as ``group: column column``; empty at a label party.
        requested: which columns or groups of each feature party it names.
        terms: by name, the numbers that limit its jobs.
    """

    contract: str
    state: str
    peer: str
    action: str
    subject: str
    purpose: str
    alignment: str
    binning: str
    model: str
    algorithm: str
    parties: str
    columns: str
    requested: str
    rows: int
    terms: dict[str, int]
    key_bits: int
    rows_per_hour: int
    created: str
    expires: str
    approvals_needed: int
    approved_by: list[str]
    rejected_by: list[str]
    signed_by: list[str]


def describe(stored: StoredContract, config: Config, now: float) -> ContractSummary:
    """Return what a contract says, to the people of a party that stores it."""
    terms, state = stored.contract, stored.state
    if state in (WAITING, PROPOSED) and now >= terms.expires:
        state = "expired"
    members = {member.identity.hex(): member.name for member in (terms.label_party, *terms.feature_parties)}
    return ContractSummary(
        contract=stored.digest.hex(),
        state=state,
        peer=stored.peer,
        action=terms.action,
        subject=terms.subject,
        purpose=terms.purpose,
        alignment=terms.alignment or "-",
        binning=terms.binning or "-",
        model=terms.model or "-",
        algorithm=terms.algorithm or "-",
        parties=", ".join(members.values()),
        columns=_by_group(stored.columns, config) or "-",
        requested="; ".join(
            f"{member.name}: {', '.join(member.columns) or 'all that it offers'}"
            for member in terms.feature_parties
        ),
        rows=terms.rows,
        terms=terms.terms,
        key_bits=terms.key_bits,
        rows_per_hour=terms.rows_per_hour,
        created=_time(terms.created),
        expires=_time(terms.expires),
        approvals_needed=stored.needed,
        approved_by=stored.approved_by(config.approvers),
        rejected_by=[each.approver for each in stored.decisions if each.decision == REJECTED],
        signed_by=[name for public, name in members.items() if public in stored.signatures],
    )


def _by_group(columns: list[str], config: Config) -> str:
    """Return columns with the groups of ``data.groups`` that they are in, those in none first."""
    groups = {
        name: [column for column in columns if column in group] for name, group in config.data.groups.items()
    }
    ungrouped = [column for column in columns if not any(column in group for group in groups.values())]
    named = [f"{name} ({', '.join(group)})" for name, group in groups.items() if group]
    return ", ".join([*ungrouped, *named])


def _time(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="minutes")
