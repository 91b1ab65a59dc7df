"""What messages of all subjects are made of: bounds, and fields that check them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MAX_FRAME_BYTES = 64 * 2**20
"""No message is larger; a party that has more to say says it in chunks."""

MAX_COLUMNS = 100_000

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Sentence = Annotated[str, Meta(max_length=2_000)]
Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Blob = Annotated[bytes, Meta(max_length=MAX_FRAME_BYTES)]
Count = Annotated[int, Meta(ge=0, lt=2**32)]
Small = Annotated[int, Meta(ge=0, lt=2**20)]
Bound = Annotated[float, Meta(ge=0.0, le=1e30)]
Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]


class Message(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """Base of all messages; the class name is the tag on the wire."""


class Column(Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a feature party as far as its owner shows it: a name, or an empty one."""

    name: Annotated[str, Meta(max_length=200)]
    bins: Annotated[int, Meta(ge=0, le=65_535)]


class Refusal(Message, frozen=True):
    """Any request may be answered so: the code of the error and a sentence that says what to do."""

    code: Identifier
    text: Sentence
