"""Messages of contracts: proposed by the label party, signed by the others or left to a person."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from vfl.wire.message import Key32, Message
from vfl.wire.protocol import CLOSED, NEW, Conversation, Step


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """A party's signature of the contract's digest."""

    identity: Key32
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class ProposeContract(Message, frozen=True):
    """Propose a contract, or bring the signatures of the others: all parties sign before anything runs.

    ``contract`` is the canonical encoding of a `vfl.wire.contract.Contract`.
    """

    contract: Annotated[bytes, Meta(min_length=1, max_length=65_536)]
    signatures: Annotated[list[Signature], Meta(max_length=33)]


class ContractAnswered(Message, frozen=True):
    """Signed, or waiting for so many approvals by people there; a refusal says why not."""

    state: Literal["signed", "waiting"]
    approvals: Annotated[int, Meta(ge=0, le=2)]
    signature: Annotated[bytes, Meta(max_length=64)]


CONVERSATION = Conversation(
    steps=(Step(NEW, ProposeContract, ContractAnswered, CLOSED),),
    reveals={
        ProposeContract: "all terms, so also who the other feature parties are and which columns or "
        "groups of theirs are asked for, as far as they show names",
        ContractAnswered: "that the rules allow it; how many people have to approve still",
    },
)
