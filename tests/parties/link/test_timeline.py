"""The timeline: a peer's steps come over in a header, and land where they happened on our clock."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.link.timeline import MAX_HEADER, chrome_trace, peer_spans, server_timing
from parties.link.transport import HttpsChannel
from vfl.psi.identifiers import Recipe, prepare
from vfl.psi.label_party import align
from vfl.trace import Span, record_process
from vfl.wire.session import LabelSession

MS = 1_000_000


def test_steps_are_drawn_in_the_middle_of_the_round_trip():
    """A peer whose clock is elsewhere told of 10 ms within 30: its steps start 10 ms after we asked."""
    steps = [Span("check ciphertexts", 5_000 * MS + 2 * MS, 5_000 * MS + 4 * MS, 9)]
    header = server_timing(steps, 5_000 * MS, 5_010 * MS)
    assert header == "total;dur=10.000;start=0.000, check-ciphertexts;dur=2.000;start=2.000"
    assert peer_spans(header, 100 * MS, 130 * MS) == [Span("check ciphertexts", 112 * MS, 114 * MS, 0)]


@given(st.text(max_size=200))
def test_a_strange_header_is_no_timeline(text):
    """Whatever a peer sends there, nothing breaks and without a total nothing is drawn."""
    assert isinstance(peer_spans(text, 0, MS), list)
    assert peer_spans("x;dur=1.000;start=0.000", 0, MS) == []


def test_a_header_is_bounded():
    """Many steps are cut to the longest header that is read."""
    header = server_timing([Span("sum", 0, MS, 1)] * 10_000, 0, MS)
    assert len(header) <= MAX_HEADER
    assert len(peer_spans(header, 0, MS)) > 100


def test_the_trace_has_a_process_for_each_party():
    """Parties are processes and threads rows, in microseconds from the first span."""
    telco = [Span("sum", 20_000, 25_000, 0)]
    trace = chrome_trace({"bank": [Span("encrypt", 10_000, 30_000, 7)], "telco": telco})
    events = trace["traceEvents"]
    assert [e["args"]["name"] for e in events if e["ph"] == "M"] == ["bank", "telco"]
    drawn = [(e["name"], e["pid"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert drawn == [("encrypt", 1, 0.0, 20.0), ("sum", 2, 10.0, 5.0)]
    json.dumps(trace)


@pytest.mark.parametrize("shown", [True, False])
def test_a_peer_tells_its_timing_only_where_allowed(make_party, bank, grant, serve, join, agree, shown):
    """Without show_timing no step of an answer is told; with it the steps of this job are."""
    bureau = grant(make_party("bureau", "feature"), bank, show_timing=shown)
    recipe = Recipe.parse(["customer_id: strip upper"])
    keys = prepare({"customer_id": [f"C{n:03d}" for n in range(200)]}, recipe)
    with HttpsChannel(join(bank, bureau, serve(bureau))) as channel, record_process() as recording:
        digest = agree(channel, "align", alignment="a1", rows=200)
        align({"bureau": LabelSession(channel, "bureau", contract=digest)}, keys, "a1")
        told = channel.spans()
    assert "ask bureau" in {span.name for span in recording.spans}
    assert {span.name for span in told["bureau"]} == ({"mask points"} if shown else set())
