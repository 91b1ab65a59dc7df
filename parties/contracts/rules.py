"""Every rule about what a peer may ask for: pure decisions, with the clock passed in. Silence means no.

A function that checks returns quietly or raises :class:`~vfl.errors.NotAllowed` with a sentence for the peer.
The numbers that an algorithm brings are compared here alone, by their `vfl.algorithms.descriptor.Term`.
"""

from __future__ import annotations

from parties.config import Config
from parties.config.settings import Limits, Peer
from parties.contracts.contract_store import REJECTED, SIGNED, StoredContract
from vfl.algorithms.descriptor import JobType, Term
from vfl.errors import NotAllowed, UnknownPeer
from vfl.jobs import JOB_TYPES
from vfl.wire.contract import Contract, Member
from vfl.wire.message import Message

CLOCK_SECONDS = 300
"""How far ahead the label party's clock may be."""

DAY = 86_400

MIN_KEY_BITS = 2048

SUBJECTS = ("alignment", "binning", "model")
"""What an opening names, and its contract by the same field."""

NEEDED = {
    "align": ("alignment",),
    "bin": ("alignment", "binning"),
    "train": ("alignment", "algorithm", "model"),
    "score": ("alignment", "model"),
    "export": ("model",),
}
"""By action, what a contract has to name."""


# --- who asks


def peer_with(config: Config, fingerprint: str) -> str:
    """Return the name of the peer whose certificate has this fingerprint.

    Raises:
        UnknownPeer: it is nobody's.
    """
    for name, peer in config.peers.items():
        if fingerprint in peer.fingerprints:
            return name
    raise UnknownPeer("this certificate is not in this party's configuration; have its people add it")


def check_any(peer: Peer) -> None:
    """Refuse a peer that may ask for nothing at all, before a byte of its message is read."""
    if not peer.allow:
        raise NotAllowed("this party allows you nothing yet; have its people set allow for you")


def check_owner(peer: str, owner: str) -> None:
    """Refuse a message for a job that another peer opened."""
    if peer != owner:
        raise NotAllowed("this job is not yours; open a job of your own")


def shows_timing(config: Config, fingerprint: str) -> bool:
    """Return whether the peer with this certificate may know how long each step of an answer took."""
    return any(peer.show_timing for peer in config.peers.values() if fingerprint in peer.fingerprints)


# --- what a contract may say


def own_member(contract: Contract, identity: bytes) -> Member:
    """Return what a contract says of the feature party with this identity; raises NotAllowed."""
    for member in contract.feature_parties:
        if member.identity == identity:
            return member
    raise NotAllowed("this contract does not name this party; compare its identity with its people")


def check_proposal(peer: Peer, contract: Contract, now: float) -> None:
    """Compare a contract with the rules for the peer that proposes it.

    Raises:
        NotAllowed: the first rule that it breaks, with what would be signed.
    """
    limits = peer.limits
    if peer.identity is None or contract.label_party.identity.hex() != peer.identity:
        raise NotAllowed("this contract is not by the identity that this party knows you by")
    permission = "train" if contract.action == "bin" else contract.action
    if permission not in peer.allow:
        raise NotAllowed(f"this party does not allow you to {permission}")
    if peer.purposes and contract.purpose not in peer.purposes:
        raise NotAllowed("this party does not sign for this purpose; agree on one with its people")
    if contract.created > now + CLOCK_SECONDS or contract.expires <= now:
        raise NotAllowed("this contract has expired or begins in the future; compare clocks")
    for name in NEEDED[contract.action]:
        if getattr(contract, name) is None:
            raise NotAllowed(f"this contract names no {name}")
    _at_most("days of validity", -(-(contract.expires - contract.created) // DAY), limits.max_days)
    _at_most("rows", contract.rows, limits.max_rows)
    _at_most("rows_per_hour", contract.rows_per_hour, limits.max_rows_per_hour)
    if contract.action in ("bin", "train"):
        _at_least("key_bits", contract.key_bits, MIN_KEY_BITS)
    for term in _job_type(contract).terms:
        _compare(term, contract.terms.get(term.name, 0), _limit(limits, term), "party")


def check_in_force(stored: StoredContract | None, peer: str, now: float) -> StoredContract:
    """Return a contract that a peer's message names, if it holds.

    Raises:
        NotAllowed: unknown here, another peer's, waiting, rejected, not signed by all, or expired.
    """
    if stored is None or stored.peer != peer:
        raise NotAllowed("this party has signed no such contract with you; propose one first")
    if stored.state == REJECTED:
        raise NotAllowed("people of this party rejected this contract; propose another one")
    if stored.state != SIGNED:
        raise NotAllowed("people of this party have not approved this contract yet")
    if not stored.complete:
        raise NotAllowed("not all parties of this contract have signed it; bring their signatures")
    if now >= stored.contract.expires:
        raise NotAllowed("this contract has expired; propose another one")
    return stored


# --- what a message may ask under a contract


def check_opening(peer: Peer, contract: Contract, opening: Message, open_jobs: int) -> None:
    """Refuse a job that the peer is not granted, that its contract is not about, or that is larger.

    Args:
        open_jobs: how many jobs the peer has open already.

    Raises:
        NotAllowed: with the first term that it goes beyond.
    """
    job = JOB_TYPES[type(opening)]
    if job.permission not in peer.allow:
        raise NotAllowed(f"this party does not allow you to {job.permission}")
    if open_jobs >= peer.limits.open_jobs:
        raise NotAllowed(f"you have {open_jobs} jobs open here; close one before you open another")
    _same("action", job.action, contract.action)
    _same("algorithm", job.algorithm, contract.algorithm)
    for name in SUBJECTS:
        if hasattr(opening, name):
            _same(name, getattr(opening, name), getattr(contract, name))
    if hasattr(opening, "public_key"):
        bits = int.from_bytes(opening.public_key, "little").bit_length()
        _at_least("key_bits", bits, contract.key_bits)
    _at_most("rows", job.rows(opening), min(contract.rows, peer.limits.max_rows), "contract")
    for term in job.terms:
        if term.of_opening is not None:
            allowed = min(contract.terms.get(term.name, 0), _limit(peer.limits, term))
            _at_most(term.name, term.of_opening(opening), allowed, "contract")
    if job.trained_rows is not None:
        check_trained_rows(peer, job.trained_rows(opening))


def check_trained_rows(peer: Peer, rows: int) -> None:
    """Refuse sums over fewer of this party's rows than the peer may train on."""
    if rows < peer.limits.min_rows:
        raise NotAllowed(f"training on {rows} rows; this party asks for at least {peer.limits.min_rows}")


def check_message(contract: Contract, opening: type[Message], message: Message) -> None:
    """Refuse a message within a job that goes beyond the contract; raises NotAllowed."""
    used = JOB_TYPES[opening].term_of.get(type(message))
    if used is not None:
        name, count = used
        _at_most(name, count(message), contract.terms.get(name, 0), "contract")


def _job_type(contract: Contract) -> JobType:
    """Return the kind of job that a contract is about; raises NotAllowed where this party knows none."""
    for job in JOB_TYPES.values():
        if (job.action, job.algorithm) == (contract.action, contract.algorithm):
            return job
    raise NotAllowed("this party knows no job of the action and algorithm of this contract")


def _limit(limits: Limits, term: Term) -> int:
    limit = limits.value(term.limit.name)
    return 0 if limit is None else limit


def _compare(term: Term, requested: int, limit: int, whose: str) -> None:
    if term.bound == "most":
        _at_most(term.name, requested, limit, whose)
    else:
        _at_least(term.name, requested, limit)


def _same(what: str, requested: str | None, contracted: str | None) -> None:
    if requested != contracted:
        raise NotAllowed(f"the contract is about another {what}; propose one for this")


def _at_most(what: str, requested: int, limit: int, whose: str = "party") -> None:
    if requested > limit:
        raise NotAllowed(f"{what}={requested} asked; this {whose} allows you at most {limit}")


def _at_least(what: str, requested: int, limit: int) -> None:
    if requested < limit:
        raise NotAllowed(f"{what}={requested} asked; {limit} is the least that is allowed here")
