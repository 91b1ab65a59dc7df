"""The audit of a ledger: entries, signatures and contracts that were changed, removed or cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from parties.contracts.contract_store import ContractStore
from parties.ledger.chain import Finding, Linked, verify_chain
from parties.ledger.entries import START, UNKNOWN, Entry, Ledger, Signed, digest
from parties.ledger.heads import JOBLESS, Head, read
from vfl.errors import StateError, VflError
from vfl.jobs import PROTOCOL
from vfl.wire.ledger_messages import CloseLedger


class Verdict(NamedTuple):
    """What an audit looked at, and the findings: none where everything fits.

    head: hash of the last entry in hexadecimal.
    signed: how many jobs were signed by both parties.
    unsigned: jobs that ended without being signed, or have not ended. No finding: a job that was broken off
        is one.
    """

    entries: int
    head: str
    signed: int
    unsigned: list[str]
    findings: list[Finding]


def verify(
    ledger: Ledger,
    contracts: ContractStore,
    public: str,
    peers: Mapping[str, str | None],
    against: Iterable[Signed] = (),
) -> Verdict:
    """Audit a ledger: its chain, contracts, what was signed at the end of jobs, what peers kept of that.

    Args:
        contracts: those of the same party.
        public: the party's identity, 64 hex digits.
        peers: identities of peers by name; None where it is not configured.
        against: what peers have stored, from their exports: shows a ledger that was cut or rewritten whole.
    """
    damage = ""
    try:
        damage = ledger.damage()
        verdict = _audited(ledger, contracts, bytes.fromhex(public), peers, against)
    except StateError as error:  # it cannot be read to its end
        return Verdict(0, UNKNOWN, 0, [], [Finding(0, damage or str(error))])
    findings = [Finding(0, damage)] if damage else []
    return verdict._replace(findings=[*findings, *verdict.findings])


def _audited(
    ledger: Ledger,
    contracts: ContractStore,
    own: bytes,
    peers: Mapping[str, str | None],
    against: Iterable[Signed],
) -> Verdict:
    signatures = ledger.signed()
    readable, findings = _readable(signatures)
    foreign, _ = _readable(against)
    signed_heads = {head.head_of(own) for _, head in foreign}
    for _, head in readable:
        signed_heads |= {head.label_head, head.feature_head}
    walk = _Walk(signed_heads)
    entries = walk.note_all(ledger.entries())
    findings += verify_chain(entries)
    for _ in entries:  # what is behind a break
        pass
    findings += _missing_signatures(walk.closings, signatures)
    findings += _changed_contracts(walk.contracts, contracts)
    for signed, head in readable:
        findings += _lost_entries(walk, ledger, peers, signed, head)
    for _, head in foreign:
        findings += _lost_heads(walk, ledger, own, head)
    signed_jobs = {head.job for _, head in readable}
    unsigned = [job for job in walk.jobs if job not in signed_jobs]
    in_order = sorted(findings, key=lambda one: one.entry)  # of one entry, what is wrong with itself first
    last = walk.hash.hex() if isinstance(walk.hash, bytes) else UNKNOWN
    return Verdict(walk.last, last, len(signed_jobs), unsigned, in_order)


class _Walk:
    """The facts of one walk over the entries, never all of them."""

    def __init__(self, wanted: set[bytes | None]) -> None:
        self._wanted = wanted
        self._requests = PROTOCOL.reply_names.keys() - JOBLESS
        self.heads: dict[bytes, int] = {}
        self.closings: dict[int, Entry] = {}
        self.jobs: dict[str, str] = {}
        self.contracts: dict[str, int] = {}
        self.last, self.hash = 0, START

    def note_all(self, entries: Iterable[Linked]) -> Iterator[Linked]:
        for entry, link in entries:
            self._note(entry, link)
            yield entry, link

    def _note(self, entry: Entry, link: bytes) -> None:
        self.last, self.hash = entry.entry, link
        if link in self._wanted:
            self.heads[link] = entry.entry
        if entry.outcome == "ok" and entry.kind in self._requests:
            self.jobs.setdefault(entry.job, entry.peer)
            self.contracts.setdefault(entry.contract, entry.entry)
            if entry.kind == CloseLedger.__name__:
                self.closings[entry.entry] = entry


def _readable(signatures: Iterable[Signed]) -> tuple[list[tuple[Signed, Head]], list[Finding]]:
    heads, findings = [], []
    for signed in signatures:
        try:
            head = read(signed)
            head.check()
            heads.append((signed, head))
        except VflError:
            text = f"what was signed at entry {signed.entry} was changed: the signatures do not fit"
            findings.append(Finding(signed.entry, text))
    return heads, findings


def _missing_signatures(closings: dict[int, Entry], signatures: Iterable[Signed]) -> Iterator[Finding]:
    entries = {signed.entry for signed in signatures}
    for number in closings:
        if number not in entries:
            yield Finding(number, f"what was signed at entry {number} was removed")


def _changed_contracts(named: Mapping[str, int], contracts: ContractStore) -> Iterator[Finding]:
    """Yield what of the contracts that entries name is not what was signed any more."""
    faults = contracts.faults()
    for contract, number in named.items():
        fault = faults.get(contract, "it was removed")
        if fault:
            yield Finding(number, f"contract {contract[:12]}, which entry {number} is under: {fault}")


def _lost_entries(
    walk: _Walk, ledger: Ledger, peers: Mapping[str, str | None], signed: Signed, head: Head
) -> Iterator[Finding]:
    """Yield what of a signed head is not in the ledger any more."""
    number, closing = signed.entry, walk.closings.get(signed.entry)
    if closing is None:
        text = f"entry {number}, which records what was signed of job {head.job}, is missing: "
        cut = walk.last < number
        yield Finding(
            walk.last + 1 if cut else number, text + ("the ledger was cut" if cut else "it was removed")
        )
        return
    if (closing.request_digest, closing.reply_digest) != (digest(signed.request), digest(signed.reply)):
        yield Finding(number, f"entry {number} records other signatures than those that are kept")
    outgoing = closing.direction == "out"
    own, signer = (
        (head.label_head, head.feature_identity) if outgoing else (head.feature_head, head.label_identity)
    )
    if own not in walk.heads:
        text = f"the entry that was signed at the end of job {head.job} is not there: "
        yield Finding(number, text + "earlier ones were rewritten")
    configured = peers.get(closing.peer)
    if configured is not None and configured != signer.hex():
        yield Finding(number, f"job {head.job} was signed by another identity than that of {closing.peer}")
    yield from _other_exchanges(ledger, closing.peer, head, number)


def _lost_heads(walk: _Walk, ledger: Ledger, own: bytes, head: Head) -> Iterator[Finding]:
    """Yield what this party signed, as a peer can show, and does not have any more."""
    signed_head = head.head_of(own)
    if signed_head is None:
        return
    if signed_head not in walk.heads:
        text = f"a peer keeps this party's signature, at the end of job {head.job}, of an entry not there: "
        yield Finding(walk.last + 1, text + "the ledger was cut or rewritten")
    elif head.job in walk.jobs:
        yield from _other_exchanges(ledger, walk.jobs[head.job], head, walk.heads[signed_head])


def _other_exchanges(ledger: Ledger, peer: str, head: Head, entry: int) -> Iterator[Finding]:
    if ledger.exchanges(peer, head.job, head.contract) != (head.exchanges, head.digest):
        yield Finding(entry, f"the exchanges of job {head.job} are not those that both parties signed")
