"""Signed heads: both parties sign a job that ended, and each keeps what the other signed."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from parties.keys import identity
from parties.ledger.entries import Ledger, digest
from parties.ledger.heads import SigningChannel, _head, _label_content, read
from parties.storage import database
from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.errors import BadSignature
from vfl.jobs import PROTOCOL
from vfl.wire import ledger_messages as m
from vfl.wire.codec import Envelope, encode
from vfl.wire.message import Refusal


def test_both_keep_what_both_signed(pair: Any) -> None:
    """One pair of frames in both ledgers, with valid signatures over the same exchanges and heads."""
    job = pair.score(messages=2)
    (mine,), (theirs,) = pair.bank_ledger.signed(), pair.bureau_ledger.signed()
    assert mine[1:] == theirs[1:]
    head = read(mine)
    head.check()
    assert (head.job, head.exchanges) == (job, 4)
    assert head.label_identity.hex() == identity.load(pair.bank).public
    assert head.feature_identity.hex() == identity.load(pair.bureau).public
    for ledger, claim in ((pair.bank_ledger, head.label_head), (pair.bureau_ledger, head.feature_head)):
        assert claim in {link for _, link in ledger.entries()}
        assert ledger.exchanges("bureau" if ledger is pair.bank_ledger else "bank", job, head.contract) == (
            4,
            head.digest,
        )


@pytest.mark.parametrize("field", ["contract", "job", "exchanges", "digest", "label_head", "feature_head"])
def test_a_signature_covers_every_field(pair: Any, field: str) -> None:
    """Whatever of a head is changed, the signatures do not fit any more."""
    pair.score()
    head = read(pair.bank_ledger.signed()[0])
    changed = {"job": "other", "exchanges": 9}.get(field, bytes(32))
    with pytest.raises(BadSignature):
        head._replace(**{field: changed}).check()


def closing(pair: Any, **changes: Any) -> bytes:
    """Return the kept request with changes, as it would be sent again."""
    asked = PROTOCOL.decode_request(pair.bank_ledger.signed()[0].request)
    return encode(msgspec.structs.replace(asked, body=msgspec.structs.replace(asked.body, **changes)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exchanges": 2}, "bad_signature"),
        ({"digest": bytes(32)}, "bad_signature"),
        ({"head": bytes(32)}, "bad_signature"),
        ({"identity": bytes(32)}, "bad_signature"),
        ({"signature": bytes(64)}, "bad_signature"),
    ],
)
def test_what_is_not_signed_by_the_peer_is_not_countersigned(
    pair: Any, changes: dict[str, Any], code: str
) -> None:
    """A feature party signs nothing that the label party did not."""
    pair.score()
    answer = PROTOCOL.decode_reply(pair.receive(closing(pair, **changes))).body
    assert isinstance(answer, Refusal)
    assert answer.code == code
    assert len(pair.bureau_ledger.signed()) == 1


class DifferentLedger(Ledger):
    """A ledger whose exchanges are never those of the peer's."""

    def exchanges(self, peer: str, job: str, contract: bytes) -> tuple[int, bytes]:
        return super().exchanges(peer, job, contract)[0], bytes(32)


def test_a_ledger_that_differs_is_not_countersigned(pair: Any, caplog: Any) -> None:
    """Where one ledger has other exchanges the job is done, but neither signs, and the log says so."""
    different = DifferentLedger(database.connect(pair.bank))
    pair.channel = SigningChannel(pair.recorded, different, pair.bank)
    with caplog.at_level(logging.WARNING):
        pair.score()
    assert "ledgers_differ" in caplog.text
    assert pair.bank_ledger.signed() == pair.bureau_ledger.signed() == []


def test_a_job_that_has_not_ended_is_not_signed(pair: Any) -> None:
    """Only a closed job of the peer itself is signed."""
    pair.score()
    frame = encode(Envelope("unknown", 2, m.CloseLedger(1, bytes(32), bytes(32), bytes(32), bytes(64))))
    assert PROTOCOL.decode_reply(pair.receive(frame)).body.code == "out_of_sequence"


def test_a_peer_without_identity_is_no_obstacle(pair: Any, caplog: Any) -> None:
    """Parties that have not told each other their identities still work; the log says what is missing."""
    peer = msgspec.structs.replace(pair.bank.peers["bureau"], identity=None)
    config = msgspec.structs.replace(pair.bank, peers={"bureau": peer})
    pair.channel = SigningChannel(pair.recorded, pair.bank_ledger, config)
    with caplog.at_level(logging.WARNING):
        pair.score()
    assert "no identity of bureau is configured" in caplog.text
    assert pair.bank_ledger.signed() == []


def test_a_request_that_was_sent_again_counts_once(pair: Any) -> None:
    """A reply that was lost on the way leaves one entry more on one side; both still agree on the job."""
    job = pair.score()
    lost = [entry for entry, _ in pair.bureau_ledger.entries() if entry.kind == "AskDirections"][-1]
    contract = bytes.fromhex(lost.contract)
    before = pair.bureau_ledger.exchanges("bank", job, contract)
    frame = encode(Envelope(job, lost.sequence, AskDirections(bytes(8)), contract))
    reply = encode(Envelope(job, lost.sequence, DirectionsGiven(bytes(2)), contract))
    assert lost.reply_digest == digest(reply)
    pair.bureau_ledger.append("in", "bank", frame, reply, "ok")
    assert pair.bureau_ledger.exchanges("bank", job, contract) == before


def test_a_job_is_signed_under_its_own_contract(pair: Any) -> None:
    """What closes a job and names another contract than it ran under is not countersigned."""
    pair.score()
    asked = PROTOCOL.decode_request(pair.bank_ledger.signed()[0].request)
    own, body = identity.load(pair.bank), asked.body
    assert isinstance(body, m.CloseLedger)
    other = msgspec.structs.replace(asked, contract=bytes(32))
    theirs = m.LedgerClosed(bytes(32), bytes.fromhex(identity.load(pair.bureau).public), bytes(64))
    signature = own.sign("ledger head", _label_content(_head(other, body, theirs)))
    frame = encode(msgspec.structs.replace(other, body=msgspec.structs.replace(body, signature=signature)))
    answer = PROTOCOL.decode_reply(pair.receive(frame)).body
    assert isinstance(answer, Refusal)
    assert (answer.code, "0 exchanges of the job under this contract" in answer.text) == (
        "ledgers_differ",
        True,
    )
