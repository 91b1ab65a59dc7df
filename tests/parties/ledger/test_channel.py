"""The channel that records: one entry and one event for every exchange, however it ends."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest

from parties.ledger.channel import LedgerChannel
from parties.ledger.entries import Frame
from vfl.errors import PeerUnreachable, VflError
from vfl.psi import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import Envelope, encode
from vfl.wire.message import Refusal

REQUEST = encode(Envelope("job1", 3, m.MaskPoints(b"secret" * 9), b"\x05" * 32))
REPLY = encode(Envelope("job1", 3, m.MaskPoints(b"hidden" * 9), b"\x05" * 32))
REFUSAL = encode(Envelope("job1", 3, Refusal("not_allowed", "no")))


class Recorder:
    """A ledger that keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = []

    def append(
        self, direction: str, peer: str, request: bytes | Frame, reply: bytes | None, outcome: str
    ) -> None:
        self.entries.append((direction, peer, Frame.read(request).content, reply, outcome))


class Broken(Recorder):
    """A ledger on a full disk."""

    def append(
        self, direction: str, peer: str, request: bytes | Frame, reply: bytes | None, outcome: str
    ) -> None:
        raise OSError("no space left")


def channel(reply: bytes | VflError, ledger: Recorder, seen: list[bytes] | None = None) -> LedgerChannel:
    """Return a recording channel to a bureau that gives this reply, or cannot be reached."""

    def receive(frame: bytes) -> bytes:
        if seen is not None:
            seen.append(frame)
        if isinstance(reply, VflError):
            raise reply
        return reply

    return LedgerChannel(LoopbackChannel({"bureau": receive}), ledger)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [(REPLY, "ok"), (REFUSAL, "not_allowed"), (b"\x04junk", "malformed"), (b"", "malformed")],
    ids=["answered", "refused", "foreign bytes", "nothing"],
)
def test_a_reply_passes_unchanged_and_is_recorded(reply: bytes, outcome: str) -> None:
    """What the peer sent goes on as it is, and the entry says how the exchange ended."""
    ledger, seen = Recorder(), list[bytes]()
    assert channel(reply, ledger, seen).exchange("bureau", REQUEST) == reply
    assert seen == [REQUEST]
    assert ledger.entries == [("out", "bureau", REQUEST, reply, outcome)]


def test_a_frame_whose_heading_was_read_is_sent_as_its_bytes() -> None:
    """Channels hand it on with its heading; the peer sees bytes."""
    ledger, seen = Recorder(), list[bytes]()
    channel(REPLY, ledger, seen).exchange("bureau", Frame.read(REQUEST))
    assert seen == [REQUEST]
    assert ledger.entries == [("out", "bureau", REQUEST, REPLY, "ok")]


def test_an_exchange_that_fails_is_recorded_and_raised() -> None:
    """The caller gets the error itself, and the entry its code and no reply."""
    ledger, error = Recorder(), PeerUnreachable("gone")
    with pytest.raises(PeerUnreachable) as caught:
        channel(error, ledger).exchange("bureau", REQUEST)
    assert caught.value is error
    assert ledger.entries == [("out", "bureau", REQUEST, None, "unreachable")]


def test_every_attempt_is_an_entry() -> None:
    """A request that is sent again is recorded again."""
    ledger = Recorder()
    recording = channel(REPLY, ledger)
    for _ in range(3):
        recording.exchange("bureau", REQUEST)
    assert len(ledger.entries) == 3


def test_an_answer_that_cannot_be_recorded_is_not_used() -> None:
    """Nothing goes on that the ledger does not hold."""
    with pytest.raises(OSError, match="no space left"):
        channel(REPLY, Broken()).exchange("bureau", REQUEST)


@pytest.mark.parametrize(
    ("reply", "outcome", "level"),
    [(REPLY, "ok", "INFO"), (PeerUnreachable("gone"), "unreachable", "WARNING")],
    ids=["answered", "failed"],
)
def test_the_log_names_the_exchange_and_nothing_in_it(
    caplog: pytest.LogCaptureFixture, reply: bytes | VflError, outcome: str, level: str
) -> None:
    """Job, peer, kind, outcome and time are there; not a byte of the message."""
    caplog.set_level(logging.INFO, logger="parties")
    with contextlib.suppress(VflError):
        channel(reply, Recorder()).exchange("bureau", REQUEST)
    (record,) = caplog.records
    fields = record.vfl  # type: ignore[attr-defined]
    assert record.levelname == level
    assert fields.pop("ms") >= 0
    assert fields == {
        "event": "exchange", "job": "job1", "peer": "bureau", "kind": "MaskPoints", "outcome": outcome,
    }  # fmt: skip
    assert "secret" not in str(vars(record))
