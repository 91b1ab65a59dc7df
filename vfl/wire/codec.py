"""Messages to bytes and back: a version byte, then MessagePack.

Decoding is the edge where foreign bytes become checked values, so every failure is a
:class:`~vfl.errors.MalformedMessage` or :class:`~vfl.errors.TooLarge` that names the field and its
bound, never its content.
"""

from __future__ import annotations

import functools
import operator
import re
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from vfl.errors import MalformedMessage, TooLarge, VersionMismatch
from vfl.wire.message import MAX_FRAME_BYTES, Identifier, Message, Refusal

PROTOCOL_VERSION = 4

HANDSHAKE_VERSION = 0
"""Version byte of the frames that every version reads, now and later: those of `vfl.wire.handshake`."""

_Body = TypeVar("_Body")


class Envelope(msgspec.Struct, Generic[_Body], frozen=True, array_like=True, forbid_unknown_fields=True):
    """One message of one job. ``sequence`` counts the requests of a job from 1; a reply repeats it.

    ``contract`` is the digest of the contract that the job is under; a reply repeats it. It is empty only
    where all parties are in one process, which sign nothing.
    """

    job: Identifier
    sequence: Annotated[int, Meta(ge=1, lt=2**53)]
    body: _Body
    contract: Annotated[bytes, Meta(max_length=32)] = b""


_encoder = msgspec.msgpack.Encoder()


def encode(envelope: Envelope[Any]) -> bytes:
    """Return the frame of a message.

    Raises:
        TooLarge: the frame would exceed ``MAX_FRAME_BYTES``; send smaller chunks.
    """
    frame = bytes([PROTOCOL_VERSION]) + _encoder.encode(envelope)
    if len(frame) > MAX_FRAME_BYTES:
        raise TooLarge(f"a frame of {len(frame)} bytes exceeds {MAX_FRAME_BYTES}; use smaller chunks")
    return frame


@functools.cache
def decoder_of(*kinds: type[Message]) -> msgspec.msgpack.Decoder[Envelope[Any]]:
    """Return what decodes messages of these kinds alone."""
    union: Any = functools.reduce(operator.or_, kinds)
    return msgspec.msgpack.Decoder(Envelope[union])


def decode(
    frame: bytes, decoder: msgspec.msgpack.Decoder[Envelope[_Body]], version: int = PROTOCOL_VERSION
) -> Envelope[_Body]:
    """Return the envelope in a frame of a version.

    Raises:
        MalformedMessage, VersionMismatch, TooLarge: with the field and its bound, never with its content.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise TooLarge(f"a frame of {len(frame)} bytes exceeds {MAX_FRAME_BYTES}")
    if not frame:
        raise MalformedMessage("the frame is empty")
    if frame[0] != version:
        raise VersionMismatch(
            f"protocol version {frame[0]} is not spoken here, {PROTOCOL_VERSION} is; upgrade the older side"
        )
    try:
        return decoder.decode(memoryview(frame)[1:])
    except msgspec.ValidationError as error:
        # msgspec names the path and the expected type or bound, and of the value only an unknown tag
        # or choice, in quotes: foreign text that has no place in a log.
        reason = re.sub(r" '.*?'", "", str(error))
        raise MalformedMessage(f"not a message of this protocol: {reason}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedMessage("the frame is truncated or is not MessagePack") from None


def decode_answer(frame: bytes, *kinds: type[Message]) -> Envelope[Any]:
    """Return the reply in a frame, of one of these kinds, or a refusal of any version; raises as `decode`."""
    if frame[:1] == bytes([HANDSHAKE_VERSION]):
        return decode(frame, decoder_of(Refusal), HANDSHAKE_VERSION)
    return decode(frame, decoder_of(*kinds, Refusal))
