"""The contract of a job: what all its parties sign before anything runs, and what each message names.

A contract is its bytes: the encoding is canonical, the digest is over it, and signatures are over the digest.
No clock and no key is used here; whoever holds them brings them.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from vfl.errors import MalformedMessage
from vfl.wire.message import Count, Identifier, Key32, Sentence, Small

MAX_CONTRACT_BYTES = 65_536
MAX_PARTIES = 32

Action = Literal["align", "bin", "train", "score", "export"]
ACTIONS: tuple[Action, ...] = get_args(Action)
Seconds = Annotated[int, Meta(ge=0, lt=2**40)]


class Member(Struct, frozen=True, forbid_unknown_fields=True):
    """A party of a contract.

    Attributes:
        name: what the label party calls it.
        identity: its Ed25519 public key.
        columns: which columns of a feature party take part: names, or names of groups that it made, as far as
            it shows them; empty for all that it offers. The label party's own are its own business.
    """

    name: Identifier
    identity: Key32
    columns: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=1_000)] = []


class Contract(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may be done, by whom, with what, how much, and until when.

    Attributes:
        nonce: makes two contracts of the same terms two.
        action: what it is about; a contract allows one kind of job.
        purpose: what for, in words.
        label_party, feature_parties: who signs it.
        alignment: which customers; None for an export.
        binning: name of a binning that is made, or in whose weights of evidence columns take part.
        model: name of the model; None for an alignment or a binning.
        algorithm: of a training, by its name; None for other jobs.
        rows: customers of the label party at most.
        terms: numbers that bind jobs of this action, by name, such as ``trees``; an algorithm brings them.
        key_bits: of the label party's Paillier key; 0 where none is used.
        rows_per_hour: customers to score at most, counted as often as they are asked for; 0 where none are.
        created, expires: seconds since 1970, UTC.
    """

    version: Literal[2] = 2
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]
    action: Action
    purpose: Annotated[Sentence, Meta(min_length=1)]
    label_party: Member
    feature_parties: Annotated[list[Member], Meta(min_length=1, max_length=MAX_PARTIES)]
    alignment: Identifier | None = None
    binning: Identifier | None = None
    model: Identifier | None = None
    algorithm: Identifier | None = None
    rows: Count = 0
    terms: Annotated[dict[Identifier, Count], Meta(max_length=64)] = {}
    key_bits: Small = 0
    rows_per_hour: Count = 0
    created: Seconds
    expires: Seconds

    @property
    def subject(self) -> str:
        """Name of what it makes or uses: the model, else the binning, else the alignment."""
        return self.model or self.binning or self.alignment or "-"

    @property
    def identities(self) -> list[bytes]:
        """Public keys of all parties, each of which has to sign."""
        return [self.label_party.identity, *(member.identity for member in self.feature_parties)]

    def to_bytes(self) -> bytes:
        """Return the bytes that are the contract."""
        return _encoder.encode(self)

    def digest(self) -> bytes:
        """Return the SHA-256 that messages name and signatures are over."""
        return digest_of(self.to_bytes())


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Contract)


def digest_of(content: bytes) -> bytes:
    """Return the digest of a contract's bytes."""
    return hashlib.sha256(b"vfl contract v2\0" + content).digest()


def decode_contract(content: bytes) -> Contract:
    """Return the contract that bytes are.

    Raises:
        MalformedMessage: they are none, or another way of writing one: what is signed has one form.
    """
    try:
        contract = _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MalformedMessage("not a contract of this version") from None
    if contract.to_bytes() != content:
        raise MalformedMessage("the contract is not in its canonical form")
    if len(set(contract.identities)) != len(contract.identities):
        raise MalformedMessage("a party is in the contract twice")
    return contract
