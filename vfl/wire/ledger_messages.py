"""Messages that end a job's record: both parties sign what they exchanged and where their ledgers stand."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vfl.wire.message import Count, Key32, Message
from vfl.wire.protocol import CLOSED, Conversation, Step

_Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]


class CloseLedger(Message, frozen=True):
    """Sign the exchanges of a closed job, and the head of the label party's ledger.

    ``digest`` covers numbers, kinds and digests of the job's frames, so both ledgers give the same one.
    ``identity`` is the Ed25519 key that ``signature`` is by.
    """

    exchanges: Count
    digest: Key32
    head: Key32
    identity: Key32
    signature: _Signature


class LedgerClosed(Message, frozen=True):
    """The same exchanges and both heads, signed by the feature party, whose head is the one here."""

    head: Key32
    identity: Key32
    signature: _Signature


CONVERSATION = Conversation(
    steps=(Step(CLOSED, CloseLedger, LedgerClosed, CLOSED),),
    reveals={
        CloseLedger: "nothing new: numbers and digests of the job's messages, and a hash of the ledger",
        LedgerClosed: "nothing: a hash of the ledger",
    },
)
