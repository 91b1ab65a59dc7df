"""Broken or dishonest training, over real HTTPS: refused on the right side, and the next job works."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from parties.data.rows import load
from parties.link.transport import HttpsChannel
from vfl.aggregation.bitmap import to_bitmap
from vfl.aggregation.table import LabelTable
from vfl.algorithms.trees import messages as m
from vfl.algorithms.trees.label_party import train
from vfl.algorithms.trees.params import TreeParams
from vfl.crypto.kernel import from_ints
from vfl.crypto.paillier import Encryptor
from vfl.errors import BadCiphertext, MalformedMessage, OutOfRange, PeerError, PeerRefused
from vfl.jobs import PROTOCOL
from vfl.psi.label_party import align
from vfl.wire.codec import encode
from vfl.wire.message import Message
from vfl.wire.session import LabelSession

PARAMS = TreeParams(n_estimators=1, max_depth=2, max_bin=8, min_child_weight=0.0)


@pytest.fixture
def joined(bank, bureau, serve, join, agree):
    """A bank and a bureau that have aligned over HTTPS: the channel, the bank's table, the alignments."""
    bank = join(bank, bureau, serve(bureau))
    rows = load(bank)
    with HttpsChannel(bank) as channel:
        digest = agree(channel, "align", alignment="a1", rows=200)
        session = LabelSession(channel, "bureau", contract=digest)
        alignments = align({"bureau": session}, rows.identifiers, "a1")
        usable = rows.identifiers.rows
        table = LabelTable(
            rows.identifiers.keys, rows.table.names, rows.table.columns[usable], rows.table.labels[usable]
        )
        training = {
            "algorithm": "trees",
            "alignment": "a1",
            "rows": 200,
            "terms": {"trees": 1, "max_depth": 2},
            "key_bits": 2048,
        }
        digests = {name: agree(channel, "train", model=name, **training) for name in ("good", "bad")}
        yield channel, table, alignments, digests


def opening(aligned, private_key, model, **changes):
    """A training job over all aligned rows, with some fields changed."""
    rows = len(aligned.identifiers)
    message = m.OpenTraining(
        model=model, alignment=aligned.id, fingerprint=aligned.fingerprint,
        fit_rows=to_bitmap(np.ones(rows, bool)), watch_rows=to_bitmap(np.zeros(rows, bool)),
        public_key=private_key.public_key.to_bytes(), fraction_bits=32, packed_rows=200,
        max_abs_g=1.0, max_h=0.25, max_bin=8, max_depth=2, trees=1,
    )  # fmt: skip
    return msgspec.structs.replace(message, **changes)


def assert_next_job_works(channel, table, alignments, digests, private_key):
    """The honest party is unharmed: a whole training runs on the same server."""
    session = LabelSession(channel, "bureau", contract=digests["good"])
    result = train({"bureau": session}, alignments, table, PARAMS, private_key, model_id="good")
    assert len(result.part.trees) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"public_key": b"\x11" * 128}, "not_allowed"),
        ({"public_key": b"\x90" * 256}, "out_of_range"),
        ({"fingerprint": bytes(32)}, "not_aligned"),
        ({"alignment": "unknown"}, "not_allowed"),
        ({"fit_rows": b"\xff" * 10}, "malformed"),
        ({"fit_rows": bytes(19)}, "not_allowed"),
        ({"watch_rows": b"\xff" * 18 + b"\x3f"}, "not_allowed"),
        ({"fraction_bits": 52}, "out_of_range"),
        ({"packed_rows": 10}, "out_of_range"),
        ({"max_h": 0.0}, "out_of_range"),
        ({"trees": 100_000}, "not_allowed"),
        ({"max_depth": 30}, "not_allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_job_that_cannot_be_is_refused_when_it_opens(joined, private_key, changes, code):
    """Short or even keys, foreign rows, impossible bounds and limits exceeded are refused at once."""
    channel, table, alignments, digests = joined
    with pytest.raises(PeerRefused) as caught:
        LabelSession(channel, "bureau", contract=digests["bad"]).ask(
            opening(alignments["bureau"], private_key, "bad", **changes), m.TrainingOpened
        )
    assert caught.value.peer_code == code
    assert_next_job_works(channel, table, alignments, digests, private_key)


def bad_ciphertexts(private_key):
    """What no encryption yields, and what each is refused for."""
    key = private_key.public_key
    return {
        "zero": (0, "zero"),
        "n squared": (key.n**2, "below"),
        "above n squared": (2**4096 - 1, "below"),
        "not coprime": (private_key.p * 12345, "coprime"),
    }


@pytest.mark.parametrize("kind", ["zero", "n squared", "above n squared", "not coprime"])
def test_a_bad_ciphertext_is_refused_by_the_feature_party(joined, private_key, kind):
    """One bad ciphertext among good ones is found; the error says why and shows nothing of it."""
    channel, table, alignments, digests = joined
    value, reason = bad_ciphertexts(private_key)[kind]
    session = LabelSession(channel, "bureau", contract=digests["bad"])
    session.ask(opening(alignments["bureau"], private_key, "bad"), m.TrainingOpened)
    session.ask(m.OpenTree(0, b"", []), m.TreeOpened)
    good = Encryptor(private_key).encrypt(np.zeros((3, 2), np.uint64))
    frame = np.concatenate([good, from_ints([value], private_key.public_key.limbs)])
    with pytest.raises(PeerRefused, match=reason) as caught:
        session.ask(m.Gradients(0, frame.tobytes()), m.GradientsTaken)
    assert caught.value.peer_code == "bad_ciphertext"
    assert str(value) not in str(caught.value)
    assert_next_job_works(channel, table, alignments, digests, private_key)


def after_gradients(session, private_key, rows):
    ciphertexts = Encryptor(private_key).encrypt(np.zeros((rows, 2), np.uint64))
    session.ask(m.Gradients(0, ciphertexts.tobytes()), m.GradientsTaken)


def split(**changes):
    return m.GrowLevel([msgspec.structs.replace(m.Split(0, 0, 1, 0, 0, False), **changes)], [], [])


@pytest.mark.parametrize(
    ("request_", "reply", "code"),
    [
        (m.Gradients(0, b"\x01" * 100), m.GradientsTaken, "malformed"),
        (m.Gradients(5, b"\x01" * 512), m.GradientsTaken, "out_of_range"),
        (m.Gradients(0, b"\x01" * 512 * 400), m.GradientsTaken, "out_of_range"),
        (m.SumRoot(), m.LevelGrown, "out_of_sequence"),
        (m.GrowLevel([], [], []), m.LevelGrown, "out_of_sequence"),
        (split(column=7), m.LevelGrown, "out_of_range"),
        (split(bin=100), m.LevelGrown, "out_of_range"),
        (split(node=3, left=5), m.LevelGrown, "out_of_range"),
        (split(left=0), m.LevelGrown, "out_of_range"),
        (split(split=4), m.LevelGrown, "out_of_sequence"),
        (m.GrowLevel([], [m.Directions(0, 1, b"\xff")], [1]), m.LevelGrown, "malformed"),
        (m.GrowLevel([], [], [1]), m.LevelGrown, "out_of_range"),
        (m.OpenTree(5, b"", []), m.TreeOpened, "not_allowed"),
        (m.CloseTraining(9), m.TrainingClosed, "out_of_range"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else None,
)
def test_a_step_that_cannot_be_is_refused(joined, private_key, request_, reply, code):
    """Wrong lengths, offsets, nodes, columns, bins and orders are refused; the server lives on."""
    channel, table, alignments, digests = joined
    session = LabelSession(channel, "bureau", contract=digests["bad"])
    rows = len(alignments["bureau"].identifiers)
    session.ask(opening(alignments["bureau"], private_key, "bad"), m.TrainingOpened)
    session.ask(m.OpenTree(0, b"", []), m.TreeOpened)
    if not isinstance(request_, (m.Gradients, m.SumRoot)):
        after_gradients(session, private_key, rows)
        if not (isinstance(request_, m.GrowLevel) and code == "out_of_sequence" and not request_.splits):
            session.ask(m.SumRoot(), m.LevelGrown)
    session._state = _before(request_)  # the label party's own table would not let it out
    with pytest.raises(PeerRefused) as caught:
        session.ask(request_, reply)
    assert caught.value.peer_code == code
    assert_next_job_works(channel, table, alignments, digests, private_key)


def _before(request_):
    return next(step.before for step in PROTOCOL.steps if step.request is type(request_))


class Tampering:
    """A channel whose peer changes its own replies: the bytes are real, the feature party is not honest."""

    def __init__(self, channel, change):
        self._channel, self._change = channel, change

    def exchange(self, peer, frame):
        request = PROTOCOL.decode_request(frame).body
        answer = PROTOCOL.decode_reply(self._channel.exchange(peer, frame))
        body = self._change(request, answer.body)
        return encode(msgspec.structs.replace(answer, body=body))


def with_sums(change):
    """Changes the ciphertexts of the first node of every reply that has sums."""

    def tamper(request, reply):
        if not isinstance(reply, m.LevelGrown) or not reply.sums:
            return reply
        first = reply.sums[0]
        changed = msgspec.structs.replace(first, ciphertexts=change(first.ciphertexts))
        return msgspec.structs.replace(reply, sums=[changed, *reply.sums[1:]])

    return tamper


def with_directions(request, reply):
    if isinstance(reply, m.LevelGrown) and reply.directions:
        cut = [msgspec.structs.replace(d, go_left=d.go_left[:-1]) for d in reply.directions]
        return msgspec.structs.replace(reply, directions=cut)
    return reply


def other_node(request, reply):
    if isinstance(reply, m.LevelGrown) and reply.sums:
        return msgspec.structs.replace(reply, sums=[m.NodeSums(99, reply.sums[0].ciphertexts)])
    return reply


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("zero", BadCiphertext, "zero"),
        ("too large", BadCiphertext, "below"),
        ("cut", MalformedMessage, "number of sums"),
        ("sum out of range", OutOfRange, "beyond"),
        ("directions cut", MalformedMessage, "bitmap"),
        ("other node", MalformedMessage, "other nodes"),
    ],
)
def test_a_lying_feature_party_is_caught_by_the_label_party(joined, private_key, name, error, reason):
    """What a feature party cannot have computed honestly is refused by the label party, which goes on."""
    channel, table, alignments, digests = joined
    key = private_key.public_key
    huge = np.zeros((1, key.plain_limbs - 1), np.uint64)
    huge[:, 0] = 2**64 - 1  # a sum of hessians beyond what the rows of a node can have
    forged = Encryptor(private_key).encrypt(huge).tobytes()
    changes = {
        "zero": with_sums(lambda data: bytes(512) + data[512:]),
        "too large": with_sums(lambda data: b"\xff" * 512 + data[512:]),
        "cut": with_sums(lambda data: data[:-512]),
        "sum out of range": with_sums(lambda data: forged + data[512:]),
        "directions cut": with_directions,
        "other node": other_node,
    }
    session = LabelSession(Tampering(channel, changes[name]), "bureau", contract=digests["bad"])
    with pytest.raises(error, match=reason) as caught:
        train({"bureau": session}, alignments, table, PARAMS, private_key, model_id="bad")
    assert isinstance(caught.value, PeerError)
    assert_next_job_works(channel, table, alignments, digests, private_key)
