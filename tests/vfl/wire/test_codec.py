"""Frames: what is sent is what arrives, and nothing else is let in."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfl.algorithms.linear.messages import (
    AskMaskedSums,
    CloseLinear,
    Curvatures,
    GiveUnmasked,
    OpenLinear,
    OpenRound,
    Residuals,
)
from vfl.algorithms.scorecard.messages import FixBinning, LabelCounts, OpenBinning, SumBins, WoeBins
from vfl.algorithms.secret_shared import messages as m
from vfl.algorithms.trees.messages import (
    AskDirections,
    CloseTraining,
    Directions,
    Gradients,
    GrowLevel,
    OpenTraining,
    OpenTree,
    Split,
    SumRoot,
)
from vfl.errors import MalformedMessage, TooLarge
from vfl.jobs import PROTOCOL
from vfl.linear_model.messages import AskPartialScores
from vfl.model.question import SCORING_ROWS
from vfl.psi.messages import FetchPoints, FixAlignment, MaskPoints, OpenAlignment
from vfl.scoring.messages import AskPart, CloseScoring, OpenScoring
from vfl.wire.codec import PROTOCOL_VERSION, Envelope, encode
from vfl.wire.contract_messages import ProposeContract, Signature
from vfl.wire.ledger_messages import CloseLedger
from vfl.wire.message import MAX_FRAME_BYTES

REQUESTS = [
    ProposeContract(b"\x01" * 300, [Signature(bytes(32), bytes(64))]),
    OpenAlignment("a1", "left", ["customer: strip upper"], 10),
    MaskPoints(b"\x01" * 64),
    FetchPoints(0, 5),
    FixAlignment(b"\x00" * 8, bytes(32)),
    OpenTraining("m1", "a1", bytes(32), b"\xff", b"\x00", b"\x11" * 256, 32, 8, 1.0, 0.25, 32, 5, 10),
    OpenTree(0, b"", [1, 2]),
    Gradients(0, b"\x07" * 512),
    SumRoot(),
    GrowLevel([Split(0, 0, 1, 1, 2, True)], [Directions(1, 3, b"\x01")], [0, 1]),
    CloseTraining(3),
    OpenBinning("b1", "a1", bytes(32), b"\xff", b"\x11" * 256, 0, 8, 1.0, "quantile", 20),
    LabelCounts(0, b"\x07" * 512),
    SumBins(),
    FixBinning([WoeBins(0, [2, 4], [0.5, -0.25], 0.0)], 0.8, None),
    OpenLinear("m1", "a1", bytes(32), None, 10, b"\x11" * 256, 1.0, 0.0, 1e-5, True, 30),
    OpenRound([0.5], True, 14, 32, -3, 34),
    Curvatures(0, b"\x07" * 512),
    Residuals(0, b"\x07" * 512),
    AskMaskedSums(),
    GiveUnmasked(b"\x05" * 256, b""),
    CloseLinear([0.5, -1.0]),
    m.OpenShared("m1", "a1", bytes(32), None, 10, b"\x11" * 256, 4, 3, 1.0, True, 30),
    m.LabelRows(0, b"\x07" * 512),
    m.AskCrossSums(),
    m.GivePlan(bytes(8), bytes(8), 0.25, -0.1, [0.5, 0.25]),
    m.OpenStep(b"\x07" * 512),
    m.GivePredictors(b"\x07" * 512),
    m.ExchangeHarmonics(0, 1, b"\x07" * 512),
    m.AskGradient(),
    m.GiveGradient(b"\x07" * 512),
    m.CloseShared(bytes(40), bytes(40)),
    OpenScoring("m1", "a1", bytes(32)),
    AskDirections(bytes(400)),
    AskPartialScores(bytes(400)),
    CloseScoring(),
    AskPart("m1"),
    CloseLedger(3, bytes(32), bytes(32), bytes(32), bytes(64)),
]


def frame(*body: object) -> bytes:
    return bytes([PROTOCOL_VERSION]) + msgspec.msgpack.encode(list(body))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
def test_request_round_trip(request_):
    """Every request comes out of its frame equal to what went in."""
    envelope = Envelope("job", 7, request_)
    assert PROTOCOL.decode_request(encode(envelope)) == envelope


def test_every_request_is_covered():
    """The round trip above leaves out no request of the protocol."""
    assert {type(r) for r in REQUESTS} == set(PROTOCOL.replies)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_cleanly(data):
    """Arbitrary bytes are a message or a MalformedMessage, never another error."""
    for decode in (PROTOCOL.decode_request, PROTOCOL.decode_reply):
        for frame_ in (data, bytes([PROTOCOL_VERSION]) + data):
            with contextlib.suppress(MalformedMessage):
                decode(frame_)


@given(st.sampled_from(REQUESTS), st.integers(0, 10_000), st.integers(0, 255))
def test_changed_bytes_are_refused_cleanly(request_, place, byte):
    """A message with one byte changed is another message or a MalformedMessage: text that is none, too."""
    data = bytearray(encode(Envelope("job", 1, request_)))
    data[place % len(data)] = byte
    with contextlib.suppress(MalformedMessage):
        PROTOCOL.decode_request(bytes(data))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
def test_truncated_frames_are_refused(request_):
    """A frame cut at any place is refused."""
    data = encode(Envelope("job", 1, request_))
    for cut in range(len(data)):
        with pytest.raises(MalformedMessage):
            PROTOCOL.decode_request(data[:cut])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x63" + frame("job", 1, {"kind": "SumRoot"})[1:], "version 99"),
        (frame("job", 1, {"kind": "Attack"}), "kind"),
        (frame("job", 1, {"kind": "SumRoot", "extra": 1}), "unknown field"),
        (frame("job", 0, {"kind": "SumRoot"}), ">= 1"),
        (frame("job", 1, {"kind": "SumRoot"}).replace(b"job", b"jo\xff"), "not MessagePack"),
        (frame("../etc/passwd", 1, {"kind": "SumRoot"}), "regex"),
        (frame("job", 1, {"kind": "FetchPoints", "offset": 0, "count": 0}), "count"),
        (frame("job", 1, {"kind": "AskPart", "model": "m" * 65}), "model"),
        (frame("job", 1, {"kind": "AskDirections", "rows": bytes(4 * SCORING_ROWS + 4)}), "rows"),
        (frame("job", 1, {"kind": "FixAlignment", "positions": b"", "key": b"short"}), "key"),
    ],
)
def test_bad_frames_say_why(data, reason):
    """A refusal names the field and the bound."""
    with pytest.raises(MalformedMessage, match=reason):
        PROTOCOL.decode_request(data)


def test_a_refusal_repeats_no_foreign_text():
    """Foreign words in a frame do not reach the error, and so no log."""
    with pytest.raises(MalformedMessage) as caught:
        PROTOCOL.decode_request(frame("job", 1, {"kind": "customer-4711"}))
    assert "4711" not in str(caught.value)


def test_oversized_frames_are_refused_both_ways():
    """No frame above the limit is made or read."""
    with pytest.raises(TooLarge):
        encode(Envelope("job", 1, Gradients(0, bytes(MAX_FRAME_BYTES))))
    with pytest.raises(TooLarge):
        PROTOCOL.decode_request(bytes(MAX_FRAME_BYTES + 1))
