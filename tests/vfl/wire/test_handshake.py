"""The handshake: frames that every version reads, and words for whoever speaks another one."""

from __future__ import annotations

import msgspec
import pytest

from vfl.algorithms.trees import messages as m
from vfl.errors import MalformedMessage, PeerRefused, TooLarge, VersionMismatch
from vfl.jobs import PROTOCOL
from vfl.wire.codec import Envelope, encode
from vfl.wire.handshake import (
    MAX_HANDSHAKE_BYTES,
    SPOKEN,
    Hello,
    Welcome,
    agree,
    decode_hello,
    decode_welcome,
    encode_handshake,
    is_handshake,
)
from vfl.wire.message import Refusal

HELLO = Hello([2, 3], "0.1.0", {"a1": b"f" * 32}, b"i" * 32)
WELCOME = Welcome([3], "0.1.0", 1.5, ["align"], {"a1": "same"}, b"j" * 32, "different")


def test_the_bytes_of_a_handshake_never_change() -> None:
    """A known vector: a version that writes other bytes would not be understood by those before it."""
    assert encode_handshake(Hello([3], "1")) == (
        b"\0\x94\xa9handshake\x01\x85\xa4kind\xa5Hello\xa8versions\x91\x03\xa7package\xa11\xaaalignments\x80"
        b"\xa8identity\xc0\xc4\x00"
    )


def test_what_is_said_is_heard() -> None:
    """Both messages come back as they were, in frames that are told from those of jobs."""
    assert decode_hello(encode_handshake(HELLO)) == HELLO
    assert decode_welcome("bureau", encode_handshake(WELCOME)) == WELCOME
    assert is_handshake(encode_handshake(HELLO))
    assert not is_handshake(encode(Envelope("job", 1, m.SumRoot())))


def test_fields_of_a_later_version_are_passed_over() -> None:
    """A later version may say more in its handshake without being refused for it."""
    later = [
        "handshake",
        1,
        {"kind": "Hello", "versions": [9], "package": "7", "colour": "green", "alignments": {}},
    ]
    assert decode_hello(b"\0" + msgspec.msgpack.encode(later)) == Hello([9], "7")


def test_versions_in_common_are_agreed_on() -> None:
    """The highest version of both is spoken."""
    assert agree("bank", [1, *SPOKEN, 200], "9.0", "0.1") == max(SPOKEN)


def test_an_incompatible_peer_is_told_what_both_speak() -> None:
    """The refusal names the versions of either side, and that the older one has to be upgraded."""
    with pytest.raises(VersionMismatch, match=r"bank speaks protocol 7, 9 .* other side 4 .* upgrade"):
        agree("bank", [9, 7], "9.0", "0.1")


def test_a_message_of_another_version_is_refused_by_name() -> None:
    """Neither side guesses at bytes of another version."""
    frame = encode(Envelope("job", 1, m.SumRoot()))
    with pytest.raises(VersionMismatch, match="version 9 is not spoken here, 4 is"):
        PROTOCOL.decode_request(b"\x09" + frame[1:])


def test_a_refusal_is_read_whatever_the_version() -> None:
    """A refusal in a frame of the handshake reaches a job of any version."""
    frame = encode_handshake(Refusal("version", "upgrade"))
    assert PROTOCOL.decode_reply(frame).body == Refusal("version", "upgrade")
    with pytest.raises(PeerRefused, match="upgrade"):
        decode_welcome("bureau", frame)


def test_a_peer_that_knows_no_handshake_is_older() -> None:
    """The answer of a version before there was a handshake says who has to upgrade."""
    with pytest.raises(VersionMismatch, match="bureau knows no handshake"):
        decode_welcome("bureau", encode(Envelope("unknown", 1, Refusal("malformed", "version 0"))))


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Hello", "versions": [], "package": "1"},
        {"kind": "Hello", "versions": [2], "package": "a\nb"},
        {"kind": "Hello", "versions": [2], "package": "1", "alignments": {"../x": b"f" * 32}},
        {"kind": "Hello", "versions": [2], "package": "1", "alignments": {"a": b"f"}},
        {"kind": "Welcome", "versions": [2], "package": "1", "time": 1.0},
    ],
)
def test_a_hello_is_checked(body: dict[str, object]) -> None:
    """What is no Hello is refused without being repeated."""
    with pytest.raises(MalformedMessage, match="not a handshake; send a Hello"):
        decode_hello(b"\0" + msgspec.msgpack.encode(["handshake", 1, body]))


def test_a_handshake_is_short() -> None:
    """Nobody reads megabytes before knowing who speaks which version."""
    with pytest.raises(TooLarge):
        decode_hello(b"\0" * (MAX_HANDSHAKE_BYTES + 1))
