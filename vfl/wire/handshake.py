"""The handshake: what both ends speak and allow, before the first message of a job.

Its frames begin with version byte 0 and are read by every version there will be: fields may be added to
them, none may change its meaning or go. A refusal of another version travels in such a frame too, so that
a peer of another version gets a reply that it can read.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from vfl.errors import MalformedMessage, PeerRefused, TooLarge, VersionMismatch
from vfl.wire.codec import HANDSHAKE_VERSION, PROTOCOL_VERSION, Envelope
from vfl.wire.message import Identifier, Key32, Message, Refusal

SPOKEN = (PROTOCOL_VERSION,)
"""Protocol versions that this party speaks."""

JOB = "handshake"
"""What stands for a job's name in these frames: they belong to none."""

MAX_HANDSHAKE_BYTES = 16_384

Version = Annotated[int, Meta(ge=1, le=255)]
Versions = Annotated[list[Version], Meta(min_length=1, max_length=64)]
Package = Annotated[str, Meta(pattern=r"^[0-9A-Za-z .+!-]{1,64}$")]
_Body = TypeVar("_Body")

Agreement = Literal["same", "different", "unknown"]


class Hello(Struct, frozen=True, tag_field="kind"):
    """A label party's first message to a feature party.

    Attributes:
        versions: protocol versions that it speaks.
        package: the version of its package, for people.
        alignments: fingerprints of alignments by name, to learn whether both sides still hold the same.
        identity: public key that it signs with, to learn whether it is the configured one.
    """

    versions: Versions
    package: Package
    alignments: Annotated[dict[Identifier, Key32], Meta(max_length=16)] = {}
    identity: Key32 | None = None


class Welcome(Struct, frozen=True, tag_field="kind"):
    """The answer to a :class:`Hello`.

    Attributes:
        versions, package: as in the Hello.
        time: the feature party's clock, seconds since 1970 UTC.
        allow: what the peer that asks may ask for.
        alignments: for each that was named, whether this side holds it with that fingerprint.
        identity: public key that it signs with, None where it has none.
        known: whether the identity in the Hello is the one that it has configured.
    """

    versions: Versions
    package: Package
    time: Annotated[float, Meta(ge=0, le=1e12)]
    allow: Annotated[list[Identifier], Meta(max_length=16)] = []
    alignments: Annotated[dict[Identifier, Agreement], Meta(max_length=16)] = {}
    identity: Key32 | None = None
    known: Agreement = "unknown"


_hello_decoder = msgspec.msgpack.Decoder(Envelope[Hello])
_welcome_decoder = msgspec.msgpack.Decoder(Envelope[Welcome | Refusal])


def is_handshake(frame: bytes) -> bool:
    """Return whether a frame belongs to the handshake."""
    return frame[:1] == bytes([HANDSHAKE_VERSION])


def encode_handshake(body: Hello | Welcome | Message) -> bytes:
    """Return the frame of a message of the handshake, or of a refusal that every version reads."""
    return bytes([HANDSHAKE_VERSION]) + msgspec.msgpack.encode(Envelope(JOB, 1, body))


def decode_hello(frame: bytes) -> Hello:
    """Return the Hello in a frame; raises MalformedMessage or TooLarge."""
    return _decode(frame, _hello_decoder).body


def decode_welcome(peer: str, frame: bytes) -> Welcome:
    """Return the Welcome in a peer's answer.

    Raises:
        PeerRefused: it is a refusal.
        VersionMismatch: the peer has no handshake, so it is older than this party.
        MalformedMessage, TooLarge: it is neither.
    """
    if not is_handshake(frame):
        raise VersionMismatch(f"{peer} knows no handshake: its package is older; upgrade it there")
    body = _decode(frame, _welcome_decoder).body
    if isinstance(body, Refusal):
        raise PeerRefused(peer, body.code, body.text)
    return body


def agree(peer: str, versions: list[int], package: str, own_package: str) -> int:
    """Return the highest protocol version that a peer and this party speak.

    Raises:
        VersionMismatch: there is none; the text names what both speak, and is meant for either.
    """
    common = {*SPOKEN} & {*versions}
    if not common:
        raise VersionMismatch(
            f"{peer} speaks protocol {_list(versions)} (package {package}), the other side {_list(SPOKEN)} "
            f"(package {own_package}); upgrade the older one"
        )
    return max(common)


def _list(versions: list[int] | tuple[int, ...]) -> str:
    return ", ".join(map(str, sorted(versions)))


def _decode(frame: bytes, decoder: msgspec.msgpack.Decoder[Envelope[_Body]]) -> Envelope[_Body]:
    if len(frame) > MAX_HANDSHAKE_BYTES:
        raise TooLarge(f"a handshake of {len(frame)} bytes exceeds {MAX_HANDSHAKE_BYTES}")
    try:
        return decoder.decode(memoryview(frame)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MalformedMessage("not a handshake; send a Hello with versions and package") from None
