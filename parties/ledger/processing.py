"""What a ledger says of each job, for a record of processing activities (GDPR, Article 30)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from parties.config import Config
from parties.contracts.contract_store import ContractStore
from parties.contracts.summary import ContractSummary, describe
from parties.ledger.entries import UNKNOWN, Entry, Ledger, Signed
from parties.ledger.heads import JOBLESS, ends_a_job
from parties.storage import database
from vfl.errors import DataError
from vfl.jobs import JOB_TYPES, PROTOCOL
from vfl.wire.ledger_messages import CloseLedger

FORMAT = 1
"""Version of the exported JSON."""


class Disclosed(Struct, kw_only=True):
    """Messages of one kind in one direction, and what each reveals to its receiver."""

    kind: str
    messages: int = 0
    bytes: int = 0
    reveals: str = ""


class JobRecord(Struct, kw_only=True):
    """One job with one peer. Times are UTC.

    Attributes:
        contract: the digest of the one that it was opened under.
        asked_by: ``us`` or ``peer``: who sent the requests.
        activity: what was done, by its opening.
        ended: ``closed``, ``refused`` where the last request was, ``open`` where neither is in the ledger.
        signed: whether both parties signed its exchanges.
        disclosed, learnt: by kind, what went to the peer and what came from it.
    """

    job: str
    contract: str
    peer: str
    asked_by: str
    activity: str
    began: str
    last: str
    ended: str = "open"
    signed: bool = False
    requests: int = 0
    refused: int = 0
    disclosed: list[Disclosed] = []
    learnt: list[Disclosed] = []


class Line(Struct, kw_only=True):
    """An entry as it is exported: digests and hash in hexadecimal, and what both messages reveal in words."""

    entry: int
    time: str
    direction: str
    peer: str
    contract: str
    job: str
    sequence: int
    kind: str
    request_bytes: int
    reply_bytes: int
    request_digest: str
    reply_digest: str
    outcome: str
    hash: str
    reveals: str


class Export(Struct, kw_only=True):
    """A ledger as a file. ``signed`` has the frames that parties signed, for `vfl audit verify --against`.

    ``contracts`` are those that entries name, as far as this party keeps them.
    """

    party: str
    identity: str
    written: str
    contracts: list[ContractSummary]
    jobs: list[JobRecord]
    entries: list[Line]
    signed: list[Signed]
    format: int = FORMAT


def export(
    ledger: Ledger, contracts: ContractStore, config: Config, identity: str, peer: str | None = None
) -> Export:
    """Return all of a ledger, or what concerns one peer.

    What is only of this party's business, the columns that it gave and the people who approved, is not in
    what a peer may get.
    """
    lines = [line_of(entry, link) for entry, link in ledger.entries() if peer in (None, entry.peer)]
    numbers, named = {line.entry for line in lines}, {line.contract for line in lines}
    described = [
        describe(stored, config, time.time()) for stored in contracts.all() if stored.digest.hex() in named
    ]
    if peer is not None:
        described = [replace(one, columns=UNKNOWN, approved_by=[], rejected_by=[]) for one in described]
    return Export(
        party=config.party.name,
        identity=identity,
        written=database.now(),
        contracts=described,
        jobs=[record for record in records(ledger) if peer in (None, record.peer)],
        entries=lines,
        signed=[signed for signed in ledger.signed() if signed.entry in numbers],
    )


def load(content: bytes) -> Export:
    """Read an export; raises DataError where it is none."""
    try:
        return msgspec.json.decode(content, type=Export)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DataError("this is not a ledger; make it with `vfl audit export DIR --out FILE.json`") from None


def line_of(entry: Entry, link: bytes) -> Line:
    """Return an entry as it is exported."""
    revealed = (
        f"{kind}: {PROTOCOL.reveals[kind]}"
        for kind in (entry.kind, _reply_of(entry))
        if kind in PROTOCOL.reveals
    )
    fields = entry._asdict() | {"hash": link, "reveals": ". ".join(revealed)}
    plain: dict[str, Any] = {
        key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()
    }
    return Line(**plain)


def records(ledger: Ledger) -> list[JobRecord]:
    """Return the jobs of a ledger in the order they began.

    Proposals of contracts, handshakes and requests that could not be read belong to none.
    """
    jobs: dict[tuple[str, str], JobRecord] = {}
    for entry, _ in ledger.entries():
        begins = entry.job != UNKNOWN and entry.kind in PROTOCOL.reply_names and entry.kind not in JOBLESS
        if begins or (entry.peer, entry.job) in jobs:
            record = jobs.setdefault((entry.peer, entry.job), _begun(entry))
            _add(record, entry)
    return list(jobs.values())


def _activities() -> dict[str, str]:
    """Return what a job does by the message that opens it; what for is in its contract."""
    return {opening.__name__: job.activity for opening, job in JOB_TYPES.items()}


def _begun(entry: Entry) -> JobRecord:
    return JobRecord(
        job=entry.job,
        contract=entry.contract,
        peer=entry.peer,
        asked_by="us" if entry.direction == "out" else "peer",
        activity=_activities().get(entry.kind, "unknown: its opening is not in the ledger"),
        began=entry.time,
        last=entry.time,
        disclosed=[],
        learnt=[],
    )


def _add(record: JobRecord, entry: Entry) -> None:
    record.last = entry.time
    record.requests += 1
    answered = entry.outcome == "ok"
    record.refused += not answered
    if entry.kind == CloseLedger.__name__:
        record.signed = record.signed or answered
    elif not answered:
        record.ended = "refused"
    else:
        record.ended = "closed" if ends_a_job(entry.kind) else "open"
    requests, replies = (
        (record.disclosed, record.learnt) if entry.direction == "out" else (record.learnt, record.disclosed)
    )
    _count(requests, entry.kind, entry.request_bytes)
    if entry.reply_bytes:
        _count(replies, _reply_of(entry), entry.reply_bytes)


def _reply_of(entry: Entry) -> str:
    """Return the kind of the reply, which entries do not name; ``-`` without one."""
    answered = PROTOCOL.reply_names.get(entry.kind, "-") if entry.outcome == "ok" else "Refusal"
    return answered if entry.reply_bytes else "-"


def _count(messages: list[Disclosed], kind: str, size: int) -> None:
    one = next((one for one in messages if one.kind == kind), None)
    if one is None:
        one = Disclosed(kind=kind, reveals=PROTOCOL.reveals.get(kind, "-"))
        messages.append(one)
    one.messages += 1
    one.bytes += size


def lines_of(ledger: Ledger, job: str | None, contract: str) -> Iterator[Line]:
    """Yield the entries of one job, or under contracts whose digest begins so."""
    return (line_of(entry, link) for entry, link in ledger.entries(job, contract))
