"""Heads of ledgers, signed by both parties at the end of a job.

Each signs the exchanges of the job as its own ledger has them, and the hash of the last entry of that
ledger; the other keeps the signature. Whoever rewrites or cuts its ledger later no longer has that entry,
and cannot take back what it signed. A hash tells nothing of what it covers.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec

from parties.config import Config
from parties.keys import identity
from parties.ledger.channel import FrameChannel
from parties.ledger.entries import Frame, Ledger, Signed, outcome_of
from vfl.errors import BadSignature, LedgersDiffer, NotAllowed, VflError
from vfl.jobs import PROTOCOL
from vfl.wire import ledger_messages as m
from vfl.wire.codec import Envelope, decode, decode_answer, decoder_of, encode
from vfl.wire.message import Message, Refusal

log = logging.getLogger("parties")

JOBLESS = {"ProposeContract"}
"""Requests that are about a contract and no part of a job, so nothing is signed after them."""


def ends_a_job(kind: str) -> bool:
    """Return whether requests of a kind end a job, so that its exchanges are signed after them."""
    return kind in PROTOCOL.closings and kind not in JOBLESS


class Head(NamedTuple):
    """What two parties signed: ``exchanges`` of a job with their ``digest``, and where both ledgers stood.

    ``contract`` is the digest of the one that the job was under. Identities are public keys; digests, heads
    and signatures are bytes.
    """

    contract: bytes
    job: str
    exchanges: int
    digest: bytes
    label_identity: bytes
    label_head: bytes
    label_signature: bytes
    feature_identity: bytes
    feature_head: bytes
    feature_signature: bytes

    def check(self) -> None:
        """Raise BadSignature where one of the two signatures is not what it should be."""
        for key, content, signature in (
            (self.label_identity, _label_content(self), self.label_signature),
            (self.feature_identity, _feature_content(self), self.feature_signature),
        ):
            identity.verify(key.hex(), "ledger head", content, signature)

    def head_of(self, party: bytes) -> bytes | None:
        """Return the head that the party of an identity signed, None where it is of neither."""
        return {self.label_identity: self.label_head, self.feature_identity: self.feature_head}.get(party)


def read(signed: Signed) -> Head:
    """Return what two kept frames say; raises MalformedMessage, or BadSignature where they do not fit."""
    request = decode(signed.request, decoder_of(m.CloseLedger))
    reply = decode_answer(signed.reply, m.LedgerClosed)
    if not isinstance(reply.body, m.LedgerClosed):
        raise BadSignature("these are not the frames in which ledger heads are signed")
    return _head(request, request.body, reply.body)


class SigningChannel:
    """A channel that has each job that ends on another one signed by the peer.

    A peer that does not sign, or whose identity is not configured, is told of in the log; the job is done.

    Args:
        channel: carries the frames, and records them in the ledger.
        ledger: what is signed.
        config: of the label party.
    """

    def __init__(self, channel: FrameChannel, ledger: Ledger, config: Config) -> None:
        self._channel = channel
        self._ledger = ledger
        self._config = config

    def exchange(self, peer: str, frame: bytes) -> bytes:
        request = Frame.read(frame)
        reply = self._channel.exchange(peer, request)
        if ends_a_job(request.heading.kind) and outcome_of(reply) == "ok":
            try:
                self._sign(peer, frame)
            except VflError as error:
                job = request.heading.job
                log.warning("%s: the ledger head of job %s is not signed: %s", peer, job, error)
        return reply

    def _sign(self, peer: str, closing: bytes) -> None:
        theirs = _identity_of(self._config, peer)
        own = identity.load(self._config)
        ended = PROTOCOL.decode_request(closing)
        exchanges, digest = self._ledger.exchanges(peer, ended.job, ended.contract)
        _, head = self._ledger.head()
        public = bytes.fromhex(own.public)
        draft = m.CloseLedger(exchanges, digest, head, public, bytes(64))
        content = _label_content(_head(ended, draft, m.LedgerClosed(bytes(32), theirs, bytes(64))))
        request = msgspec.structs.replace(draft, signature=own.sign("ledger head", content))
        frame = encode(msgspec.structs.replace(ended, sequence=ended.sequence + 1, body=request))
        answer = decode_answer(self._channel.exchange(peer, frame), m.LedgerClosed).body
        if isinstance(answer, Refusal):
            raise LedgersDiffer(f"it refused with {answer.code}: {answer.text}")
        if not isinstance(answer, m.LedgerClosed) or answer.identity != theirs:
            raise BadSignature("it answered with something else, or by another identity than its own")
        _head(ended, request, answer).check()


def countersign(
    config: Config, ledger: Ledger, peer: str, envelope: Envelope[Message], closing: m.CloseLedger
) -> m.LedgerClosed:
    """Return a feature party's answer to a label party that closes the ledger of a job.

    Args:
        envelope: of the request, for its job and contract.
        asked: what is in it.

    Raises:
        NotAllowed: the peer's identity is not configured.
        BadSignature: it signs with another one, or something else.
        LedgersDiffer: this party's ledger has other exchanges of the job under this contract.
        KeyFileError: this party has no identity.
    """
    if closing.identity != _identity_of(config, peer):
        raise BadSignature("the ledger is signed by another identity than the one configured for you")
    own = identity.load(config)
    draft = m.LedgerClosed(ledger.head()[1], bytes.fromhex(own.public), bytes(64))
    head = _head(envelope, closing, draft)
    identity.verify(closing.identity.hex(), "ledger head", _label_content(head), closing.signature)
    exchanges, digest = ledger.exchanges(peer, envelope.job, envelope.contract)
    if (exchanges, digest) != (closing.exchanges, closing.digest):
        raise LedgersDiffer(
            f"this party's ledger has {exchanges} exchanges of the job under this contract, yours "
            f"{closing.exchanges}, or others; compare both with `vfl audit show`"
        )
    return msgspec.structs.replace(draft, signature=own.sign("ledger head", _feature_content(head)))


def _identity_of(config: Config, peer: str) -> bytes:
    public = config.peers[peer].identity if peer in config.peers else None
    if public is None:
        raise NotAllowed(f"no identity of {peer} is configured; add `identity` to [peers.{peer}]")
    return bytes.fromhex(public)


def _head(envelope: Envelope[Message], request: m.CloseLedger, reply: m.LedgerClosed) -> Head:
    label = (request.identity, request.head, request.signature)
    feature = (reply.identity, reply.head, reply.signature)
    return Head(envelope.contract, envelope.job, request.exchanges, request.digest, *label, *feature)


def _label_content(head: Head) -> bytes:
    return msgspec.msgpack.encode(("label", *_common(head), head.label_head))


def _feature_content(head: Head) -> bytes:
    return msgspec.msgpack.encode(("feature", *_common(head), head.label_head, head.feature_head))


def _common(head: Head) -> tuple[bytes | str | int, ...]:
    """Return what both parties sign."""
    return head.contract, head.job, head.exchanges, head.digest, head.label_identity, head.feature_identity
