"""Sessions: the table is walked by both sides, and only forward."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vfl.algorithms.trees.messages import AskDirections, DirectionsGiven
from vfl.errors import BadCiphertext, DataError, MalformedMessage, OutOfSequence, PeerRefused, Replayed
from vfl.jobs import PROTOCOL
from vfl.model.question import Question
from vfl.scoring import messages as m
from vfl.wire.channel import LoopbackChannel
from vfl.wire.codec import Envelope, encode
from vfl.wire.handshake import Hello, Welcome
from vfl.wire.message import Message, Refusal
from vfl.wire.session import FeatureSession, LabelSession, loopback_receiver

OPENED = m.ScoringOpened(3, 10, ["telco", "telco"])
OPEN = m.OpenScoring("model", "alignment", bytes(32))


def score_handler(message):
    if isinstance(message, m.OpenScoring):
        return OPENED
    if isinstance(message, AskDirections):
        return DirectionsGiven(bytes(len(message.rows) // 4))
    return m.ScoringClosed()


def descendants(kind):
    return {kind for child in kind.__subclasses__() for kind in ({child} | descendants(child))}


def joined(handler=score_handler):
    """Return a label session and the feature session it talks to, joined by real bytes."""
    feature = FeatureSession(PROTOCOL, "job")
    channel = LoopbackChannel({"telco": loopback_receiver(PROTOCOL, feature, handler)})
    return LabelSession(channel, "telco", "job"), feature


def test_a_job_walks_from_new_to_closed():
    """A whole job passes, and both sides end closed."""
    label, feature = joined()
    assert label.ask(OPEN, m.ScoringOpened) == OPENED
    assert label.ask(AskDirections(bytes(16)), DirectionsGiven).go_left == bytes(4)
    label.ask(m.CloseScoring(), m.ScoringClosed)
    assert feature.state == "closed"


def test_every_request_has_a_place_and_a_reply():
    """No message that any module defines is missing from the protocol, and every one has its words."""
    leaves = {kind for kind in descendants(Message) if not kind.__subclasses__()}
    defined = leaves - {Question, Refusal}
    assert {*PROTOCOL.replies, *PROTOCOL.replies.values()} == defined
    assert {kind.__name__ for kind in (*defined, Hello, Welcome, Refusal)} == set(PROTOCOL.reveals)


@pytest.mark.parametrize("state", PROTOCOL.states)
@pytest.mark.parametrize("kind", list(PROTOCOL.replies), ids=lambda k: k.__name__)
def test_what_the_table_does_not_list_is_refused(state, kind):
    """Each (state, message) is either a row of the table or an OutOfSequence."""
    after = [step.after for step in PROTOCOL.steps if (step.before, step.request) == (state, kind)]
    if after:
        assert [PROTOCOL.next_state(state, kind)] == after
    else:
        with pytest.raises(OutOfSequence):
            PROTOCOL.next_state(state, kind)


def test_replayed_and_skipped_requests_are_refused_and_change_nothing():
    """After a replay or a gap the honest job goes on."""
    feature = FeatureSession(PROTOCOL, "job")
    first = Envelope("job", 1, OPEN)
    feature.answer(first, score_handler)
    with pytest.raises(Replayed):
        feature.answer(Envelope("job", 1, m.OpenScoring("other", "alignment", bytes(32))), score_handler)
    with pytest.raises(OutOfSequence):
        feature.answer(Envelope("job", 3, m.CloseScoring()), score_handler)
    feature.answer(Envelope("job", 2, m.CloseScoring()), score_handler)
    assert feature.state == "closed"
    with pytest.raises(Replayed):
        feature.answer(first, score_handler)


def test_the_last_request_may_come_again():
    """A reply lost on the way is given again, and the work is not done twice; a refusal likewise."""
    worked = []

    def count(message):
        worked.append(message)
        if isinstance(message, m.CloseScoring):
            raise BadCiphertext("never mind which")
        return score_handler(message)

    feature = FeatureSession(PROTOCOL, "job")
    opening, closing = Envelope("job", 1, OPEN), Envelope("job", 2, m.CloseScoring())
    assert feature.answer(opening, count) == feature.answer(opening, count)
    for _ in range(2):
        with pytest.raises(BadCiphertext, match="never mind which"):
            feature.answer(closing, count)
    assert worked == [OPEN, m.CloseScoring()]


def test_a_repetition_waits_for_the_answer():
    """A request repeated while it is being worked on is answered with it, and worked on once."""
    started, go_on, worked = threading.Event(), threading.Event(), []

    def slow(message):
        worked.append(message)
        started.set()
        go_on.wait(10)
        return score_handler(message)

    feature = FeatureSession(PROTOCOL, "job")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(feature.answer, Envelope("job", 1, OPEN), slow)
        started.wait(10)
        second = pool.submit(feature.answer, Envelope("job", 1, OPEN), slow)
        assert feature.busy
        go_on.set()
        assert first.result() == second.result()
    assert worked == [OPEN]


def test_a_handler_that_refuses_ends_the_job_and_tells_the_peer():
    """A refusal inside the work reaches the peer with its code; the job is over."""

    def refuse(message):
        raise BadCiphertext("a ciphertext is zero")

    label, feature = joined(refuse)
    with pytest.raises(PeerRefused, match="a ciphertext is zero") as caught:
        label.ask(OPEN, m.ScoringOpened)
    assert caught.value.peer_code == "bad_ciphertext"
    assert feature.state == "failed"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Envelope("other", 1, OPENED), OutOfSequence),
        (Envelope("job", 2, OPENED), OutOfSequence),
        (Envelope("job", 1, m.ScoringClosed()), MalformedMessage),
    ],
)
def test_an_answer_to_something_else_is_refused(answer, error):
    """The label party takes only the reply that belongs to its request."""
    label = LabelSession(LoopbackChannel({"telco": lambda frame: encode(answer)}), "telco", "job")
    with pytest.raises(error):
        label.ask(OPEN, m.ScoringOpened)


def test_our_own_fault_is_not_explained_to_the_peer():
    """A local error crosses the wire as a code and a fixed sentence."""

    def fail(message):
        raise DataError("column salary has text")

    feature = FeatureSession(PROTOCOL, "job")
    reply = PROTOCOL.decode_reply(
        loopback_receiver(PROTOCOL, feature, fail)(encode(Envelope("job", 1, OPEN)))
    )
    assert isinstance(reply.body, Refusal)
    assert "salary" not in reply.body.text


def test_the_diagram_shows_every_transition():
    """The documented diagram is drawn from the table."""
    assert PROTOCOL.diagram().count(":") == len(PROTOCOL.steps)
